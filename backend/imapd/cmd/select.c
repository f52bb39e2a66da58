/* SPDX-License-Identifier: Apache-2.0 */
/* SELECT and EXAMINE: replies in Courier's order and words (R29), with UNSEEN and UIDNEXT. */
#include "backend/imapd/box/view.h"
#include "backend/imapd/cmd/commands.h"
#include "backend/imapd/cmd/resync.h"
#include "common/imap/args.h"

struct selecting {
	struct view *view; /* until it is the client's */
	struct resync resync;
	bool has_resync;
};

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
	if (cmd->c->condstore)
		buf_printf(out, "* OK [HIGHESTMODSEQ %llu] Ok\r\n", (unsigned long long)f->modseq);
}

static void on_free(struct cmd *cmd)
{
	struct selecting *s = cmd->state;

	view_close(&s->view);
	resync_free(&s->resync);
}

static enum cmd_next finish(struct cmd *cmd)
{
	struct view *v = cmd->c->view;

	return cmd_ok(cmd, view_writable(v) ? "[READ-WRITE] Ok" : "[READ-ONLY] Ok");
}

static enum cmd_next tell_changes(struct cmd *cmd)
{
	struct selecting *s = cmd->state;
	enum cmd_next next = resync_run(&s->resync, cmd, cmd->c->view);

	return next == CMD_DONE ? finish(cmd) : next;
}

static enum cmd_next answer(struct cmd *cmd)
{
	struct selecting *s = cmd->state;
	struct view *v = s->view;

	if (!v)
		return cmd_fault(cmd, &cmd->result);
	put_facts(cmd, v);
	s->view = NULL;
	client_select(cmd->c, v);
	if (cmd->c->condstore)
		view_told_highest(v, view_folder(v)->modseq);
	if (!s->has_resync)
		return finish(cmd);
	resync_begin(&s->resync, v);
	cmd->run = tell_changes;
	return tell_changes(cmd);
}

static void on_open(void *ctx, const struct store_result *r, struct view *v)
{
	struct cmd *cmd = ctx;

	if (!cmd_back(cmd)) {
		view_close(&v);
		return;
	}
	((struct selecting *)cmd->state)->view = v;
	cmd->result = *r;
	cmd_wake(cmd);
}

/* "(CONDSTORE)", "(QRESYNC (...))"; false: BAD was said. */
static bool take_params(struct cmd *cmd, const struct imap_arg *a, struct selecting *s)
{
	const struct imap_arg *args;
	bool condstore = false;

	while (!imap_arg_end(a)) {
		if (!condstore && imap_arg_word(&a, "CONDSTORE")) {
			condstore = true;
		} else if (!s->has_resync && imap_arg_word(&a, "QRESYNC") &&
			   imap_arg_list(&a, &args) && resync_parse(&s->resync, args)) {
			s->has_resync = true;
		} else {
			cmd_bad(cmd, "Invalid parameter to %s", cmd->row->name);
			return false;
		}
	}
	if (s->has_resync && !cmd->c->qresync) {
		cmd_bad(cmd, "QRESYNC isn't enabled");
		return false;
	}
	if (condstore)
		client_enable(cmd->c, false);
	return true;
}

/* The folder that was selected is left in any case (RFC 3501 6.3.1), and the client is told where the answers
 * about it end (RFC 7162 3.2.11). */
static enum cmd_next open_folder(struct cmd *cmd, bool writable)
{
	const struct imap_arg *a = cmd->args, *params;
	struct view_opts o = {.writable = writable, .keywords = cmd->im->set->imap_keywords};
	struct selecting *s = cmd->state = arena_new(&cmd->arena, struct selecting);

	cmd->on_free = on_free;
	if (cmd->c->view) {
		client_unselect(cmd->c);
		buf_puts(cmd_out(cmd), "* OK [CLOSED] Ok\r\n");
	}
	if (!cmd_take_mailbox(cmd, &a, &o.name))
		return CMD_DONE;
	if (imap_arg_list(&a, &params)) {
		if (imap_arg_end(params) || !imap_arg_end(a))
			return cmd_bad(cmd, "Invalid parameters to %s", cmd->row->name);
		if (!take_params(cmd, params, s))
			return CMD_DONE;
	}
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
