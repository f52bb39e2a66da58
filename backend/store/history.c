/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/store/history.h"

#include <string.h>

static uint64_t last_modseq(const struct history_range *r)
{
	return r->modseq + (r->hi - r->lo);
}

static void drop_oldest(struct history *h, size_t n)
{
	if (!n)
		return;
	h->floor = last_modseq(&h->a.a[n - 1]);
	memmove(h->a.a, h->a.a + n, (h->a.n - n) * sizeof *h->a.a);
	h->a.n -= n;
}

void history_add(struct history *h, const struct history_range *r, uint64_t max)
{
	struct history_range *last = h->a.n ? &h->a.a[h->a.n - 1] : NULL, add = *r;

	if (last && add.modseq < last_modseq(last))
		add.modseq = last_modseq(
			last); /* never so in a journal of ours; the search wants order */
	if (last && last->hi != UINT32_MAX && add.lo == last->hi + 1 &&
	    add.modseq == last_modseq(last) + 1) {
		last->hi = add.hi;
		return;
	}
	*vec_push(&h->a) = add;
	if (h->a.n > max + max / 4)
		drop_oldest(h, h->a.n - (size_t)max);
}

void history_forget(struct history *h, uint64_t modseq)
{
	size_t n = 0;

	if (modseq <= h->floor)
		return;
	while (n < h->a.n && last_modseq(&h->a.a[n]) <= modseq)
		n++;
	drop_oldest(h, n);
	h->floor = modseq;
}

bool history_since(const struct history *h, uint64_t since, history_fn *fn, void *ctx)
{
	size_t lo = 0, hi = h->a.n;

	if (since < h->floor)
		return false;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (last_modseq(&h->a.a[mid]) <= since)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (; lo < h->a.n; lo++) {
		const struct history_range *r = &h->a.a[lo];
		uint64_t skip = since >= r->modseq ? since - r->modseq + 1 : 0;
		fn(ctx, r->lo + (uint32_t)skip, r->hi);
	}
	return true;
}

void history_free(struct history *h)
{
	vec_free(&h->a);
	h->floor = 0;
}
