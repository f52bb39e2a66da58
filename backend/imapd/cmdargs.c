/* SPDX-License-Identifier: Apache-2.0 */
/* Arguments that several commands take. */
#include "backend/imapd/box/view.h"
#include "backend/imapd/cmd.h"
#include "common/imap/args.h"
#include "common/imap/limits.h"
#include "common/imap/mutf7.h"
#include "common/imap/reply.h"
#include "common/imap/seqset.h"

static void resolve_uids(struct cmd *cmd, const struct imap_seqset *set, struct uids *out)
{
	const struct folder *f = view_folder(cmd->view);
	uint32_t max = view_max_uid(cmd->view);
	size_t room = 0;

	for (size_t r = 0; r < set->n; r++) {
		if (set->a[r].lo <= max)
			room += folder_find(f, set->a[r].hi < max ? set->a[r].hi + 1 : max) -
				folder_find(f, set->a[r].lo) + 1;
	}
	out->a = arena_array(&cmd->arena, uint32_t, room);
	for (size_t r = 0; r < set->n && set->a[r].lo <= max; r++) {
		for (size_t i = folder_find(f, set->a[r].lo); i < f->msgs.n; i++) {
			if (f->msgs.a[i].uid > set->a[r].hi || f->msgs.a[i].uid > max)
				break;
			if (view_seq(cmd->view, i))
				out->a[out->n++] = f->msgs.a[i].uid;
		}
	}
}

/* Consecutive numbers are walked, so that a whole folder costs a step a message. */
static void resolve_seqs(struct cmd *cmd, const struct imap_seqset *set, struct uids *out)
{
	const struct folder *f = view_folder(cmd->view);
	uint32_t exists = view_exists(cmd->view);
	uint64_t room = 0;

	for (size_t r = 0; r < set->n && set->a[r].lo <= exists; r++)
		room += (set->a[r].hi < exists ? set->a[r].hi : exists) - set->a[r].lo + 1;
	out->a = arena_array(&cmd->arena, uint32_t, room);
	for (size_t r = 0; r < set->n && set->a[r].lo <= exists; r++) {
		uint32_t seq = set->a[r].lo, hi = set->a[r].hi < exists ? set->a[r].hi : exists;
		size_t index = view_index(cmd->view, seq);

		do {
			out->a[out->n++] = f->msgs.a[index].uid;
		} while (seq < hi && view_next(cmd->view, &seq, &index));
	}
}

/* '*' becomes a number; false: one beyond the last message, and BAD was said. */
static bool resolve(struct cmd *cmd, struct imap_seqset *set)
{
	imap_seqset_resolve(set, cmd->uid ? view_max_uid(cmd->view) : view_exists(cmd->view));
	if (cmd->uid || imap_seqset_max(set) <= view_exists(cmd->view))
		return true;
	cmd_bad(cmd, "Invalid message sequence number");
	return false;
}

bool cmd_parse_set(struct cmd *cmd, const struct imap_arg **a, struct imap_seqset *set)
{
	struct str text;

	if (imap_arg_atom(a, &text) && imap_seqset_parse(set, text, IMAP_SEQSET_RANGES))
		return true;
	cmd_bad(cmd, "Invalid message set");
	return false;
}

bool cmd_resolve_set(struct cmd *cmd, struct imap_seqset *set, struct uids *out)
{
	*out = (struct uids){NULL, 0};
	if (!resolve(cmd, set))
		return false;
	if (cmd->uid)
		resolve_uids(cmd, set, out);
	else
		resolve_seqs(cmd, set, out);
	return true;
}

bool cmd_take_set(struct cmd *cmd, const struct imap_arg **a, struct uids *out)
{
	struct imap_seqset set = IMAP_SEQSET_INIT;
	bool ok = cmd_parse_set(cmd, a, &set) && cmd_resolve_set(cmd, &set, out);

	imap_seqset_deinit(&set);
	return ok;
}

struct changed {
	struct cmd *cmd;
	const struct imap_seqset *set;
	VEC(uint32_t) uids;
};

static void note_changed(void *ctx, size_t index)
{
	struct changed *c = ctx;
	uint32_t uid = view_folder(c->cmd->view)->msgs.a[index].uid,
		 seq = view_seq(c->cmd->view, index);

	if (seq && imap_seqset_has(c->set, c->cmd->uid ? uid : seq))
		*vec_push(&c->uids) = uid;
}

bool cmd_resolve_changed(struct cmd *cmd, struct imap_seqset *set, uint64_t since, struct uids *out)
{
	struct changed c = {.cmd = cmd, .set = set};

	*out = (struct uids){NULL, 0};
	if (!resolve(cmd, set))
		return false;
	folder_changed_since(view_folder(cmd->view), since, note_changed, &c);
	out->a = arena_array(&cmd->arena, uint32_t, c.uids.n);
	out->n = c.uids.n;
	if (out->n)
		memcpy(out->a, c.uids.a, out->n * sizeof *out->a);
	vec_free(&c.uids);
	return true;
}

bool cmd_take_mailbox(struct cmd *cmd, const struct imap_arg **a, struct str *name)
{
	struct buf utf8 = BUF_INIT;
	struct str wire;
	struct err e;
	bool ok;

	if (!imap_arg_mailbox(a, &wire)) {
		cmd_bad(cmd, "Mailbox name expected");
		return false;
	}
	ok = mutf7_decode(&utf8, wire);
	*name = arena_str(&cmd->arena, buf_str(&utf8));
	buf_deinit(&utf8);
	if (!ok)
		cmd_no(cmd, "[CANNOT] Mailbox name is not valid modified UTF-7");
	else if (store_name_check(cmd->im->store, *name, &e) != STORE_OK)
		cmd_no(cmd, "[CANNOT] %s", e.text);
	return cmd->reply == NULL;
}

void cmd_put_mailbox(struct buf *out, struct str name)
{
	struct buf wire = BUF_INIT;

	if (!mutf7_encode(&wire, name))
		buf_str_put(&wire, name); /* the store gives valid names only */
	imap_put_mailbox(out, buf_str(&wire));
	buf_deinit(&wire);
}
