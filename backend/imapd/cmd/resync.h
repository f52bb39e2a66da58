/* SPDX-License-Identifier: Apache-2.0 */
/* resync: SELECT's QRESYNC parameter (RFC 7162 3.2.5): what changed since the client knew the folder. */
#pragma once
#include "backend/imapd/box/vanished.h"
#include "backend/imapd/cmd.h"

struct resync {
	uint32_t uidvalidity;
	uint64_t modseq;
	bool all; /* no set of known UIDs was given */
	struct imap_seqset known;
	struct imap_seqset seqs, uids; /* of messages whose numbers the client knows, pairwise */
	struct vanished gone;
	VEC(uint32_t) changed;
	size_t told; /* of changed */
};
/* "67890007 20050715 41,43:211 (1,5 41,49)"; false: not the grammar. */
bool resync_parse(struct resync *r, const struct imap_arg *a);
/* v was opened just now, and its facts are told. */
void resync_begin(struct resync *r, const struct view *v);
/* Writes what there is to say. CMD_DONE: all of it. */
enum cmd_next resync_run(struct resync *r, struct cmd *cmd, struct view *v);
void resync_free(struct resync *r);
