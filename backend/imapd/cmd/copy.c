/* SPDX-License-Identifier: Apache-2.0 */
/* COPY and MOVE (RFC 6851), with UIDPLUS's COPYUID (RFC 4315). */
#include "backend/imapd/box/view.h"
#include "backend/imapd/cmd/commands.h"
#include "backend/imapd/outbox.h"
#include "common/imap/args.h"
#include "common/imap/seqset.h"

struct copy {
	bool move;
	struct str code; /* "[COPYUID ...] ", or empty */
};

static void put_uids(struct buf *out, const uint32_t *a, size_t n)
{
	struct imap_seqset set = IMAP_SEQSET_INIT;

	for (size_t i = 0; i < n; i++)
		imap_seqset_add(&set, a[i], a[i]);
	imap_seqset_put(out, &set);
	imap_seqset_deinit(&set);
}

static struct str copyuid(struct arena *arena, const struct uid_map *m)
{
	struct buf b = BUF_INIT;
	struct str s;

	if (!m || m->n == 0)
		return STR_NONE;
	buf_printf(&b, "[COPYUID %u ", m->uidvalidity);
	put_uids(&b, m->from, m->n);
	buf_putc(&b, ' ');
	put_uids(&b, m->to, m->n);
	buf_puts(&b, "] ");
	s = arena_str(arena, buf_str(&b));
	buf_deinit(&b);
	return s;
}

static enum cmd_next answer(struct cmd *cmd)
{
	struct copy *c = cmd->state;

	/* RFC 6851 4.3: COPYUID comes before the EXPUNGEs, which pending changes hold. */
	if (c->move && c->code.n) {
		struct buf *out = cmd_out(cmd);

		buf_puts(out, "* OK ");
		buf_str_put(out, c->code);
		buf_puts(out, "Ok\r\n");
	}
	switch (cmd->result.code) {
	case STORE_OK:
		break;
	case STORE_EXPUNGED:
		if (cmd->uid && c->move)
			break;
		return cmd_fault(cmd, &cmd->result);
	case STORE_NONEXISTENT:
		return cmd_no(cmd, "[TRYCREATE] No such mailbox");
	default:
		return cmd_fault(cmd, &cmd->result);
	}
	if (c->move)
		return cmd_ok(cmd, "MOVE completed.");
	return cmd_ok_long(
		cmd, str_c(arena_printf(&cmd->arena, "%.*sCOPY completed.", STR_ARG(c->code))));
}

static void on_copied(void *ctx, const struct store_result *r, const struct uid_map *m)
{
	struct cmd *cmd = ctx;

	if (!cmd_back(cmd))
		return;
	cmd->result = *r;
	((struct copy *)cmd->state)->code = copyuid(&cmd->arena, m);
	cmd_wake(cmd);
}

static enum cmd_next start(struct cmd *cmd, bool move)
{
	const struct imap_arg *a = cmd->args;
	struct copy *c = cmd->state = arena_new(&cmd->arena, struct copy);
	struct uids set;
	struct str to;

	c->move = move;
	if (!cmd_take_set(cmd, &a, &set) || !cmd_take_mailbox(cmd, &a, &to))
		return CMD_DONE;
	if (!imap_arg_end(a))
		return cmd_bad(cmd, "Invalid arguments to %s", cmd->row->name);
	if (move && !view_writable(cmd->view))
		return cmd_no(cmd, "Mailbox is read-only");
	if (set.n == 0)
		return cmd_ok(cmd, "%s completed.", cmd->row->name);
	if (outbox_is(to, cmd->im->set->outbox))
		return outcopy_start(cmd, &set, to, move);
	cmd_wait(cmd);
	folder_copy(view_folder(cmd->view), set.a, set.n, to, move, cmd->view, on_copied, cmd);
	return cmd_then(cmd, answer, CMD_WAIT);
}

enum cmd_next copy_start(struct cmd *cmd)
{
	return start(cmd, false);
}

enum cmd_next move_start(struct cmd *cmd)
{
	return start(cmd, true);
}
