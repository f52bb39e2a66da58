/* SPDX-License-Identifier: Apache-2.0 */
#include "common/imap/seqset.h"

#include "common/base/vec.h"

enum { STAR = 0 }; /* in a parsed set, before it is resolved */

/* seq-number = nz-number / "*" */
static bool seq_number(struct str s, uint32_t *out)
{
	if (str_eq(s, STR("*"))) {
		*out = STAR;
		return true;
	}
	return s.n <= 10 && str_u32(s, out) && *out != 0;
}

static bool seq_range(struct str s, struct imap_range *r)
{
	size_t colon = str_find(s, ':');

	if (!seq_number(str_sub(s, 0, colon), &r->lo))
		return false;
	if (colon < s.n)
		return seq_number(str_from(s, colon + 1), &r->hi);
	r->hi = r->lo;
	return true;
}

bool imap_seqset_parse(struct imap_seqset *s, struct str text, size_t max_ranges)
{
	struct str rest = text;

	if (text.n == 0)
		return false;
	while (rest.p != NULL) {
		struct imap_range r;
		if (s->n >= max_ranges || !seq_range(str_split(&rest, ','), &r)) {
			imap_seqset_deinit(s);
			return false;
		}
		*vec_push(s) = r;
	}
	return true;
}

bool imap_seqset_stars(const struct imap_seqset *s)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->a[i].lo == STAR || s->a[i].hi == STAR)
			return true;
	return false;
}

bool imap_seqset_ascends(const struct imap_seqset *s)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->a[i].lo > s->a[i].hi || (i && s->a[i].lo <= s->a[i - 1].hi))
			return false;
	return true;
}

uint64_t imap_seqset_count(const struct imap_seqset *s)
{
	uint64_t n = 0;

	for (size_t i = 0; i < s->n; i++)
		n += (uint64_t)(s->a[i].hi - s->a[i].lo) + 1;
	return n;
}

static int by_lo(const void *a, const void *b)
{
	uint32_t x = ((const struct imap_range *)a)->lo, y = ((const struct imap_range *)b)->lo;

	return x < y ? -1 : x > y;
}

/* Puts numbers for '*' and the smaller number in front; true where the order was right already. */
static bool replace_stars(struct imap_seqset *s, uint32_t max)
{
	bool sorted = true;
	size_t k = 0;

	for (size_t i = 0; i < s->n; i++) {
		struct imap_range r = s->a[i];
		if (max == 0 && (r.lo == STAR || r.hi == STAR))
			continue;
		r.lo = r.lo == STAR ? max : r.lo;
		r.hi = r.hi == STAR ? max : r.hi;
		if (r.lo > r.hi)
			r = (struct imap_range){r.hi, r.lo};
		sorted = sorted && (k == 0 || s->a[k - 1].lo <= r.lo);
		s->a[k++] = r;
	}
	s->n = k;
	return sorted;
}

void imap_seqset_resolve(struct imap_seqset *s, uint32_t max)
{
	size_t k = 0;

	if (!replace_stars(s, max))
		qsort(s->a, s->n, sizeof *s->a, by_lo);
	for (size_t i = 1; i < s->n; i++) {
		struct imap_range *last = &s->a[k], r = s->a[i];
		if (last->hi != UINT32_MAX && r.lo > last->hi + 1)
			s->a[++k] = r;
		else if (r.hi > last->hi)
			last->hi = r.hi;
	}
	s->n = s->n ? k + 1 : 0;
}

uint32_t imap_seqset_max(const struct imap_seqset *s)
{
	return s->n ? s->a[s->n - 1].hi : 0;
}

/* Index of the first range that ends at n or behind it. */
static size_t range_at(const struct imap_seqset *s, uint32_t n)
{
	size_t lo = 0, hi = s->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (s->a[mid].hi < n)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

bool imap_seqset_has(const struct imap_seqset *s, uint32_t n)
{
	size_t i = range_at(s, n);

	return i < s->n && s->a[i].lo <= n;
}

void imap_seqset_add(struct imap_seqset *s, uint32_t lo, uint32_t hi)
{
	struct imap_range *last = s->n ? &s->a[s->n - 1] : NULL;

	if (last && last->hi != UINT32_MAX && lo == last->hi + 1)
		last->hi = hi;
	else
		*vec_push(s) = (struct imap_range){lo, hi};
}

void imap_seqset_both(struct imap_seqset *out, const struct imap_seqset *a,
		      const struct imap_seqset *b)
{
	for (size_t i = 0, k = 0; i < a->n && k < b->n;) {
		uint32_t lo = a->a[i].lo > b->a[k].lo ? a->a[i].lo : b->a[k].lo;
		uint32_t hi = a->a[i].hi < b->a[k].hi ? a->a[i].hi : b->a[k].hi;
		if (lo <= hi)
			imap_seqset_add(out, lo, hi);
		if (a->a[i].hi < b->a[k].hi)
			i++;
		else
			k++;
	}
}

void imap_seqset_without(struct imap_seqset *out, const struct imap_seqset *a,
			 const struct imap_seqset *b)
{
	for (size_t i = 0, k = 0; i < a->n; i++) {
		uint64_t lo = a->a[i].lo; /* may pass the last number there is */
		while (k < b->n && b->a[k].hi < lo)
			k++;
		for (size_t c = k; c < b->n && b->a[c].lo <= a->a[i].hi; c++) {
			if (b->a[c].lo > lo)
				imap_seqset_add(out, (uint32_t)lo, b->a[c].lo - 1);
			lo = (uint64_t)b->a[c].hi + 1;
		}
		if (lo <= a->a[i].hi)
			imap_seqset_add(out, (uint32_t)lo, a->a[i].hi);
	}
}

void imap_seqset_put(struct buf *out, const struct imap_seqset *s)
{
	for (size_t i = 0; i < s->n; i++) {
		if (i)
			buf_putc(out, ',');
		buf_u64(out, s->a[i].lo);
		if (s->a[i].hi != s->a[i].lo) {
			buf_putc(out, ':');
			buf_u64(out, s->a[i].hi);
		}
	}
}

void imap_seqset_deinit(struct imap_seqset *s)
{
	vec_free(s);
}
