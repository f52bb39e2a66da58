/* SPDX-License-Identifier: Apache-2.0 */
/* SELECT and EXAMINE: replies in Courier's order and words (R29), with UNSEEN and UIDNEXT. */
#include "backend/imapd/box/view.h"
#include "backend/imapd/cmd/commands.h"
#include "common/imap/args.h"

static void put_facts(struct cmd *cmd, const struct view *v)
{
	const struct folder *f = view_folder(v);
	struct buf *out = cmd_out(cmd);
	uint32_t unseen = view_unseen(v);

	buf_puts(out, "* FLAGS ");
	view_put_flag_list(v, false, out);
	if (view_writable(v)) {
		buf_puts(out, "\r\n* OK [PERMANENTFLAGS ");
		view_put_flag_list(v, true, out);
		buf_puts(out, "] Limited\r\n");
	} else {
		buf_puts(out, "\r\n* OK [PERMANENTFLAGS ()] No permanent flags permitted\r\n");
	}
	buf_printf(out, "* %u EXISTS\r\n* %u RECENT\r\n", view_exists(v), view_recent(v));
	buf_printf(out, "* OK [UIDVALIDITY %u] Ok\r\n", f->uidvalidity);
	buf_printf(out, "* OK [UIDNEXT %u] Ok\r\n", f->uidnext);
	if (unseen)
		buf_printf(out, "* OK [UNSEEN %u] Ok\r\n", unseen);
}

static enum cmd_next answer(struct cmd *cmd)
{
	struct view *v = cmd->state;

	if (!v)
		return cmd_fault(cmd, &cmd->result);
	put_facts(cmd, v);
	client_select(cmd->c, v);
	return cmd_ok(cmd, view_writable(v) ? "[READ-WRITE] Ok" : "[READ-ONLY] Ok");
}

static void on_open(void *ctx, const struct store_result *r, struct view *v)
{
	struct cmd *cmd = ctx;

	if (!cmd_back(cmd)) {
		view_close(&v);
		return;
	}
	cmd->state = v;
	cmd->result = *r;
	cmd_wake(cmd);
}

/* The folder that was selected is left in any case (RFC 3501 6.3.1). */
static enum cmd_next open_folder(struct cmd *cmd, bool writable)
{
	const struct imap_arg *a = cmd->args;
	struct view_opts o = {.writable = writable, .keywords = cmd->im->set->imap_keywords};

	if (cmd->c->view)
		client_unselect(cmd->c);
	if (!cmd_take_mailbox(cmd, &a, &o.name))
		return CMD_DONE;
	if (!imap_arg_end(a))
		return cmd_bad(cmd, "%s takes one mailbox name", cmd->row->name);
	cmd_wait(cmd);
	view_open(cmd->im->store, &o, on_open, cmd);
	return cmd_then(cmd, answer, CMD_WAIT);
}

enum cmd_next select_start(struct cmd *cmd)
{
	return open_folder(cmd, true);
}

enum cmd_next examine_start(struct cmd *cmd)
{
	return open_folder(cmd, false);
}
