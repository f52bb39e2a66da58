/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/imapd/box/view.h"
#include "backend/imapd/cmd/commands.h"
#include "common/imap/args.h"
#include "common/imap/flags.h"
#include "common/imap/seqset.h"

struct store_state {
	struct uids uids;
	struct uids modified; /* left alone, since they had changed (UNCHANGEDSINCE) */
	size_t told, at;      /* at: of modified */
	uint64_t before;      /* the folder's modseq when it began */
	bool silent, conditional;
};

static bool take_item(const struct imap_arg **a, enum flags_mode *mode, bool *silent)
{
	struct str item;

	if (!imap_arg_atom(a, &item) || item.n == 0)
		return false;
	*mode = FLAGS_SET;
	if (item.p[0] == '+' || item.p[0] == '-') {
		*mode = item.p[0] == '+' ? FLAGS_ADD : FLAGS_REMOVE;
		item = str_from(item, 1);
	}
	*silent = str_ieq(item, STR("FLAGS.SILENT"));
	return *silent || str_ieq(item, STR("FLAGS"));
}

static bool take_modifiers(const struct imap_arg **a, struct flags_request *q, bool *conditional)
{
	const struct imap_arg *m;

	*conditional = imap_arg_list(a, &m);
	return !*conditional || (imap_arg_word(&m, "UNCHANGEDSINCE") &&
				 imap_arg_number64(&m, &q->unchanged_since) && imap_arg_end(m));
}

static bool was_modified(struct store_state *s, uint32_t uid)
{
	while (s->at < s->modified.n && s->modified.a[s->at] < uid)
		s->at++;
	return s->at < s->modified.n && s->modified.a[s->at] == uid;
}

/*
 * The message's flags as they are now: for each message named, changed or not. With .SILENT a client that keeps
 * modseqs is told the new ones, and of messages that were left alone, why (RFC 7162 3.1.3).
 */
static void tell(struct cmd *cmd, uint32_t uid)
{
	struct store_state *s = cmd->state;
	struct folder *f = view_folder(cmd->view);
	size_t index = folder_find(f, uid);
	uint32_t seq = view_seq_of_uid(cmd->view, uid);
	bool flags = !s->silent || was_modified(s, uid);
	const struct msg *m;

	if (!seq || (f->msgs.a[index].state & MSG_EXPUNGED))
		return;
	m = &f->msgs.a[index];
	if (!flags && !s->conditional && m->modseq <= s->before)
		return;
	view_put_news(cmd->view, m, seq, cmd->uid, flags);
	if (flags)
		view_flags_told(cmd->view, uid);
}

static enum cmd_next end_modified(struct cmd *cmd)
{
	struct store_state *s = cmd->state;
	struct imap_seqset set = IMAP_SEQSET_INIT;
	struct buf b = BUF_INIT;

	for (size_t i = 0; i < s->modified.n; i++) {
		uint32_t uid = s->modified.a[i],
			 n = cmd->uid ? uid : view_seq_of_uid(cmd->view, uid);

		if (n)
			imap_seqset_add(&set, n, n);
	}
	buf_puts(&b, "[MODIFIED ");
	imap_seqset_put(&b, &set);
	buf_puts(&b, cmd->result.code == STORE_OK ? "] Conditional STORE failed."
						  : "] Some of the messages no longer exist.");
	if (cmd->result.code == STORE_OK)
		cmd_ok_long(cmd, buf_str(&b));
	else
		cmd_no_long(cmd, buf_str(&b));
	imap_seqset_deinit(&set);
	buf_deinit(&b);
	return CMD_DONE;
}

/* A message that is gone fails STORE by number (RFC 2180 4.2.2); a UID that isn't there is no error. */
static enum cmd_next answer(struct cmd *cmd)
{
	struct store_state *s = cmd->state;

	if (cmd->result.code == STORE_EXPUNGED && cmd->uid)
		cmd->result.code = STORE_OK;
	if (cmd->result.code != STORE_OK && cmd->result.code != STORE_EXPUNGED)
		return cmd_fault(cmd, &cmd->result);
	view_tell_keywords(cmd->view);
	while ((!s->silent || cmd->c->condstore) && s->told < s->uids.n) {
		if (cmd_full(cmd))
			return CMD_FULL;
		if ((s->told & 63) == 63 && cmd_tired(cmd)) {
			tell(cmd, s->uids.a[s->told++]);
			return CMD_YIELD;
		}
		tell(cmd, s->uids.a[s->told++]);
	}
	return s->modified.n ? end_modified(cmd) : cmd_result(cmd, "STORE completed.");
}

static void on_modified(void *ctx, const uint32_t *uids, size_t n)
{
	struct cmd *cmd = ctx;
	struct store_state *s = cmd->state;

	s->modified.a = arena_array(&cmd->arena, uint32_t, n);
	memcpy(s->modified.a, uids, n * sizeof *uids);
	s->modified.n = n;
}

enum cmd_next store_start(struct cmd *cmd)
{
	const struct settings *set = cmd->im->set;
	const struct imap_arg *a = cmd->args;
	struct store_state *s = cmd->state = arena_new(&cmd->arena, struct store_state);
	struct imap_flag_list flags;
	struct flags_request q = {0};
	enum flags_mode mode;

	if (!cmd_take_set(cmd, &a, &s->uids))
		return CMD_DONE;
	if (!take_modifiers(&a, &q, &s->conditional))
		return cmd_bad(cmd, "Invalid STORE modifier");
	if (!take_item(&a, &mode, &s->silent))
		return cmd_bad(cmd, "Invalid STORE item");
	switch (imap_flags_take(&a, &cmd->arena, set->imap_keywords_max, set->imap_keyword_len,
				&flags)) {
	case IMAP_FLAGS_OK:
		break;
	case IMAP_FLAGS_LIMIT:
		return cmd_no(cmd, "[LIMIT] Too many or too long keywords");
	default:
		return cmd_bad(cmd, "Invalid flags");
	}
	if (!imap_arg_end(a))
		return cmd_bad(cmd, "Invalid arguments to STORE");
	if (s->conditional)
		client_enable(cmd->c, false);
	if (!view_writable(cmd->view))
		return cmd_no(cmd, "Mailbox is read-only");
	if (flags.nkeywords && !set->imap_keywords && mode != FLAGS_REMOVE)
		return cmd_no(cmd, "[LIMIT] Keywords are turned off");
	if (s->uids.n == 0)
		return cmd_ok(cmd, "STORE completed.");
	s->before = view_folder(cmd->view)->modseq;
	q = (struct flags_request){.uids = s->uids.a,
				   .n = s->uids.n,
				   .mode = mode,
				   .flags = (uint8_t)flags.flags,
				   .keywords = flags.keywords,
				   .nkeywords = flags.nkeywords,
				   .origin = cmd->view,
				   .silent = s->silent,
				   .unchanged_since = q.unchanged_since,
				   .modified = s->conditional ? on_modified : NULL};
	cmd_wait(cmd);
	folder_flags(view_folder(cmd->view), &q, cmd_stored, cmd);
	return cmd_then(cmd, answer, CMD_WAIT);
}
