/* SPDX-License-Identifier: Apache-2.0 */
/* Records of the folder's journal: what is read is written back and read the same; a damaged run ends where
 * journal_valid says. */
#include "backend/store/disk_int.h"
#include "common/base/ensure.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool same(const struct rec *a, const struct rec *b)
{
	return a->type == b->type && a->uid == b->uid && a->modseq == b->modseq && str_eq(a->base, b->base) &&
	       str_eq(a->extra, b->extra) && a->flags == b->flags && a->in_new == b->in_new &&
	       a->internaldate == b->internaldate && a->savedate == b->savedate && a->size == b->size &&
	       a->wire == b->wire && str_eq(a->emailid, b->emailid) && a->add == b->add && a->del == b->del &&
	       a->nadd == b->nadd && a->ndel == b->ndel &&
	       !memcmp(a->kw_add, b->kw_add, a->nadd * sizeof *a->kw_add) &&
	       !memcmp(a->kw_del, b->kw_del, a->ndel * sizeof *a->kw_del) && a->kw == b->kw &&
	       str_eq(a->keyword, b->keyword) && a->uidnext == b->uidnext;
}

static void check(const struct rec *r)
{
	struct buf b = BUF_INIT;
	struct rec again;

	ASSERT(r->nadd <= REC_KW_MAX && r->ndel <= REC_KW_MAX);
	if (r->type == REC_ADD)
		ASSERT(r->uid && r->base.n && r->base.n <= 255 && !str_has_nul(r->base) &&
		       str_find(r->base, '/') == r->base.n);
	rec_put(&b, r);
	struct str s = buf_str(&b);
	ASSERT(rec_get(&s, &again) == 1 && s.n == 0 && same(r, &again));
	buf_deinit(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_mem(data, size), s = in;
	struct rec r;
	bool torn;
	int rc;

	while ((rc = rec_get(&s, &r)) == 1)
		check(&r);
	ASSERT(rc == 0 ? s.n == 0 : s.n > 0);
	ASSERT(journal_valid(in, &torn) == in.n - s.n);
	ASSERT(!torn || rc < 0);
	return 0;
}
