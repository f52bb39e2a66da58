/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/hmap.h"

#include "common/base/ensure.h"
#include "common/base/rand.h"

/* Open addressing, linear probing; deletion shifts back, so there are no tombstones. */
struct slot {
	void *value; /* NULL: the slot is empty */
	uint64_t hash;
	size_t n; /* length of the key; KEY_NUMBER: it is the number u */
	union {
		char *p;
		uint64_t u;
	} key;
};
#define KEY_NUMBER SIZE_MAX

struct hmap {
	struct slot *slots;
	size_t cap, count; /* cap is a power of two */
};

static uint64_t seed[2];

__attribute__((constructor)) static void make_seed(void)
{
	rand_bytes(seed, sizeof seed);
}

static uint64_t rotl(uint64_t x, int n)
{
	return x << n | x >> (64 - n);
}

static void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotl(v[1], 13) ^ v[0];
	v[0] = rotl(v[0], 32);
	v[2] += v[3];
	v[3] = rotl(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotl(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotl(v[1], 17) ^ v[2];
	v[2] = rotl(v[2], 32);
}

uint64_t hash_keyed(const uint64_t key[2], struct str s)
{
	uint64_t v[4] = {key[0] ^ 0x736f6d6570736575ULL, key[1] ^ 0x646f72616e646f6dULL,
			 key[0] ^ 0x6c7967656e657261ULL, key[1] ^ 0x7465646279746573ULL};
	uint64_t m;
	size_t i;

	for (i = 0; i + 8 <= s.n; i += 8) {
		memcpy(&m, s.p + i, 8);
		v[3] ^= m;
		sip_round(v);
		v[0] ^= m;
	}
	m = 0;
	if (i < s.n)
		memcpy(&m, s.p + i, s.n - i);
	m |= (uint64_t)s.n << 56;
	v[3] ^= m;
	sip_round(v);
	v[0] ^= m;
	v[2] ^= 0xff;
	sip_round(v);
	sip_round(v);
	sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t hash_bytes(struct str s)
{
	return hash_keyed(seed, s);
}

static uint64_t hash_number(uint64_t u)
{
	return hash_bytes(str_mem(&u, sizeof u));
}

struct hmap *hmap_new(void)
{
	return xcalloc(1, sizeof(struct hmap));
}

static void free_key(struct slot *s)
{
	if (s->n != KEY_NUMBER)
		free(s->key.p);
}

void hmap_free(struct hmap **m)
{
	if (*m == NULL)
		return;
	for (size_t i = 0; i < (*m)->cap; i++)
		if ((*m)->slots[i].value)
			free_key(&(*m)->slots[i]);
	free((*m)->slots);
	free(*m);
	*m = NULL;
}

size_t hmap_count(const struct hmap *m)
{
	return m->count;
}

static bool same_key(const struct slot *s, const struct slot *probe)
{
	if (s->hash != probe->hash || s->n != probe->n)
		return false;
	if (s->n == KEY_NUMBER)
		return s->key.u == probe->key.u;
	return s->n == 0 || memcmp(s->key.p, probe->key.p, s->n) == 0;
}

/* The slot of the key, or the empty one where it belongs; NULL in a map without slots. */
static struct slot *find(const struct hmap *m, const struct slot *probe)
{
	if (m->cap == 0)
		return NULL;
	for (size_t i = probe->hash & (m->cap - 1);; i = (i + 1) & (m->cap - 1)) {
		struct slot *s = &m->slots[i];

		if (s->value == NULL || same_key(s, probe))
			return s;
	}
}

static void resize(struct hmap *m, size_t cap)
{
	struct slot *old = m->slots;
	size_t old_cap = m->cap;

	m->slots = xcalloc(cap, sizeof *m->slots);
	m->cap = cap;
	for (size_t i = 0; i < old_cap; i++)
		if (old[i].value)
			*find(m, &old[i]) = old[i];
	free(old);
}

static void *put(struct hmap *m, struct slot probe, void *value)
{
	struct slot *s;
	void *before;

	ASSERT(value != NULL);
	if (m->count >= m->cap - m->cap / 4)
		resize(m, m->cap ? m->cap * 2 : 8);
	s = find(m, &probe);
	before = s->value;
	if (before == NULL) {
		*s = probe;
		if (s->n != KEY_NUMBER)
			s->key.p = str_dup(str_mem(probe.key.p, probe.n));
		m->count++;
	}
	s->value = value;
	return before;
}

static void *del(struct hmap *m, struct slot probe)
{
	struct slot *s = find(m, &probe);
	size_t hole, mask = m->cap - 1;
	void *value = s ? s->value : NULL;

	if (value == NULL)
		return NULL;
	free_key(s);
	hole = (size_t)(s - m->slots);
	for (size_t i = (hole + 1) & mask; m->slots[i].value; i = (i + 1) & mask) {
		size_t home = m->slots[i].hash & mask;

		/* An entry may move into the hole unless its home lies between hole and itself. */
		if (((i - home) & mask) >= ((i - hole) & mask)) {
			m->slots[hole] = m->slots[i];
			hole = i;
		}
	}
	m->slots[hole] = (struct slot){0};
	m->count--;
	if (m->cap > 64 && m->count < m->cap / 8)
		resize(m, m->cap / 4);
	return value;
}

static struct slot key_bytes(struct str key)
{
	return (struct slot){.hash = hash_bytes(key), .n = key.n, .key.p = (char *)key.p};
}

static struct slot key_number(uint64_t key)
{
	return (struct slot){.hash = hash_number(key), .n = KEY_NUMBER, .key.u = key};
}

static void *get(const struct hmap *m, struct slot probe)
{
	struct slot *s = find(m, &probe);

	return s ? s->value : NULL;
}

void *hmap_get(const struct hmap *m, struct str key)
{
	return get(m, key_bytes(key));
}

void *hmap_put(struct hmap *m, struct str key, void *value)
{
	return put(m, key_bytes(key), value);
}

void *hmap_del(struct hmap *m, struct str key)
{
	return del(m, key_bytes(key));
}

void *hmap_get_u64(const struct hmap *m, uint64_t key)
{
	return get(m, key_number(key));
}

void *hmap_put_u64(struct hmap *m, uint64_t key, void *value)
{
	return put(m, key_number(key), value);
}

void *hmap_del_u64(struct hmap *m, uint64_t key)
{
	return del(m, key_number(key));
}

bool hmap_next(const struct hmap *m, size_t *it, struct str *key, void **value)
{
	for (; *it < m->cap; ++*it) {
		const struct slot *s = &m->slots[*it];

		if (s->value == NULL)
			continue;
		if (key)
			*key = s->n == KEY_NUMBER ? str_mem(&s->key.u, sizeof s->key.u)
						  : str_mem(s->key.p, s->n);
		if (value)
			*value = s->value;
		++*it;
		return true;
	}
	return false;
}
