/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/authd/oauth/tokencache.h"
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include "common/base/clock.h"
#include "common/base/hmap.h"
#include "common/base/list.h"
#include "common/base/rand.h"

struct entry {
	struct list link; /* in space.used: oldest first */
	uint8_t key[TOKENCACHE_KEY];
	struct claims_verdict v;
	uint64_t fresh_until; /* clock_ms */
};

struct space {
	struct list used;
	size_t n, max;
};

struct tokencache {
	const struct settings *set;
	uint8_t secret[32];
	struct hmap *map;
	struct space good, bad; /* a flood of bad tokens pushes no good one out */
};

static struct str key_str(const uint8_t key[TOKENCACHE_KEY])
{
	return str_mem(key, TOKENCACHE_KEY);
}

struct tokencache *tokencache_new(const struct settings *set)
{
	struct tokencache *c = xcalloc(1, sizeof *c);

	c->set = set;
	rand_bytes(c->secret, sizeof c->secret);
	c->map = hmap_new();
	list_init(&c->good.used);
	list_init(&c->bad.used);
	c->good.max = (size_t)set->oauth_cache_size;
	c->bad.max = (c->good.max + 3) / 4;
	return c;
}

static struct space *space_of(struct tokencache *c, enum oauth_verdict v)
{
	return v == OAUTH_VALID ? &c->good : &c->bad;
}

static void drop(struct tokencache *c, struct entry *e)
{
	hmap_del(c->map, key_str(e->key));
	list_remove(&e->link);
	space_of(c, e->v.verdict)->n--;
	buf_deinit(&e->v.user);
	free(e);
}

static void drop_all(struct tokencache *c, struct space *s)
{
	while (!list_empty(&s->used))
		drop(c, list_entry(s->used.next, struct entry, link));
}

/* "joe" in a token is joe@DEFDOMAIN everywhere else. */
static bool names(const struct tokencache *c, struct str in_token, struct str user)
{
	struct str domain = str_from(user, in_token.n);

	return str_eq(in_token, user) ||
	       (str_find(in_token, '@') == in_token.n && str_starts(user, in_token) &&
		str_eq(domain, str_c(c->set->defdomain)));
}

void tokencache_forget(struct tokencache *c, struct str user)
{
	drop_all(c, &c->bad);
	list_foreach(l, &c->good.used) {
		struct entry *e = list_entry(l, struct entry, link);

		if (user.p && names(c, buf_str(&e->v.user), user))
			drop(c, e);
		else
			e->fresh_until = 0;
	}
}

void tokencache_free(struct tokencache **cp)
{
	if (!*cp)
		return;
	drop_all(*cp, &(*cp)->good);
	drop_all(*cp, &(*cp)->bad);
	hmap_free(&(*cp)->map);
	free(*cp);
	*cp = NULL;
}

void tokencache_key(const struct tokencache *c, struct str token, uint8_t key[TOKENCACHE_KEY])
{
	unsigned n = 0;

	ASSERT(HMAC(EVP_sha256(), c->secret, sizeof c->secret, (const unsigned char *)token.p,
		    token.n, key, &n) != NULL);
}

enum tokencache_age tokencache_get(struct tokencache *c, const uint8_t key[TOKENCACHE_KEY],
				   const struct claims_verdict **v)
{
	struct entry *e = hmap_get(c->map, key_str(key));
	bool expired;

	if (!e)
		return TOKENCACHE_NONE;
	expired = e->v.until && e->v.until + (int64_t)c->set->oauth_leeway <= clock_wall_s();
	*v = &e->v;
	list_remove(&e->link);
	list_append(&space_of(c, e->v.verdict)->used, &e->link);
	if (!expired && clock_ms() < e->fresh_until)
		return TOKENCACHE_FRESH;
	/* Without a time of its own it doesn't outlive the time that we gave it. */
	if (!expired && e->v.verdict == OAUTH_VALID && e->v.until)
		return TOKENCACHE_STALE;
	drop(c, e);
	return TOKENCACHE_NONE;
}

void tokencache_put(struct tokencache *c, const uint8_t key[TOKENCACHE_KEY],
		    const struct claims_verdict *v)
{
	struct entry *e = hmap_get(c->map, key_str(key));
	struct space *s = space_of(c, v->verdict);
	uint64_t ttl = v->verdict == OAUTH_VALID ? c->set->oauth_cache_ttl
						 : c->set->auth_cache_negative_ttl;

	if (v->verdict == OAUTH_UNAVAILABLE || s->max == 0)
		return;
	if (e)
		drop(c, e);
	while (s->n >= s->max)
		drop(c, list_entry(s->used.next, struct entry, link));
	e = xcalloc(1, sizeof *e);
	memcpy(e->key, key, TOKENCACHE_KEY);
	e->v = (struct claims_verdict){.verdict = v->verdict, .until = v->until, .why = v->why};
	buf_str_put(&e->v.user, buf_str(&v->user));
	e->fresh_until = clock_ms() + ttl * 1000;
	list_append(&s->used, &e->link);
	s->n++;
	hmap_put(c->map, key_str(key), e);
}
