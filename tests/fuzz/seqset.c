/* SPDX-License-Identifier: Apache-2.0 */
/* Sequence sets: a resolved set is sorted and apart, prints to itself, and agrees with its own
 * search. */
#include "common/base/ensure.h"
#include "common/imap/imapdate.h"
#include "common/imap/listmatch.h"
#include "common/imap/seqset.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_members(const struct imap_seqset *s)
{
	for (size_t i = 0; i < s->n; i++) {
		struct imap_range r = s->a[i];
		ASSERT(r.lo > 0 && r.lo <= r.hi);
		ASSERT(i == 0 || (uint64_t)s->a[i - 1].hi + 1 < r.lo);
		ASSERT(imap_seqset_has(s, r.lo) && imap_seqset_has(s, r.hi));
		ASSERT(r.hi == UINT32_MAX || !imap_seqset_has(s, r.hi + 1));
	}
}

static void sets(struct str in, uint32_t max)
{
	struct imap_seqset s = IMAP_SEQSET_INIT, again = IMAP_SEQSET_INIT;
	struct buf first = BUF_INIT, second = BUF_INIT;

	if (imap_seqset_parse(&s, in, 50)) {
		imap_seqset_resolve(&s, max);
		check_members(&s);
		imap_seqset_put(&first, &s);
		if (s.n) {
			ASSERT(imap_seqset_parse(&again, buf_str(&first), 50));
			imap_seqset_resolve(&again, 0);
			imap_seqset_put(&second, &again);
			ASSERT(str_eq(buf_str(&first), buf_str(&second)));
		}
	}
	imap_seqset_deinit(&s);
	imap_seqset_deinit(&again);
	buf_deinit(&first);
	buf_deinit(&second);
}

/* Two sets, apart by a line end: what both hold, and what only the first does. */
static void two_sets(struct str in, uint32_t max)
{
	struct imap_seqset a = IMAP_SEQSET_INIT, b = IMAP_SEQSET_INIT, both = IMAP_SEQSET_INIT,
			   rest = IMAP_SEQSET_INIT;
	struct str second = in, first = str_split(&second, '\n');

	if (second.p && imap_seqset_parse(&a, first, 50) && imap_seqset_parse(&b, second, 50)) {
		imap_seqset_resolve(&a, max);
		imap_seqset_resolve(&b, max);
		imap_seqset_both(&both, &a, &b);
		imap_seqset_without(&rest, &a, &b);
		check_members(&both);
		check_members(&rest);
		ASSERT(imap_seqset_count(&both) + imap_seqset_count(&rest) ==
		       imap_seqset_count(&a));
		for (size_t i = 0; i < both.n; i++)
			ASSERT(imap_seqset_has(&a, both.a[i].lo) &&
			       imap_seqset_has(&b, both.a[i].hi));
		for (size_t i = 0; i < rest.n; i++)
			ASSERT(imap_seqset_has(&a, rest.a[i].lo) &&
			       !imap_seqset_has(&b, rest.a[i].lo) &&
			       !imap_seqset_has(&b, rest.a[i].hi));
	}
	imap_seqset_deinit(&a);
	imap_seqset_deinit(&b);
	imap_seqset_deinit(&both);
	imap_seqset_deinit(&rest);
}

static void dates(struct str in)
{
	struct buf out = BUF_INIT;
	int64_t utc, again;
	int zone, zone2;

	if (imap_datetime_parse(in, &utc, &zone)) {
		imap_datetime_put(&out, utc, zone);
		ASSERT(imap_datetime_parse(str_sub(buf_str(&out), 1, out.n - 2), &again, &zone2));
		ASSERT(zone == zone2);
		/* at both ends of the years what lies outside is clamped */
		ASSERT(utc == again || utc < -2208988800 + 86400 || utc > 253402300799 - 86400);
	}
	imap_date_parse(in, &utc);
	buf_deinit(&out);
}

/* The slow and plain matcher, for short patterns. */
static bool matches(struct str pattern, struct str name)
{
	if (pattern.n == 0)
		return name.n == 0;
	if (pattern.p[0] != '*' && pattern.p[0] != '%')
		return name.n && name.p[0] == pattern.p[0] &&
		       matches(str_from(pattern, 1), str_from(name, 1));
	for (size_t i = 0;; i++) {
		if (matches(str_from(pattern, 1), str_from(name, i)))
			return true;
		if (i == name.n || (pattern.p[0] == '%' && name.p[i] == '.'))
			return false;
	}
}

static void patterns(struct str in)
{
	struct imap_pattern p;
	struct str rest = in, pattern = str_split(&rest, '\n');

	if (!rest.p || pattern.n > 12 || rest.n > 24 || str_istarts(rest, STR("INBOX")))
		return;
	ASSERT(imap_pattern_init(&p, STR_NONE, pattern, '.'));
	ASSERT((imap_pattern_match(&p, rest) == IMAP_LISTMATCH_YES) == matches(pattern, rest));
	imap_pattern_deinit(&p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in;

	if (size < 1)
		return 0;
	in = str_mem(data + 1, size - 1);
	sets(in, data[0] % 16);
	two_sets(in, data[0] % 16);
	dates(in);
	patterns(in);
	return 0;
}
