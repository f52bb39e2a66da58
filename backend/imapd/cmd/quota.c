/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GETQUOTA, GETQUOTAROOT, SETQUOTA (RFC 9208). There is one root, "ROOT" as with Courier, for all folders of the
 * account; none where the account has no quota. STORAGE is in units of 1024 bytes.
 */
#include "backend/imapd/cmd/commands.h"
#include "common/imap/args.h"
#include "common/imap/reply.h"

struct quota {
	struct quota_use use;
	struct str mailbox; /* p is NULL: GETQUOTA */
};

static unsigned long long kilobytes(int64_t bytes)
{
	return bytes <= 0 ? 0 : (unsigned long long)bytes / 1024 + (bytes % 1024 != 0);
}

static void put_quota(struct buf *out, const struct quota_use *u)
{
	const char *sep = "";

	buf_puts(out, "* QUOTA \"ROOT\" (");
	if (u->bytes_limit) {
		buf_printf(out, "STORAGE %llu %llu", kilobytes(u->bytes),
			   kilobytes(u->bytes_limit));
		sep = " ";
	}
	if (u->count_limit)
		buf_printf(out, "%sMESSAGE %lld %lld", sep,
			   (long long)(u->count > 0 ? u->count : 0), (long long)u->count_limit);
	buf_puts(out, ")\r\n");
}

static enum cmd_next answer(struct cmd *cmd)
{
	const struct quota *q = cmd->state;
	bool any = q->use.bytes_limit || q->use.count_limit;
	struct buf *out = cmd_out(cmd);

	if (cmd->result.code != STORE_OK)
		return cmd_fault(cmd, &cmd->result);
	if (!q->mailbox.p && !any)
		return cmd_no(cmd, "[NONEXISTENT] No such quota root");
	if (q->mailbox.p) {
		buf_puts(out, "* QUOTAROOT ");
		cmd_put_mailbox(out, q->mailbox);
		buf_puts(out, any ? " \"ROOT\"\r\n" : "\r\n");
	}
	if (any)
		put_quota(out, &q->use);
	return cmd_ok(cmd, "%s Ok.", cmd->row->name);
}

static void on_quota(void *ctx, const struct store_result *r, const struct quota_use *u)
{
	struct cmd *cmd = ctx;

	if (!cmd_back(cmd))
		return;
	cmd->result = *r;
	((struct quota *)cmd->state)->use = *u;
	cmd_wake(cmd);
}

static enum cmd_next ask(struct cmd *cmd)
{
	cmd_wait(cmd);
	store_quota(cmd->im->store, on_quota, cmd);
	return cmd_then(cmd, answer, CMD_WAIT);
}

enum cmd_next getquota_start(struct cmd *cmd)
{
	const struct imap_arg *a = cmd->args;
	struct str root;

	cmd->state = arena_new(&cmd->arena, struct quota);
	if (!imap_arg_astring(&a, &root) || !imap_arg_end(a))
		return cmd_bad(cmd, "Invalid arguments to GETQUOTA");
	if (!str_eq(root, STR("ROOT")))
		return cmd_no(cmd, "[NONEXISTENT] No such quota root");
	return ask(cmd);
}

enum cmd_next getquotaroot_start(struct cmd *cmd)
{
	const struct imap_arg *a = cmd->args;
	struct quota *q = cmd->state = arena_new(&cmd->arena, struct quota);

	if (!cmd_take_mailbox(cmd, &a, &q->mailbox))
		return CMD_DONE;
	if (!imap_arg_end(a))
		return cmd_bad(cmd, "Invalid arguments to GETQUOTAROOT");
	return ask(cmd);
}

enum cmd_next setquota_start(struct cmd *cmd)
{
	const struct imap_arg *a = cmd->args, *list;
	struct str root;

	if (!imap_arg_astring(&a, &root) || !imap_arg_list(&a, &list) || !imap_arg_end(a))
		return cmd_bad(cmd, "Invalid arguments to SETQUOTA");
	return cmd_no(cmd, "SETQUOTA No permission.");
}
