/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/authd/verify.h"
#include "common/base/ensure.h"
#include "common/base/log.h"
#include "common/io/jobs.h"
#include "frontend/authd/pwhash.h"

struct verify {
	struct job job;
	struct check *check;
	verify_fn *done;
	enum auth_result result;
	struct str odd;	     /* scheme of a hash that wasn't computed, or empty ... */
	const char *odd_why; /* ... and why */
};

bool verify_for_service(const struct credential *cr, struct str service)
{
	struct str rest = cr->services;

	if (!rest.n)
		return true;
	while (rest.n) {
		size_t n = 0;

		while (n < rest.n && rest.p[n] != ' ' && rest.p[n] != ',')
			n++;
		if (str_ieq(str_sub(rest, 0, n), service))
			return true;
		rest = str_from(rest, n + 1);
	}
	return false;
}

/* Never more of a hash than its scheme gets into a log. */
static struct str scheme_of(struct str hash)
{
	bool named = hash.n && hash.p[0] == '{';
	struct str rest = str_from(hash, 1);

	return str_sub(str_split(&rest, named ? '}' : '$'), 0, 32);
}

/* All are tried until one matches: the time tells how many there are, and that is no secret. */
static void run(struct job *j)
{
	struct verify *v = container_of(j, struct verify, job);
	struct check *c = v->check;
	bool computed = false;

	v->result = AUTH_MISMATCH;
	vec_foreach(cr, &c->credentials) {
		if (c->cancelled)
			return;
		if (!verify_for_service(cr, c->facts.protocol))
			continue;
		switch (pwhash_check(cr->hash, secret_str(&c->password))) {
		case PWHASH_MATCH:
			v->result = AUTH_OK;
			return;
		case PWHASH_MISMATCH:
			computed = true;
			break;
		case PWHASH_UNKNOWN:
			v->odd = scheme_of(cr->hash);
			v->odd_why = "no such scheme in this build";
			break;
		case PWHASH_COSTLY:
			v->odd = scheme_of(cr->hash);
			v->odd_why = "it costs more than PWHASH_ROUNDS_MAX or PWHASH_MEMORY_MAX";
			break;
		}
	}
	if (v->odd_why && !computed)
		v->result = AUTH_IMPOSSIBLE;
}

static void finished(struct job *j)
{
	struct verify *v = container_of(j, struct verify, job);
	struct check *c = v->check;
	verify_fn *done = v->done;
	enum auth_result r = v->result;

	if (v->odd_why)
		LOG(L_WARN, "password hash not usable", L_S("user", c->user), L_S("scheme", v->odd),
		    L_C("error", v->odd_why));
	free(v);
	done(c, r);
}

void verify_start(struct jobs *jobs, struct check *c, verify_fn *done)
{
	struct verify *v = xcalloc(1, sizeof(*v));

	v->check = c;
	v->done = done;
	v->job.run = run;
	v->job.done = finished;
	jobs_submit(jobs, &v->job);
}
