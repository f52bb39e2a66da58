/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/authd/chain.h"
#include "common/imap/saslname.h"
#include "common/base/hmap.h"
#include "common/base/log.h"
#include "common/ipc/wire.h"
#include "frontend/authd/authd.h"
#include "frontend/authd/cache.h"
#include "frontend/authd/copies.h"
#include "frontend/authd/pwhash.h"
#include "frontend/authd/verify.h"

struct flight { /* a check, and all who wait for it */
	struct check check;
	struct chain *chain;
	struct list link; /* in chain.flights */
	struct list waiters;
	struct cache_key key;
	bool keyed;		 /* found by key, and kept in the cache */
	bool forgotten;		 /* its answer is out of date when it comes */
	bool telling;		 /* its waiters are being told: the flight is not to be touched */
	size_t at;		 /* place in the chain */
	uint64_t refuted;	 /* bits of the providers, by place, that were asked and said no */
	enum auth_result so_far; /* the weightiest of those that said no */
	enum auth_result last;	 /* what the last one said */
	enum auth_result
		refusal; /* AUTH_OK, or what a right password leads to: disabled, expired */
	struct loop_timer *impatience;
};

struct chain {
	struct authd *authd;
	struct cache *cache;
	VEC(struct provider *) providers;
	struct list flights;
	struct hmap *by_key; /* struct flight */
	unsigned n;
	struct {
		uint64_t asked, checks, cached, joined, stale; /* see chain_counts */
	} count;
};

struct chain *chain_new(struct authd *ad)
{
	struct chain *ch = xcalloc(1, sizeof(*ch));

	ch->authd = ad;
	ch->cache = cache_new(ad->loop, ad->set);
	ch->by_key = hmap_new();
	list_init(&ch->flights);
	return ch;
}

void chain_add(struct chain *ch, struct provider *p)
{
	ASSERT(ch->providers.n < 64); /* flight.refuted; the settings allow each once */
	*vec_push(&ch->providers) = p;
}

void chain_free(struct chain **cp)
{
	struct chain *ch = *cp;

	if (!ch)
		return;
	vec_foreach(p, &ch->providers)
		(*p)->free(*p);
	vec_free(&ch->providers);
	cache_free(&ch->cache);
	hmap_free(&ch->by_key);
	free(ch);
	*cp = NULL;
}

unsigned chain_kinds(const struct chain *ch)
{
	unsigned kinds = 0;

	for (size_t i = 0; i < ch->providers.n; i++)
		kinds |= ch->providers.a[i]->kinds;
	return kinds;
}

unsigned chain_unsuited(const struct chain *ch)
{
	unsigned bits = 0;

	for (size_t i = 0; i < ch->providers.n; i++) {
		const struct provider *p = ch->providers.a[i];

		bits |= p->unsuited | (p->kinds & CHECK_BIT(CHECK_SCRAM) ? 0 : SASL_BITS_SCRAM);
	}
	return bits;
}

unsigned chain_pending(const struct chain *ch)
{
	return ch->n;
}

void chain_counts(const struct chain *ch, struct buf *out)
{
	wire_count(out, "asked", ch->count.asked);   /* by exchanges */
	wire_count(out, "checks", ch->count.checks); /* that providers had to answer */
	wire_count(out, "cached", ch->count.cached); /* answered from the cache */
	wire_count(out, "joined", ch->count.joined); /* waited for another one's check */
	wire_count(out, "stale", ch->count.stale);   /* kept answers used for want of a provider */
	wire_count(out, "pending", ch->n);
	wire_count(out, "kept", cache_count(ch->cache));
}

/* ---- a check ----------------------------------------------------------------------------------- */

void check_credential(struct check *c, struct str hash, struct str services)
{
	*vec_push(&c->credentials) =
		(struct credential){arena_str(&c->arena, hash), arena_str(&c->arena, services)};
}

static struct flight *flight_new(struct chain *ch, const struct chain_query *q)
{
	struct flight *f = xcalloc(1, sizeof(*f));
	struct check *c = &f->check;

	f->chain = ch;
	f->so_far = AUTH_UNKNOWN;
	list_init(&f->link);
	list_init(&f->waiters);
	c->chain = f;
	c->kind = q->kind;
	c->user = arena_str(&c->arena, q->user);
	c->mechanism = arena_str(&c->arena, q->mechanism);
	c->challenge = arena_str(&c->arena, q->challenge);
	c->digest = arena_str(&c->arena, q->digest);
	secret_set(&c->password, q->password);
	c->attempt = q->attempt;
	c->facts = copy_facts(&c->arena, q->facts);
	c->peer = copy_peer(&c->arena, q->peer);
	f->keyed = cache_key_make(ch->cache, c, &f->key);
	return f;
}

static struct str flight_key(const struct flight *f)
{
	return str_mem(f->key.bytes, sizeof(f->key.bytes));
}

static void flight_free(struct flight *f)
{
	loop_timer_free(&f->impatience);
	vec_free(&f->check.credentials);
	secret_wipe(&f->check.password);
	arena_deinit(&f->check.arena);
	free(f);
}

static void flight_launch(struct flight *f)
{
	struct chain *ch = f->chain;

	list_append(&ch->flights, &f->link);
	ch->n++;
	if (f->keyed)
		hmap_put(ch->by_key, flight_key(f), f);
}

/* Nobody finds it any more. */
static void flight_withdraw(struct flight *f)
{
	if (f->keyed && hmap_get(f->chain->by_key, flight_key(f)) == f)
		hmap_del(f->chain->by_key, flight_key(f));
}

static void tell(struct flight *f, enum auth_result r, const struct check *c)
{
	f->telling = true;
	while (!list_empty(&f->waiters)) {
		struct chain_waiter *w = list_entry(f->waiters.next, struct chain_waiter, link);

		list_remove(&w->link);
		w->flight = NULL;
		w->done(w, r, c);
	}
	f->telling = false;
}

/* What the cache knows, in the form of a check, for the time of one call. */
static void check_from_cache(struct check *c, const struct check *asked,
			     const struct cache_entry *e)
{
	*c = (struct check){.kind = asked->kind,
			    .user = asked->user,
			    .facts = asked->facts,
			    .record = e->record,
			    .verified = true,
			    .code = e->code,
			    .text = e->text,
			    .by = e->provider};
	c->credentials.a = e->credentials.a;
	c->credentials.n = e->credentials.n;
}

/* ---- the end of a check ------------------------------------------------------------------------ */

/* By whose word the entry is there has just said otherwise. */
static bool is_refuted(const struct flight *f, const struct cache_entry *e)
{
	const struct chain *ch = f->chain;

	for (size_t i = 0; i < ch->providers.n; i++)
		if ((f->refuted & UINT64_C(1) << i) &&
		    str_eq(e->provider, str_c(ch->providers.a[i]->name)))
			return true;
	return false;
}

static bool serve_stale(struct flight *f)
{
	const struct cache_entry *e;
	struct check c;

	if (!f->keyed || f->forgotten || cache_find(f->chain->cache, &f->key, &e) == CACHE_NONE ||
	    e->result != AUTH_OK)
		return false;
	if (is_refuted(f, e)) {
		cache_drop(f->chain->cache, &f->key);
		return false;
	}
	if (!list_empty(&f->waiters))
		LOG(L_INFO, "kept answer used", L_S("user", f->check.user),
		    L_S("module", e->provider));
	check_from_cache(&c, &f->check, e);
	f->chain->count.stale++;
	tell(f, AUTH_OK, &c);
	return true;
}

static void land(struct flight *f, enum auth_result r)
{
	struct chain *ch = f->chain;

	flight_withdraw(f);
	list_remove(&f->link);
	ch->n--;
	if (f->keyed && !f->forgotten && !f->check.cancelled)
		cache_keep(ch->cache, &f->key, &f->check, r);
	if (r != AUTH_TEMPFAIL || !serve_stale(f))
		tell(f, r, &f->check);
	flight_free(f);
}

static unsigned weight(enum auth_result r)
{
	switch (r) {
	case AUTH_TEMPFAIL:
		return 3;
	case AUTH_MISMATCH:
		return 2;
	case AUTH_IMPOSSIBLE:
		return 1;
	default:
		return 0;
	}
}

static void reset_answer(struct check *c)
{
	c->record = (struct user_record){.uid = 0};
	c->credentials.n = 0;
	c->verified = false;
	c->code = c->text = STR_NONE;
	c->work = NULL;
}

static void next(struct flight *f)
{
	struct chain *ch = f->chain;
	struct check *c = &f->check;

	while (f->at < ch->providers.n && !c->cancelled) {
		struct provider *p = ch->providers.a[f->at++];

		if (!(p->kinds & CHECK_BIT(c->kind)))
			continue;
		reset_answer(c);
		f->refusal = AUTH_OK;
		c->provider = p;
		c->by = str_c(p->name);
		p->start(p, c);
		return;
	}
	/* Words that belong to another answer than the one that counts. */
	if (f->last != f->so_far)
		c->code = c->text = STR_NONE;
	land(f, f->so_far);
}

static void said_no(struct flight *f, enum auth_result r)
{
	f->last = r;
	if (r != AUTH_TEMPFAIL)
		f->refuted |= UINT64_C(1) << (f->at - 1);
	if (weight(r) > weight(f->so_far))
		f->so_far = r;
	next(f);
}

static void verified(struct check *c, enum auth_result r)
{
	struct flight *f = c->chain;

	if (r == AUTH_OK)
		land(f, f->refusal);
	else
		said_no(f, r);
}

/* The work for a known user was done for an unknown one (B16). */
static void pretended(struct check *c, enum auth_result r)
{
	said_no(c->chain, AUTH_UNKNOWN);
}

static void cram_verified(struct flight *f)
{
	enum auth_result r = AUTH_IMPOSSIBLE;

	vec_foreach(cr, &f->check.credentials) {
		if (!verify_for_service(cr, f->check.facts.protocol))
			continue;
		switch (pwhash_check_cram(cr->hash, f->check.challenge, f->check.digest)) {
		case PWHASH_MATCH:
			land(f, f->refusal);
			return;
		case PWHASH_MISMATCH:
			r = AUTH_MISMATCH;
			break;
		case PWHASH_UNKNOWN:
		case PWHASH_COSTLY:
			break;
		}
	}
	said_no(f, r);
}

static void account_found(struct flight *f)
{
	struct check *c = &f->check;

	if (c->verified || c->kind == CHECK_SCRAM || c->kind == CHECK_TRUSTED)
		land(f, f->refusal);
	else if (c->kind == CHECK_CRAM)
		cram_verified(f);
	else
		verify_start(f->chain->authd->jobs, c, verified);
}

void check_done(struct check *c, enum auth_result r)
{
	struct flight *f = c->chain;

	switch (r) {
	case AUTH_OK:
		account_found(f);
		break;
	case AUTH_DISABLED:
	case AUTH_EXPIRED:
		/* Said to nobody but who has the right password, where we can tell. */
		f->refusal = r;
		account_found(f);
		break;
	case AUTH_UNKNOWN:
		if (c->kind == CHECK_PASSWORD && c->credentials.n && !c->cancelled)
			verify_start(f->chain->authd->jobs, c, pretended);
		else
			said_no(f, r);
		break;
	default:
		said_no(f, r);
		break;
	}
}

/* ---- asking ------------------------------------------------------------------------------------ */

static void join(struct flight *f, struct chain_waiter *w)
{
	w->flight = f;
	list_append(&f->waiters, &w->link);
}

static void lost_patience(void *ctx)
{
	serve_stale(ctx);
}

/* True: answered. */
static bool from_cache(struct flight *f, struct chain_waiter *w, enum cache_found *found)
{
	const struct cache_entry *e;
	struct check c;

	*found = f->keyed ? cache_find(f->chain->cache, &f->key, &e) : CACHE_NONE;
	if (*found != CACHE_FRESH)
		return false;
	check_from_cache(&c, &f->check, e);
	w->flight = NULL;
	w->done(w, e->result, &c);
	return true;
}

void chain_ask(struct chain *ch, const struct chain_query *q, struct chain_waiter *w)
{
	struct flight *f = flight_new(ch, q), *other;
	enum cache_found found;

	list_init(&w->link);
	ch->count.asked++;
	if (from_cache(f, w, &found)) {
		ch->count.cached++;
		flight_free(f);
		return;
	}
	other = f->keyed ? hmap_get(ch->by_key, flight_key(f)) : NULL;
	if (other) {
		ch->count.joined++;
		join(other, w);
		flight_free(f);
		return;
	}
	ch->count.checks++;
	join(f, w);
	flight_launch(f);
	if (found == CACHE_STALE && ch->authd->set->auth_cache_stale_wait) {
		f->impatience = loop_timer_new(ch->authd->loop, lost_patience, f);
		loop_timer_set(f->impatience, ch->authd->set->auth_cache_stale_wait);
	}
	next(f);
}

void chain_leave(struct chain_waiter *w)
{
	struct flight *f = w->flight;
	struct check *c;

	if (!f)
		return;
	list_remove(&w->link);
	w->flight = NULL;
	c = &f->check;
	if (!list_empty(&f->waiters) || c->cancelled || f->telling)
		return;
	flight_withdraw(f);
	c->cancelled = true;
	if (c->provider && c->provider->cancel)
		c->provider->cancel(c->provider, c);
}

/* Whoever asks from now on gets an answer from after this. A check under way may turn out to be of any
 * account, under another of its names. */
static void withdraw_all(struct chain *ch)
{
	list_foreach(e, &ch->flights) {
		struct flight *f = list_entry(e, struct flight, link);

		flight_withdraw(f);
		f->forgotten = true;
	}
}

void chain_doubt(struct chain *ch)
{
	cache_doubt(ch->cache);
	withdraw_all(ch);
}

void chain_forget(struct chain *ch, struct str user)
{
	cache_forget(ch->cache, user);
	withdraw_all(ch);
}
