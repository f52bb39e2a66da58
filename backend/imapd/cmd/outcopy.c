/* SPDX-License-Identifier: Apache-2.0 */
/*
 * COPY and MOVE into the Outbox: one message after the other is sent. The first that isn't ends the
 * command: those before it were sent, and are in the Outbox; it and those behind it stay where they were.
 */
#include "backend/imapd/box/view.h"
#include "backend/imapd/cmd/commands.h"
#include "backend/imapd/outbox.h"
#include "common/imap/seqset.h"

struct outcopy {
	struct cmd *cmd;
	bool move;
	struct uids set;
	size_t at; /* the one at hand */
	struct str to;
	struct outbox_item *it;
	struct outbox_sent last;
	bool stopped, unknown;
	uint32_t *from, *made; /* pairs, n of them; made 0: it comes later */
	size_t n;
	uint32_t uidvalidity;
};

static void on_free(struct cmd *cmd)
{
	struct outcopy *c = cmd->state;

	if (c->it)
		outbox_drop(cmd->im->store, c->it, NULL, NULL);
	outbox_item_free(&c->it);
}

/* ---- the end ---------------------------------------------------------------------------------- */

static void put_uids(struct buf *out, const struct outcopy *c, const uint32_t *a)
{
	struct imap_seqset set = IMAP_SEQSET_INIT;

	for (size_t i = 0; i < c->n; i++)
		if (c->made[i])
			imap_seqset_add(&set, a[i], a[i]);
	imap_seqset_put(out, &set);
	imap_seqset_deinit(&set);
}

static struct str copyuid(struct arena *arena, const struct outcopy *c)
{
	struct buf b = BUF_INIT;
	struct str s;
	bool any = false;

	for (size_t i = 0; i < c->n; i++)
		any |= c->made[i] != 0;
	if (!any)
		return STR_NONE;
	buf_printf(&b, "[COPYUID %u ", c->uidvalidity);
	put_uids(&b, c, c->from);
	buf_putc(&b, ' ');
	put_uids(&b, c, c->made);
	buf_puts(&b, "] ");
	s = arena_str(arena, buf_str(&b));
	buf_deinit(&b);
	return s;
}

static enum cmd_next answer(struct cmd *cmd)
{
	struct outcopy *c = cmd->state;
	struct str code = copyuid(&cmd->arena, c);

	if (c->unknown)
		outbox_alert(cmd);
	if (c->move && code.n) /* RFC 6851 4.3: before the EXPUNGEs */
		buf_printf(cmd_out(cmd), "* OK %.*sOk\r\n", STR_ARG(code));
	if (cmd->result.code == STORE_NONEXISTENT)
		return cmd_no(cmd, "[TRYCREATE] No such mailbox");
	if (cmd->result.code != STORE_OK)
		return cmd_fault(cmd, &cmd->result);
	if (c->stopped)
		return outbox_refuse(cmd, &c->last);
	if (c->move)
		return cmd_ok(cmd, "MOVE completed.");
	return cmd_ok_long(cmd,
			   str_c(arena_printf(&cmd->arena, "%.*sCOPY completed.", STR_ARG(code))));
}

static enum cmd_next expunge(struct cmd *cmd)
{
	struct outcopy *c = cmd->state;

	if (cmd->result.code != STORE_OK && cmd->result.code != STORE_EXPUNGED)
		return answer(cmd);
	cmd_wait(cmd);
	folder_expunge(view_folder(cmd->view), c->from, c->n, cmd->view, cmd_stored, cmd);
	return cmd_then(cmd, answer, CMD_WAIT);
}

static enum cmd_next finish(struct cmd *cmd)
{
	struct outcopy *c = cmd->state;
	struct flags_request q = {.uids = c->from,
				  .n = c->n,
				  .mode = FLAGS_ADD,
				  .flags = MSG_DELETED,
				  .origin = cmd->view,
				  .silent = true};

	if (!c->move || c->n == 0 || cmd->result.code != STORE_OK)
		return answer(cmd);
	cmd_wait(cmd);
	folder_flags(view_folder(cmd->view), &q, cmd_stored, cmd);
	return cmd_then(cmd, expunge, CMD_WAIT);
}

/* ---- one after the other ---------------------------------------------------------------------- */

static enum cmd_next next_message(struct cmd *cmd);

static void on_sent(void *ctx, const struct outbox_sent *r)
{
	struct outcopy *c = ctx;

	if (!cmd_back(c->cmd))
		return;
	c->last = *r;
	cmd_wake(c->cmd);
}

static enum cmd_next sent(struct cmd *cmd)
{
	struct outcopy *c = cmd->state;

	if (c->last.result == MAILER_FAILED) {
		c->stopped = true;
		return finish(cmd);
	}
	c->unknown |= c->last.result == MAILER_UNKNOWN;
	c->from[c->n] = c->set.a[c->at];
	c->made[c->n++] = c->last.uid;
	if (c->last.uid)
		c->uidvalidity = c->last.uidvalidity;
	c->at++;
	return next_message(cmd);
}

static void on_held(void *ctx, const struct store_result *r, struct outbox_item *it)
{
	struct outcopy *c = ctx;
	struct store *st = c->cmd->im->store;

	if (!cmd_back(c->cmd)) {
		if (it)
			outbox_drop(st, it, NULL, NULL);
		outbox_item_free(&it);
		return;
	}
	c->cmd->result = *r;
	c->it = it;
	cmd_wake(c->cmd);
}

static enum cmd_next held(struct cmd *cmd)
{
	struct outcopy *c = cmd->state;
	struct outbox_item *it = c->it;

	if (cmd->result.code != STORE_OK) {
		struct store_result fault = cmd->result;

		if (c->n == 0 || !c->move)
			return answer(cmd);
		cmd->result.code = STORE_OK; /* those before it move all the same */
		c->stopped = true;
		snprintf(c->last.text, sizeof c->last.text, "%s", fault.err.text);
		return finish(cmd);
	}
	c->it = NULL;
	cmd_wait(cmd);
	outbox_send(cmd, it, on_sent, c);
	return cmd_then(cmd, sent, CMD_WAIT);
}

static enum cmd_next next_message(struct cmd *cmd)
{
	struct outcopy *c = cmd->state;
	struct folder *f = view_folder(cmd->view);
	size_t i;

	if (c->at == c->set.n)
		return finish(cmd);
	i = folder_find(f, c->set.a[c->at]);
	if (i >= f->msgs.n || f->msgs.a[i].uid != c->set.a[c->at] ||
	    (f->msgs.a[i].state & MSG_EXPUNGED)) {
		cmd->result = (struct store_result){.code = STORE_EXPUNGED};
		return held(cmd);
	}
	cmd_wait(cmd);
	outbox_hold_copy(f, &f->msgs.a[i], c->to, on_held, c);
	return cmd_then(cmd, held, CMD_WAIT);
}

enum cmd_next outcopy_start(struct cmd *cmd, const struct uids *set, struct str to, bool move)
{
	struct outcopy *c = cmd->state = arena_new(&cmd->arena, struct outcopy);

	if (set->n > 1 && !cmd->im->set->outbox_multiple_send)
		return cmd_no(cmd, "[ALERT] Only one message may be sent at a time.");
	c->cmd = cmd;
	c->move = move;
	c->set = *set;
	c->to = to;
	c->from = arena_array(&cmd->arena, uint32_t, set->n);
	c->made = arena_array(&cmd->arena, uint32_t, set->n);
	cmd->on_free = on_free;
	return next_message(cmd);
}
