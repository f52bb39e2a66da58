/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/imapd/cmd/resync.h"
#include "common/imap/args.h"
#include "common/imap/limits.h"

/* ---- the parameter ---------------------------------------------------------------------------- */

/* A set without '*'. */
static bool take_plain_set(const struct imap_arg **a, struct imap_seqset *set)
{
	struct str text;

	return imap_arg_atom(a, &text) && imap_seqset_parse(set, text, IMAP_SEQSET_RANGES) &&
	       !imap_seqset_stars(set);
}

static bool take_pairs(struct resync *r, const struct imap_arg *a)
{
	return take_plain_set(&a, &r->seqs) && take_plain_set(&a, &r->uids) && imap_arg_end(a) &&
	       imap_seqset_ascends(&r->seqs) && imap_seqset_ascends(&r->uids) &&
	       imap_seqset_count(&r->seqs) == imap_seqset_count(&r->uids);
}

bool resync_parse(struct resync *r, const struct imap_arg *a)
{
	const struct imap_arg *pairs;
	uint64_t validity;

	if (!imap_arg_number64(&a, &validity) || !validity || validity > UINT32_MAX ||
	    !imap_arg_number64(&a, &r->modseq)) /* 0: as in CHANGEDSINCE */
		return false;
	r->uidvalidity = (uint32_t)validity;
	r->all = imap_arg_end(a) || a->type == IMAP_ARG_LIST;
	if (!r->all && !take_plain_set(&a, &r->known))
		return false;
	return imap_arg_end(a) ||
	       (imap_arg_list(&a, &pairs) && take_pairs(r, pairs) && imap_arg_end(a));
}

/* ---- the answer ------------------------------------------------------------------------------- */

/* The highest UID up to which the client's list and ours are the same: as many messages before one that both
 * have under the same number, and UIDs only grow. */
static uint32_t known_to(const struct resync *r, const struct view *v)
{
	const struct folder *f = view_folder(v);
	uint32_t uid = 0, s = 0, u = 0;

	for (size_t i = 0, k = 0; i < r->seqs.n && k < r->uids.n;) {
		uint32_t seq = r->seqs.a[i].lo + s;

		if (seq > view_exists(v) ||
		    f->msgs.a[view_index(v, seq)].uid != r->uids.a[k].lo + u)
			break;
		uid = r->uids.a[k].lo + u;
		if (seq == r->seqs.a[i].hi) {
			i++;
			s = 0;
		} else {
			s++;
		}
		if (uid == r->uids.a[k].hi) {
			k++;
			u = 0;
		} else {
			u++;
		}
	}
	return uid;
}

struct picking {
	struct resync *r;
	const struct view *v;
};

static void pick(void *ctx, size_t index)
{
	struct picking *p = ctx;
	uint32_t uid = view_folder(p->v)->msgs.a[index].uid;

	if (view_seq(p->v, index) && imap_seqset_has(&p->r->known, uid))
		*vec_push(&p->r->changed) = uid;
}

void resync_begin(struct resync *r, const struct view *v)
{
	struct folder *f = view_folder(v);
	struct picking p = {r, v};

	if (f->uidvalidity != r->uidvalidity)
		return;
	if (r->all && f->uidnext > 1)
		imap_seqset_add(&r->known, 1, f->uidnext - 1);
	imap_seqset_resolve(&r->known, 0);
	vanished_find(&r->gone, v, r->modseq, &r->known, known_to(r, v));
	folder_changed_since(f, r->modseq, pick, &p);
}

static void tell(struct view *v, uint32_t uid)
{
	const struct folder *f = view_folder(v);
	size_t index = folder_find(f, uid);
	uint32_t seq = view_seq_of_uid(v, uid);

	if (!seq || (f->msgs.a[index].state & MSG_EXPUNGED))
		return; /* went meanwhile, which is told in its turn */
	view_put_news(v, &f->msgs.a[index], seq, true, true);
	view_flags_told(v, uid);
}

enum cmd_next resync_run(struct resync *r, struct cmd *cmd, struct view *v)
{
	do {
		if (cmd_full(cmd))
			return CMD_FULL;
	} while (vanished_put(&r->gone, cmd_out(cmd)));
	while (r->told < r->changed.n) {
		if (cmd_full(cmd))
			return CMD_FULL;
		tell(v, r->changed.a[r->told++]);
		if ((r->told & 63) == 0 && cmd_tired(cmd))
			return CMD_YIELD;
	}
	return CMD_DONE;
}

void resync_free(struct resync *r)
{
	imap_seqset_deinit(&r->known);
	imap_seqset_deinit(&r->seqs);
	imap_seqset_deinit(&r->uids);
	vanished_free(&r->gone);
	vec_free(&r->changed);
}
