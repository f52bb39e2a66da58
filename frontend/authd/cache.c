/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/authd/cache.h"
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include "common/base/ensure.h"
#include "common/base/hmap.h"
#include "common/base/rand.h"
#include "common/io/loop.h"
#include "frontend/authd/copies.h"

struct entry {
	struct cache_entry e;
	struct list lru;		/* in space.lru: oldest first */
	struct list of_user, of_record; /* in users.as_user, .as_record */
	struct cache_key key;
	uint64_t kept_ms;
	struct arena arena;
};
struct users { /* entries of one name */
	struct list as_user, as_record;
};
struct space { /* answers of one sort */
	struct list lru;
	size_t n, max;
};

struct cache {
	struct loop *loop;
	const struct settings *set;
	uint8_t secret[32];   /* of this process: keys mean nothing elsewhere */
	struct hmap *entries; /* struct entry by key */
	struct hmap *users;   /* struct users by name */
	struct space good, bad;
};

struct cache *cache_new(struct loop *l, const struct settings *set)
{
	struct cache *c = xcalloc(1, sizeof(*c));

	c->loop = l;
	c->set = set;
	rand_bytes(c->secret, sizeof(c->secret));
	c->entries = hmap_new();
	c->users = hmap_new();
	list_init(&c->good.lru);
	list_init(&c->bad.lru);
	c->good.max = (size_t)set->auth_cache_size;
	c->bad.max = (size_t)set->auth_cache_size / 4;
	return c;
}

static struct str key_str(const struct cache_key *k)
{
	return str_mem(k->bytes, sizeof(k->bytes));
}

static struct space *space_of(struct cache *c, const struct entry *e)
{
	return e->e.result == AUTH_OK ? &c->good : &c->bad;
}

static void tidy_users(struct cache *c, struct str name)
{
	struct users *u = hmap_get(c->users, name);

	if (!u || !list_empty(&u->as_user) || !list_empty(&u->as_record))
		return;
	hmap_del(c->users, name);
	free(u);
}

static void entry_free(struct entry *e)
{
	vec_free(&e->e.credentials);
	arena_deinit(&e->arena);
	free(e);
}

static void drop(struct cache *c, struct entry *e)
{
	hmap_del(c->entries, key_str(&e->key));
	list_remove(&e->lru);
	list_remove(&e->of_user);
	list_remove(&e->of_record);
	space_of(c, e)->n--;
	tidy_users(c, e->e.user);
	tidy_users(c, e->e.record.user);
	entry_free(e);
}

static void drop_all(struct cache *c)
{
	struct space *spaces[] = {&c->good, &c->bad};

	for (size_t i = 0; i < ARRAY_LEN(spaces); i++)
		while (!list_empty(&spaces[i]->lru))
			drop(c, list_entry(spaces[i]->lru.next, struct entry, lru));
}

void cache_free(struct cache **cp)
{
	struct cache *c = *cp;

	if (!c)
		return;
	drop_all(c);
	hmap_free(&c->entries);
	hmap_free(&c->users);
	secret_zero(c->secret, sizeof(c->secret));
	free(c);
	*cp = NULL;
}

/* ---- keys -------------------------------------------------------------------------------------- */

/* Each part with its length: no two different lists of parts make the same text. */
static void put_part(struct buf *b, struct str part)
{
	buf_printf(b, "%zu:", part.n);
	buf_str_put(b, part);
}

static void put_letter(struct buf *b, char letter, const struct check *ck)
{
	switch (letter) {
	case 'u':
		put_part(b, ck->user);
		break;
	case 's':
		put_part(b, ck->facts.protocol);
		break;
	case 't':
		put_part(b, ck->facts.tls ? STR("1") : STR("0"));
		break;
	case 'r':
		put_part(b, ck->facts.rip);
		break;
	case 'l':
		put_part(b, ck->facts.lip);
		break;
	case 'm':
		put_part(b, ck->mechanism);
		break;
	default:
		break;
	}
}

bool cache_key_make(const struct cache *c, const struct check *ck, struct cache_key *key)
{
	struct buf b = BUF_INIT;
	unsigned n = sizeof(key->bytes);
	uint8_t *mac;

	if (ck->kind == CHECK_CRAM)
		return false;
	buf_printf(&b, "%d ", (int)ck->kind);
	put_letter(&b, 'u', ck); /* whatever the setting says */
	for (const char *p = c->set->auth_cache_key; *p; p++)
		if (p[0] == '%' && p[1])
			put_letter(&b, *++p, ck);
	put_part(&b, secret_str(&ck->password));
	put_part(&b, ck->peer.cert); /* endpoints are told of it */
	mac = HMAC(EVP_sha256(), c->secret, sizeof(c->secret), (const uint8_t *)b.p + b.off, b.n,
		   key->bytes, &n);
	buf_wipe(&b);
	ASSERT(mac && n == sizeof(key->bytes));
	return true;
}

/* ---- entries ----------------------------------------------------------------------------------- */

enum cache_found cache_find(struct cache *c, const struct cache_key *key,
			    const struct cache_entry **found)
{
	struct entry *e = hmap_get(c->entries, key_str(key));
	uint64_t age;

	if (!e)
		return CACHE_NONE;
	*found = &e->e;
	age = loop_now(c->loop) - e->kept_ms;
	list_remove(&e->lru);
	list_append(&space_of(c, e)->lru, &e->lru);
	if (e->e.result != AUTH_OK) {
		if (age < c->set->auth_cache_negative_ttl * 1000)
			return CACHE_FRESH;
	} else if (age < c->set->auth_cache_ttl * 1000) {
		return CACHE_FRESH;
	} else if (age < (c->set->auth_cache_ttl + c->set->auth_cache_stale) * 1000) {
		return CACHE_STALE;
	}
	drop(c, e);
	*found = NULL;
	return CACHE_NONE;
}

static struct entry *copy(const struct check *ck, enum auth_result r)
{
	struct entry *e = xcalloc(1, sizeof(*e));
	struct arena *a = &e->arena;

	e->e.result = r;
	e->e.user = arena_str(a, ck->user);
	e->e.provider = str_c(ck->provider ? ck->provider->name : "");
	e->e.code = arena_str(a, ck->code);
	e->e.text = arena_str(a, ck->text);
	if (r != AUTH_OK)
		return e;
	e->e.record = copy_record(a, &ck->record);
	for (size_t i = 0; ck->kind == CHECK_SCRAM && i < ck->credentials.n; i++) {
		const struct credential *cr = &ck->credentials.a[i];

		*vec_push(&e->e.credentials) =
			(struct credential){arena_str(a, cr->hash), arena_str(a, cr->services)};
	}
	return e;
}

static struct users *users_of(struct cache *c, struct str user)
{
	struct users *u = hmap_get(c->users, user);

	if (!u) {
		u = xcalloc(1, sizeof(*u));
		list_init(&u->as_user);
		list_init(&u->as_record);
		hmap_put(c->users, user, u);
	}
	return u;
}

static bool is_kept(const struct cache *c, enum auth_result r)
{
	if (r == AUTH_OK)
		return c->set->auth_cache_ttl + c->set->auth_cache_stale > 0;
	return (r == AUTH_MISMATCH || r == AUTH_UNKNOWN || r == AUTH_DISABLED ||
		r == AUTH_EXPIRED) &&
	       c->set->auth_cache_negative_ttl > 0;
}

void cache_keep(struct cache *c, const struct cache_key *key, const struct check *ck,
		enum auth_result r)
{
	struct entry *e = hmap_get(c->entries, key_str(key));
	struct space *s;

	/* An explicit refusal ends what was known under this very password. */
	if (e && r != AUTH_TEMPFAIL)
		drop(c, e);
	if (!is_kept(c, r))
		return;
	e = copy(ck, r);
	s = space_of(c, e);
	if (s->max == 0) {
		entry_free(e);
		return;
	}
	while (s->n >= s->max)
		drop(c, list_entry(s->lru.next, struct entry, lru));
	e->key = *key;
	e->kept_ms = loop_now(c->loop);
	hmap_put(c->entries, key_str(key), e);
	list_append(&s->lru, &e->lru);
	list_append(&users_of(c, e->e.user)->as_user, &e->of_user);
	list_init(&e->of_record);
	if (r == AUTH_OK)
		list_append(&users_of(c, e->e.record.user)->as_record, &e->of_record);
	s->n++;
}

void cache_forget(struct cache *c, struct str user)
{
	struct users *u;

	if (!user.p) {
		drop_all(c);
		return;
	}
	while ((u = hmap_get(c->users, user)))
		drop(c, list_empty(&u->as_user)
				? list_entry(u->as_record.next, struct entry, of_record)
				: list_entry(u->as_user.next, struct entry, of_user));
}

void cache_drop(struct cache *c, const struct cache_key *key)
{
	struct entry *e = hmap_get(c->entries, key_str(key));

	if (e)
		drop(c, e);
}

void cache_doubt(struct cache *c)
{
	uint64_t ttl = c->set->auth_cache_ttl * 1000, now = loop_now(c->loop);

	while (!list_empty(&c->bad.lru))
		drop(c, list_entry(c->bad.lru.next, struct entry, lru));
	list_foreach(l, &c->good.lru) {
		struct entry *e = list_entry(l, struct entry, lru);

		if (now - e->kept_ms < ttl)
			e->kept_ms = now - ttl;
	}
}

size_t cache_count(const struct cache *c)
{
	return hmap_count(c->entries);
}
