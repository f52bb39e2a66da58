/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/imapd/box/view.h"
#include "backend/imapd/cmd/commands.h"
#include "common/imap/args.h"
#include "common/imap/flags.h"

struct store_state {
	struct uids uids;
	size_t told;
	bool silent;
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

/* The message's flags as they are now: for each message named, changed or not. */
static void tell(struct cmd *cmd, uint32_t uid)
{
	struct folder *f = view_folder(cmd->view);
	size_t index = folder_find(f, uid);
	uint32_t seq = view_seq_of_uid(cmd->view, uid);
	struct buf *out = cmd_out(cmd);

	if (!seq || (f->msgs.a[index].state & MSG_EXPUNGED))
		return;
	buf_printf(out, "* %u FETCH (", seq);
	if (cmd->uid)
		buf_printf(out, "UID %u ", uid);
	buf_puts(out, "FLAGS ");
	view_put_flags(cmd->view, &f->msgs.a[index], out);
	buf_puts(out, ")\r\n");
	view_flags_told(cmd->view, uid);
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
	while (!s->silent && s->told < s->uids.n) {
		if (cmd_full(cmd))
			return CMD_FULL;
		if ((s->told & 63) == 63 && cmd_tired(cmd)) {
			tell(cmd, s->uids.a[s->told++]);
			return CMD_YIELD;
		}
		tell(cmd, s->uids.a[s->told++]);
	}
	return cmd_result(cmd, "STORE completed.");
}

enum cmd_next store_start(struct cmd *cmd)
{
	const struct settings *set = cmd->im->set;
	const struct imap_arg *a = cmd->args;
	struct store_state *s = cmd->state = arena_new(&cmd->arena, struct store_state);
	struct imap_flag_list flags;
	struct flags_request q;
	enum flags_mode mode;

	if (!cmd_take_set(cmd, &a, &s->uids))
		return CMD_DONE;
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
	if (!view_writable(cmd->view))
		return cmd_no(cmd, "Mailbox is read-only");
	if (flags.nkeywords && !set->imap_keywords && mode != FLAGS_REMOVE)
		return cmd_no(cmd, "[LIMIT] Keywords are turned off");
	if (s->uids.n == 0)
		return cmd_ok(cmd, "STORE completed.");
	q = (struct flags_request){.uids = s->uids.a,
				   .n = s->uids.n,
				   .mode = mode,
				   .flags = (uint8_t)flags.flags,
				   .keywords = flags.keywords,
				   .nkeywords = flags.nkeywords,
				   .origin = cmd->view,
				   .silent = s->silent};
	cmd_wait(cmd);
	folder_flags(view_folder(cmd->view), &q, cmd_stored, cmd);
	return cmd_then(cmd, answer, CMD_WAIT);
}
