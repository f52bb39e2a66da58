/* SPDX-License-Identifier: Apache-2.0 */
/* vanished: which messages went while the client was away: VANISHED (EARLIER) of RFC 7162. */
#pragma once
#include "backend/imapd/box/view.h"
#include "common/imap/seqset.h"

struct vanished {
	struct imap_seqset set;
	size_t told; /* ranges */
};
/*
 * The UIDs among known (resolved) that went after modseq since. Not among them: those of which the client will
 * hear by VANISHED without EARLIER, since it counts them still; and UIDs up to known_to.
 */
void vanished_find(struct vanished *x, const struct view *v, uint64_t since,
		   const struct imap_seqset *known, uint32_t known_to);
bool vanished_put(struct vanished *x, struct buf *out); /* a line; false: there are no more */
void vanished_free(struct vanished *x);
