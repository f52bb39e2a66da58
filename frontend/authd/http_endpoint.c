/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/authd/http_endpoint.h"
#include <arpa/inet.h>
#include "common/base/log.h"
#include "common/io/loop.h"

enum { FAULTS = 3, REST_MS = 100, PROBE_MS = 900 };

bool http_host_is_address(struct str host)
{
	char text[INET6_ADDRSTRLEN];
	uint8_t address[16];
	bool six = host.n > 2 && host.p[0] == '[';

	if (six)
		host = str_sub(host, 1, host.n - 2);
	if (host.n >= sizeof text)
		return false;
	snprintf(text, sizeof text, "%.*s", STR_ARG(host));
	return inet_pton(six ? AF_INET6 : AF_INET, text, address) == 1;
}

static bool port_ok(struct str port)
{
	uint32_t n;

	return !port.p || (str_u32(port, &n) && n > 0 && n < 65536);
}

bool http_url_host(struct str url, bool *tls, struct str *host)
{
	struct str rest = url, authority, port = STR_NONE;
	size_t end;

	*tls = str_istarts(url, STR("https://"));
	if (!*tls && !str_istarts(url, STR("http://")))
		return false;
	for (size_t i = 0; i < url.n; i++)
		if ((unsigned char)url.p[i] <= ' ' || url.p[i] == 0x7f || url.p[i] == '#')
			return false;
	rest = str_from(url, *tls ? 8 : 7);
	authority = str_sub(rest, 0, str_find(rest, '/'));
	authority = str_sub(authority, 0, str_find(authority, '?'));
	end = authority.n && authority.p[0] == '[' ? str_find(authority, ']') + 1 : str_find(authority, ':');
	if (end > authority.n)
		return false;
	*host = str_sub(authority, 0, end);
	if (end < authority.n) {
		if (authority.p[end] != ':')
			return false;
		port = str_from(authority, end + 1);
	}
	return host->n > 0 && str_find(*host, '@') == host->n && port_ok(port);
}

static void probe(void *ctx);

/* The next look is so long after the last one began, so that a slow one doesn't put it off. */
static void rest_on(struct http_endpoint *ep, uint64_t spent)
{
	loop_timer_set(ep->timer, ep->rest_ms > spent ? ep->rest_ms - spent : 0);
	ep->rest_ms = ep->rest_ms * 2 < ep->rest_max ? ep->rest_ms * 2 : ep->rest_max;
}

/* Whatever it says to OPTIONS, it is there; only these are said by a proxy on behalf of a dead one. */
static bool alive(const struct http_answer *a)
{
	return a->whole && (a->status < 502 || a->status > 504);
}

static void probed(void *ctx, const struct http_answer *a)
{
	struct http_endpoint *ep = ctx;

	ep->probe = NULL;
	if (!alive(a)) {
		rest_on(ep, PROBE_MS);
		return;
	}
	ep->resting = false;
	ep->faults = FAULTS - 1; /* until it has shown that it really works */
	LOG(L_INFO, "http endpoint is back", L_S("url", ep->shown));
	ep->changed(ep->ctx);
}

static void probe(void *ctx)
{
	struct http_endpoint *ep = ctx;
	struct http_request r = {.method = "OPTIONS", .url = ep->url, .timeout_ms = PROBE_MS};
	struct err e;

	ep->probe = http_start(ep->client, &r, probed, ep, &e);
	if (!ep->probe)
		rest_on(ep, 0);
}

void http_endpoint_init(struct http_endpoint *ep, struct loop *l, struct http_client *client, struct str url,
			uint64_t rest_max, http_endpoint_fn *changed, void *ctx)
{
	struct str host = STR("");
	bool tls;

	http_url_host(url, &tls, &host);
	*ep = (struct http_endpoint){.client = client, .url = str_dup(url), .rest_max = rest_max, .changed = changed,
				     .ctx = ctx};
	ep->shown = str_sub(str_c(ep->url), 0, str_find(url, '?'));
	ep->rest_ms = REST_MS < rest_max ? REST_MS : rest_max;
	buf_puts(&ep->host, "Host: ");
	buf_str_put(&ep->host, host);
	ep->timer = loop_timer_new(l, probe, ep);
}

void http_endpoint_deinit(struct http_endpoint *ep)
{
	http_cancel(&ep->probe);
	loop_timer_free(&ep->timer);
	buf_deinit(&ep->host);
	free(ep->url);
}

void http_endpoint_good(struct http_endpoint *ep)
{
	ep->faults = 0;
	if (!ep->resting)
		ep->rest_ms = REST_MS < ep->rest_max ? REST_MS : ep->rest_max;
}

void http_endpoint_bad(struct http_endpoint *ep, const struct err *e)
{
	if (ep->resting)
		return;
	ep->faults = e->code == ECONNREFUSED ? FAULTS : ep->faults + 1;
	LOG(L_WARN, ep->faults < FAULTS ? "http endpoint gave no usable answer" : "http endpoint rests",
	    L_S("url", ep->shown), L_C("error", e->text));
	if (ep->faults < FAULTS)
		return;
	ep->resting = true;
	rest_on(ep, 0);
	ep->changed(ep->ctx);
}
