/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/imapd/box/vanished.h"

enum { LINE_RANGES = 500 }; /* lines that any client's buffer holds */

static void note(void *ctx, uint32_t lo, uint32_t hi)
{
	imap_seqset_add(ctx, lo, hi);
}

void vanished_find(struct vanished *x, const struct view *v, uint64_t since,
		   const struct imap_seqset *known, uint32_t known_to)
{
	struct folder *f = view_folder(v);
	struct imap_seqset gone = IMAP_SEQSET_INIT, asked = IMAP_SEQSET_INIT,
			   counted = IMAP_SEQSET_INIT;

	folder_vanished_since(f, since, note, &gone);
	imap_seqset_resolve(&gone, 0);
	imap_seqset_both(&asked, &gone, known);
	if (known_to)
		imap_seqset_add(&counted, 1, known_to);
	vec_foreach(uid, &f->tombs)
		if (view_seq_of_uid(v, *uid))
			imap_seqset_add(&counted, *uid, *uid);
	imap_seqset_resolve(&counted, 0);
	*x = (struct vanished){.set = IMAP_SEQSET_INIT};
	imap_seqset_without(&x->set, &asked, &counted);
	imap_seqset_deinit(&gone);
	imap_seqset_deinit(&asked);
	imap_seqset_deinit(&counted);
}

bool vanished_put(struct vanished *x, struct buf *out)
{
	struct imap_seqset line = {x->set.a + x->told, x->set.n - x->told, 0};

	if (line.n == 0)
		return false;
	if (line.n > LINE_RANGES)
		line.n = LINE_RANGES;
	buf_puts(out, "* VANISHED (EARLIER) ");
	imap_seqset_put(out, &line);
	buf_puts(out, "\r\n");
	x->told += line.n;
	return true;
}

void vanished_free(struct vanished *x)
{
	imap_seqset_deinit(&x->set);
}
