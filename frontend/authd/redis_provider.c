/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/authd/redis_provider.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/imap/saslname.h"
#include "common/io/redis.h"
#include "frontend/authd/redis_answer.h"

enum { FAULT_LOG_MS = 10000 }; /* the same fault of all accounts is logged so often */

struct redis_provider {
	struct provider provider;
	struct authd *authd;
	struct arena arena; /* of the template */
	struct redis_template template;
	bool json;
	struct secret
		common_hash; /* the first real one: what a try for an unknown user costs (B16) */
	uint64_t away_logged_ms;
	unsigned away_unlogged;
};

static struct redis_provider *of(struct provider *p)
{
	return container_of(p, struct redis_provider, provider);
}

static void account_fault(struct check *c, const char *why)
{
	LOG(L_ERROR, "account unusable", L_S("user", c->user), L_C("module", "redis"),
	    L_C("error", why));
}

/* An outage is one fault, however many ask meanwhile. */
static void away_fault(struct redis_provider *rp, const char *why)
{
	uint64_t now = clock_ms();

	if (rp->away_logged_ms && now - rp->away_logged_ms < FAULT_LOG_MS) {
		rp->away_unlogged++;
		return;
	}
	LOG(L_WARN, "module unavailable", L_C("module", "redis"), L_C("error", why),
	    L_U("more", rp->away_unlogged));
	rp->away_logged_ms = now;
	rp->away_unlogged = 0;
}

static enum auth_result unknown(struct redis_provider *rp, struct check *c)
{
	if (c->kind == CHECK_PASSWORD && rp->common_hash.n)
		check_credential(c, secret_str(&rp->common_hash), STR(""));
	return AUTH_UNKNOWN;
}

static enum auth_result found(struct redis_provider *rp, struct check *c,
			      const struct record_fields *f)
{
	struct err e;
	enum auth_result r = record_apply(c, rp->authd->set, f, &e);

	if (r == AUTH_TEMPFAIL) {
		account_fault(c, e.text);
		return r;
	}
	if (c->kind != CHECK_TRUSTED && c->credentials.n == 0) {
		LOG(L_WARN, "account without password", L_S("user", c->user),
		    L_C("module", "redis"));
		return AUTH_IMPOSSIBLE;
	}
	if (!rp->common_hash.n && c->credentials.n)
		secret_set(&rp->common_hash, c->credentials.a[0].hash);
	return r;
}

static void answered(void *ctx, const struct redis_value *v, const char *why)
{
	struct check *c = ctx;
	struct redis_provider *rp = of(c->provider);
	struct record_fields *f = arena_new(&c->arena, struct record_fields);
	enum auth_result r = AUTH_TEMPFAIL;
	struct err e;

	c->work = NULL;
	if (!v) {
		away_fault(rp, why);
	} else {
		r = redis_answer(&c->arena, &rp->template, rp->json, v, f, &e);
		if (r == AUTH_TEMPFAIL)
			account_fault(c, e.text);
		else
			r = r == AUTH_OK ? found(rp, c, f) : unknown(rp, c);
	}
	check_done(c, r);
}

static void start(struct provider *p, struct check *c)
{
	struct redis_provider *rp = of(p);
	struct str argv[REDIS_TEMPLATE_WORDS];
	struct err e;

	redis_template_expand(&rp->template, &c->arena, c->user, argv);
	c->work = redis_start(rp->authd->redis, argv, rp->template.n, rp->template.read, answered,
			      c, &e);
	if (c->work)
		return;
	away_fault(rp, e.text);
	check_done(c, AUTH_TEMPFAIL);
}

static void cancel(struct provider *p, struct check *c)
{
	struct redis_call *call = c->work;

	if (!call)
		return;
	redis_cancel(&call);
	c->work = NULL;
	check_done(c, AUTH_TEMPFAIL);
}

static void provider_free(struct provider *p)
{
	struct redis_provider *rp = of(p);

	secret_wipe(&rp->common_hash);
	arena_deinit(&rp->arena);
	free(rp);
}

struct provider *redis_provider_new(struct authd *ad)
{
	struct redis_provider *rp = xcalloc(1, sizeof(*rp));
	const struct settings *set = ad->set;

	rp->provider = (struct provider){
		.name = "redis",
		.kinds = CHECK_BIT(CHECK_PASSWORD) | CHECK_BIT(CHECK_CRAM) |
			 CHECK_BIT(CHECK_SCRAM) | CHECK_BIT(CHECK_TRUSTED),
		/* What is in there is not known; most have crypt(3)'s hashes. */
		.unsuited = SASL_BITS_SCRAM,
		.start = start,
		.cancel = cancel,
		.free = provider_free,
	};
	rp->authd = ad;
	rp->json = strcmp(set->redis_format, "json") == 0;
	redis_template_parse(&rp->arena, str_c(set->redis_command), str_c(set->redis_prefix),
			     &rp->template, NULL);
	return &rp->provider;
}
