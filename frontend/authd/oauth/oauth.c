/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/authd/oauth/oauth.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/secret.h"
#include "common/io/http.h"
#include "common/io/jobs.h"
#include "frontend/authd/oauth/introspect.h"
#include "frontend/authd/oauth/keyset.h"
#include "frontend/authd/oauth/setup.h"
#include "frontend/authd/oauth/tokencache.h"

struct oauth {
	const struct settings *set;
	struct jobs *jobs;
	struct http_client *http;
	struct keyset *keys; /* NULL: JWTs are not looked at here */
	struct tokencache *cache;
	struct list lookups;
	size_t nlookups;
	size_t nkeyless; /* of these: that wait for keys */
	bool down;	 /* the endpoint didn't answer last time */
	struct buf user; /* of the answer that was given at once */
};

struct lookup { /* one token that is being checked */
	struct oauth *oauth;
	struct list link, waiters;
	uint8_t key[TOKENCACHE_KEY];
	struct secret token;
	struct claims_verdict v;
	bool forgotten; /* its answer is out of date when it comes */

	struct jws jws;
	struct keyset_waiter keys_waiter;
	struct job job; /* verifies the signature */
	EVP_PKEY *keys[JWKS_TRIES_MAX];
	size_t nkeys;
	bool genuine;

	struct introspect introspect;
};

/* ---- the end of a lookup -------------------------------------------------------------------------- */

static void give(struct oauth_waiter *w, const struct claims_verdict *v)
{
	w->verdict = v->verdict;
	w->user = buf_str(&v->user);
	w->why = v->why;
}

static void lookup_free(struct lookup *l)
{
	list_remove(&l->link);
	l->oauth->nlookups--;
	secret_wipe(&l->token);
	jws_free(&l->jws);
	buf_deinit(&l->v.user);
	free(l);
}

/* What was true lately holds while nobody can be asked, until the token's own end. */
static void use_stale(struct lookup *l)
{
	const struct claims_verdict *old;

	if (tokencache_get(l->oauth->cache, l->key, &old) == TOKENCACHE_NONE)
		return;
	l->v.verdict = old->verdict;
	buf_reset(&l->v.user);
	buf_str_put(&l->v.user, buf_str(&old->user));
}

static void settle(struct lookup *l)
{
	if (l->v.verdict == OAUTH_UNAVAILABLE)
		use_stale(l);
	else if (!l->forgotten)
		tokencache_put(l->oauth->cache, l->key, &l->v);
}

static void finish(struct lookup *l)
{
	settle(l);
	while (!list_empty(&l->waiters)) {
		struct oauth_waiter *w = list_entry(l->waiters.next, struct oauth_waiter, link);

		list_remove(&w->link);
		give(w, &l->v);
		w->done(w);
	}
	lookup_free(l);
}

static bool settle_as(struct lookup *l, enum oauth_verdict v, const char *why)
{
	l->v.verdict = v;
	l->v.why = why;
	return true;
}

/* ---- asking the endpoint ---------------------------------------------------------------------------- */

static void note_endpoint(struct oauth *o, bool up, const char *why)
{
	if (o->down != !up)
		LOG(up ? L_INFO : L_WARN,
		    up ? "token endpoint answers again" : "token endpoint unavailable",
		    L_C("url", o->set->oauth_introspection_url), L_C("error", up ? "" : why));
	o->down = !up;
}

static void introspected(void *ctx, struct claims_verdict *v)
{
	struct lookup *l = ctx;

	l->v = *v;
	note_endpoint(l->oauth, v->verdict != OAUTH_UNAVAILABLE, v->why);
	finish(l);
}

/* True: settled. */
static bool ask_endpoint(struct lookup *l)
{
	struct oauth *o = l->oauth;
	struct err e;

	if (!o->set->oauth_introspection_url[0])
		return settle_as(l, OAUTH_INVALID,
				 "it is no JWT, and no endpoint is set that could know it");
	l->introspect = (struct introspect){.set = o->set, .done = introspected, .ctx = l};
	if (introspect_start(&l->introspect, o->http, secret_str(&l->token), &e) == 0)
		return false;
	note_endpoint(o, false, e.text);
	return settle_as(l, OAUTH_UNAVAILABLE, "the endpoint can't be asked");
}

/* ---- checking a JWT here ------------------------------------------------------------------------------ */

static void verify(struct job *j)
{
	struct lookup *l = container_of(j, struct lookup, job);

	for (size_t i = 0; i < l->nkeys && !l->genuine; i++)
		l->genuine = jwks_verify(l->keys[i], &l->jws);
}

static void verified(struct job *j)
{
	struct lookup *l = container_of(j, struct lookup, job);

	for (size_t i = 0; i < l->nkeys; i++)
		EVP_PKEY_free(l->keys[i]);
	l->nkeys = 0;
	if (l->genuine)
		claims_check(&l->v, l->oauth->set, l->jws.claims, clock_wall_s(), true);
	else
		settle_as(l, OAUTH_INVALID, "its signature is wrong");
	finish(l);
}

static bool begin_verify(struct lookup *l)
{
	l->nkeys = keyset_find(l->oauth->keys, &l->jws, l->keys);
	if (l->nkeys == 0)
		return false;
	l->job = (struct job){.run = verify, .done = verified};
	jobs_submit(l->oauth->jobs, &l->job);
	return true;
}

static void keys_came(struct keyset_waiter *w, bool fetched)
{
	struct lookup *l = container_of(w, struct lookup, keys_waiter);

	l->oauth->nkeyless--;
	if (begin_verify(l))
		return;
	if (fetched)
		settle_as(l, OAUTH_INVALID, "no key is known that it could be signed with");
	else if (!l->oauth->set->oauth_introspection_url[0])
		settle_as(l, OAUTH_UNAVAILABLE, "the keys can't be fetched");
	else if (!ask_endpoint(l))
		return;
	finish(l);
}

/* True: settled. */
static bool check_here(struct lookup *l)
{
	const char *why = jws_parse(&l->jws, secret_str(&l->token));

	if (why)
		return settle_as(l, OAUTH_INVALID, why);
	if (begin_verify(l))
		return false;
	/* Anybody can name a key that nobody has; who shows a known one needs a place, too. */
	if (l->oauth->nkeyless >= (l->oauth->set->oauth_calls_max + 1) / 2)
		return settle_as(l, OAUTH_UNAVAILABLE, "too many tokens wait for keys");
	l->keys_waiter.done = keys_came;
	if (keyset_wait(l->oauth->keys, &l->keys_waiter)) {
		l->oauth->nkeyless++;
		return false;
	}
	return settle_as(l, OAUTH_INVALID, "no key is known that it could be signed with");
}

/* ---- lookups --------------------------------------------------------------------------------------------- */

/* RFC 6750 2.1: b64token. Whatever else came would go into an HTTP header. */
static bool is_token(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if ((c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') &&
		    !strchr("-._~+/=", c))
			return false;
	}
	return s.n > 0 && s.n <= OAUTH_TOKEN_MAX && !str_has_nul(s);
}

static struct lookup *find(struct oauth *o, const uint8_t key[TOKENCACHE_KEY])
{
	list_foreach(e, &o->lookups) {
		struct lookup *l = list_entry(e, struct lookup, link);

		if (!l->forgotten && memcmp(l->key, key, TOKENCACHE_KEY) == 0)
			return l;
	}
	return NULL;
}

static struct lookup *lookup_new(struct oauth *o, const uint8_t key[TOKENCACHE_KEY],
				 struct str token)
{
	struct lookup *l = xcalloc(1, sizeof *l);

	l->oauth = o;
	memcpy(l->key, key, TOKENCACHE_KEY);
	secret_set(&l->token, token);
	list_init(&l->waiters);
	list_append(&o->lookups, &l->link);
	o->nlookups++;
	return l;
}

static bool answer_at_once(struct oauth_waiter *w, enum oauth_verdict v, const char *why)
{
	w->verdict = v;
	w->user = STR("");
	w->why = why;
	return true;
}

/* True: it is settled already; the answer lies in w. */
static bool begin(struct oauth *o, const uint8_t key[TOKENCACHE_KEY], struct str token,
		  struct oauth_waiter *w)
{
	struct lookup *l = lookup_new(o, key, token);
	bool here = o->keys && jws_looks_like(token);

	if (!(here ? check_here(l) : ask_endpoint(l))) {
		list_append(&l->waiters, &w->link);
		return false;
	}
	settle(l);
	buf_move(&o->user, &l->v.user);
	answer_at_once(w, l->v.verdict, l->v.why);
	w->user = buf_str(&o->user);
	lookup_free(l);
	return true;
}

bool oauth_check(struct oauth *o, struct str token, struct oauth_waiter *w)
{
	uint8_t key[TOKENCACHE_KEY];
	const struct claims_verdict *known;
	struct lookup *l;

	list_init(&w->link);
	if (!is_token(token))
		return answer_at_once(w, OAUTH_INVALID,
				      "it has letters that no token has, or too many");
	tokencache_key(o->cache, token, key);
	if (tokencache_get(o->cache, key, &known) == TOKENCACHE_FRESH) {
		give(w, known);
		return true;
	}
	l = find(o, key);
	if (l) {
		list_append(&l->waiters, &w->link);
		return false;
	}
	if (o->nlookups >= o->set->oauth_calls_max)
		return answer_at_once(w, OAUTH_UNAVAILABLE, "too many tokens are being checked");
	return begin(o, key, token, w);
}

void oauth_leave(struct oauth_waiter *w)
{
	if (w->link.next)
		list_remove(&w->link);
}

void oauth_forget(struct oauth *o, struct str user)
{
	if (!o)
		return;
	tokencache_forget(o->cache, user);
	list_foreach(e, &o->lookups)
		list_entry(e, struct lookup, link)->forgotten = true;
}

/* ---- start ------------------------------------------------------------------------------------------------ */

struct oauth *oauth_new(struct loop *l, struct jobs *jobs, const struct settings *set,
			struct err *e)
{
	struct oauth *o;
	struct http_client *http;

	e->text[0] = '\0';
	if (!oauth_configured(set))
		return NULL;
	http = oauth_setup_client(l, set, e);
	if (!http)
		return NULL;
	o = xcalloc(1, sizeof *o);
	o->set = set;
	o->jobs = jobs;
	o->http = http;
	o->cache = tokencache_new(set);
	list_init(&o->lookups);
	o->keys = keyset_new(l, http, set, e);
	if (!o->keys && e->text[0]) {
		http_client_free(&o->http);
		tokencache_free(&o->cache);
		free(o);
		return NULL;
	}
	oauth_setup_warn(set);
	return o;
}

void oauth_start(struct oauth *o)
{
	if (o && o->keys)
		keyset_start(o->keys);
}
