/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/store/index.h"

#include "backend/store/store.h"
#include "common/base/ensure.h"
#include "common/base/hmap.h"

#define REMOVED UINT32_MAX

static void insert(struct index *x, uint64_t hash, uint32_t uid)
{
	size_t i = hash & (x->cap - 1);

	while (x->slots[i].uid && x->slots[i].uid != REMOVED)
		i = (i + 1) & (x->cap - 1);
	if (!x->slots[i].uid)
		x->used++;
	x->slots[i] = (struct index_slot){(uint32_t)(hash >> 32), uid};
}

/* Slot of base, or SIZE_MAX. */
static size_t lookup(const struct index *x, const struct folder *f, struct str base, size_t *at)
{
	uint64_t hash = hash_bytes(base);

	for (size_t i = hash & (x->cap - 1); x->slots[i].uid; i = (i + 1) & (x->cap - 1)) {
		if (x->slots[i].uid == REMOVED || x->slots[i].tag != (uint32_t)(hash >> 32))
			continue;
		*at = folder_find(f, x->slots[i].uid);
		if (*at < f->msgs.n && f->msgs.a[*at].uid == x->slots[i].uid &&
		    str_eq(str_c(f->msgs.a[*at].base), base))
			return i;
	}
	return SIZE_MAX;
}

static void make(struct index *x, size_t want)
{
	x->cap = 64;
	while (x->cap < want * 2)
		x->cap *= 2;
	x->slots = xcalloc(x->cap, sizeof *x->slots);
	x->used = 0;
}

void index_build(struct index *x, const struct folder *f)
{
	index_free(x);
	make(x, f->msgs.n + f->msgs.n / 4 + 16);
	for (size_t i = 0; i < f->msgs.n; i++) {
		struct str base = str_c(f->msgs.a[i].base);
		size_t at;
		if (!(f->msgs.a[i].state & MSG_EXPUNGED) && lookup(x, f, base, &at) == SIZE_MAX)
			insert(x, hash_bytes(base), f->msgs.a[i].uid);
	}
}

void index_free(struct index *x)
{
	free(x->slots);
	*x = (struct index){0};
}

size_t index_find(const struct index *x, const struct folder *f, struct str base)
{
	size_t at;

	ASSERT(x->slots);
	return lookup(x, f, base, &at) == SIZE_MAX ? SIZE_MAX : at;
}

void index_add(struct index *x, const struct folder *f, struct str base, uint32_t uid)
{
	if (!x->slots)
		return;
	if ((x->used + 1) * 4 > x->cap * 3) {
		index_build(x, f);
		return; /* the new message is in the table already */
	}
	insert(x, hash_bytes(base), uid);
}

void index_remove(struct index *x, const struct folder *f, struct str base)
{
	size_t at, i;

	if (!x->slots)
		return;
	i = lookup(x, f, base, &at);
	if (i != SIZE_MAX)
		x->slots[i].uid = REMOVED;
}
