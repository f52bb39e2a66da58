/* SPDX-License-Identifier: Apache-2.0 */
#include "common/io/resolve.h"

#include <netdb.h>
#include <stdio.h>

#include "common/base/ensure.h"
#include "common/io/jobs.h"

struct resolve {
	struct job job;
	char *host;
	uint16_t port;
	resolve_fn *fn; /* NULL: cancelled */
	void *ctx;
	struct resolved result;
};

static int look_up(const char *host, uint16_t port, int flags, struct resolved *r)
{
	struct addrinfo hints = {.ai_flags = flags | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM},
			*list;
	char service[8];
	int rc;

	snprintf(service, sizeof service, "%u", port);
	rc = getaddrinfo(host, service, &hints, &list);
	if (rc != 0)
		return rc;
	for (struct addrinfo *ai = list; ai && r->n < RESOLVE_MAX; ai = ai->ai_next) {
		if (ai->ai_addrlen > sizeof r->addr[0].ss)
			continue;
		memcpy(&r->addr[r->n].ss, ai->ai_addr, ai->ai_addrlen);
		r->addr[r->n++].len = ai->ai_addrlen;
	}
	freeaddrinfo(list);
	return r->n ? 0 : EAI_NONAME;
}

bool resolve_numeric(const char *host, uint16_t port, struct sock_addr *out)
{
	struct resolved r = {.n = 0};

	if (look_up(host, port, AI_NUMERICHOST, &r) != 0)
		return false;
	*out = r.addr[0];
	return true;
}

static void run(struct job *j)
{
	struct resolve *r = container_of(j, struct resolve, job);
	int rc = look_up(r->host, r->port, AI_ADDRCONFIG, &r->result);

	/* AI_ADDRCONFIG passes loopback over: a host without network still reaches itself */
	if (rc != 0)
		rc = look_up(r->host, r->port, 0, &r->result);
	r->result.error = rc ? gai_strerror(rc) : "";
}

static void done(struct job *j)
{
	struct resolve *r = container_of(j, struct resolve, job);

	if (r->fn)
		r->fn(r->ctx, &r->result);
	free(r->host);
	free(r);
}

struct resolve *resolve_start(struct jobs *jobs, const char *host, uint16_t port, resolve_fn *fn,
			      void *ctx)
{
	struct resolve *r = xcalloc(1, sizeof *r);

	r->job = (struct job){.run = run, .done = done};
	r->host = xstrdup(host);
	r->port = port;
	r->fn = fn;
	r->ctx = ctx;
	jobs_submit(jobs, &r->job);
	return r;
}

void resolve_cancel(struct resolve **r)
{
	if (*r)
		(*r)->fn = NULL;
	*r = NULL;
}
