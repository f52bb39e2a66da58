/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/imapd/box/view.h"
#include "backend/imapd/cmd/commands.h"
#include "common/imap/args.h"

static enum cmd_next answer(struct cmd *cmd)
{
	const uint64_t *before = cmd->state;
	uint64_t highest =
		view_folder(cmd->view)->modseq; /* all up to here is told before the reply */

	if (cmd->result.code == STORE_EXPUNGED)
		cmd->result.code = STORE_OK; /* somebody else was faster */
	if (cmd->result.code != STORE_OK || !cmd->c->qresync || highest == *before)
		return cmd_result(cmd, "EXPUNGE completed");
	view_told_highest(cmd->view, highest);
	return cmd_ok(cmd, "[HIGHESTMODSEQ %llu] EXPUNGE completed", (unsigned long long)highest);
}

enum cmd_next expunge_start(struct cmd *cmd)
{
	const struct imap_arg *a = cmd->args;
	struct uids set = {NULL, 0};

	if (cmd->uid && !cmd_take_set(cmd, &a, &set))
		return CMD_DONE;
	if (!imap_arg_end(a))
		return cmd_bad(cmd, "Invalid arguments to EXPUNGE");
	if (!view_writable(cmd->view))
		return cmd_no(cmd, "Mailbox is read-only");
	if (cmd->uid && set.n == 0)
		return cmd_ok(cmd, "EXPUNGE completed");
	cmd->state = arena_new(&cmd->arena, uint64_t);
	*(uint64_t *)cmd->state = view_folder(cmd->view)->modseq;
	cmd_wait(cmd);
	folder_expunge(view_folder(cmd->view), set.a, set.n, cmd->view, cmd_stored, cmd);
	return cmd_then(cmd, answer, CMD_WAIT);
}
