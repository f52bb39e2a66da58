/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/store/expect.h"

#include "common/base/ensure.h"
#include "common/base/hmap.h"

/* Two generations of counters by key hash (64 bits of keyed SipHash: no collision that anybody
 * could choose); the older is thrown away as a whole. */
struct expect {
	struct hmap *young, *old;
	uint64_t turned; /* when young was begun */
};

static uint64_t key_of(uint32_t folder, uint8_t dir, uint8_t kind, struct str name)
{
	char key[8 + 256];
	size_t n = name.n < 256 ? name.n : 256;

	memcpy(key, &folder, 4);
	key[4] = (char)dir;
	key[5] = (char)kind;
	memcpy(key + 6, name.p ? name.p : "", n);
	return hash_bytes(str_mem(key, 6 + n));
}

static void turn(struct expect *x, uint64_t now)
{
	if (now - x->turned < EXPECT_MS)
		return;
	hmap_free(&x->old);
	if (now - x->turned < 2 * EXPECT_MS)
		x->old = x->young;
	else
		hmap_free(&x->young);
	if (!x->old)
		x->old = hmap_new();
	x->young = hmap_new();
	x->turned = now;
}

void expect_add(struct expect *x, uint64_t now_ms, uint32_t folder, uint8_t dir, uint8_t kind, struct str name)
{
	uint64_t key = key_of(folder, dir, kind, name);
	uintptr_t n;

	turn(x, now_ms);
	n = (uintptr_t)hmap_get_u64(x->young, key);
	if (n == 0 && hmap_count(x->young) >= EXPECT_MAX)
		return;
	hmap_put_u64(x->young, key, (void *)(n + 1)); /* the map's value is the count itself */
}

static bool take_from(struct hmap *m, uint64_t key)
{
	uintptr_t n = hmap_count(m) ? (uintptr_t)hmap_get_u64(m, key) : 0;

	if (n == 0)
		return false;
	if (n == 1)
		hmap_del_u64(m, key);
	else
		hmap_put_u64(m, key, (void *)(n - 1));
	return true;
}

bool expect_take(struct expect *x, uint32_t folder, uint8_t dir, uint8_t kind, struct str name)
{
	uint64_t key = key_of(folder, dir, kind, name);

	return take_from(x->old, key) || take_from(x->young, key);
}

struct expect *expect_new(void)
{
	struct expect *x = xcalloc(1, sizeof *x);

	x->young = hmap_new();
	x->old = hmap_new();
	return x;
}

void expect_free(struct expect **xp)
{
	struct expect *x = *xp;

	if (!x)
		return;
	*xp = NULL;
	hmap_free(&x->young);
	hmap_free(&x->old);
	free(x);
}
