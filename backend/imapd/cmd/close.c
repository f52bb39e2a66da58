/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/imapd/box/view.h"
#include "backend/imapd/cmd/commands.h"
#include "common/imap/args.h"

static enum cmd_next leave(struct cmd *cmd)
{
	if (cmd->result.code != STORE_OK && cmd->result.code != STORE_EXPUNGED)
		return cmd_fault(cmd, &cmd->result);
	client_unselect(cmd->c);
	return cmd_ok(cmd, "mailbox closed.");
}

/* CLOSE removes what is \Deleted without telling (RFC 3501 6.4.2); after EXAMINE nothing. */
enum cmd_next close_start(struct cmd *cmd)
{
	if (!imap_arg_end(cmd->args))
		return cmd_bad(cmd, "CLOSE takes no arguments");
	if (!view_writable(cmd->view))
		return leave(cmd);
	cmd_wait(cmd);
	folder_expunge(view_folder(cmd->view), NULL, 0, cmd->view, cmd_stored, cmd);
	return cmd_then(cmd, leave, CMD_WAIT);
}

enum cmd_next unselect_start(struct cmd *cmd)
{
	if (!imap_arg_end(cmd->args))
		return cmd_bad(cmd, "UNSELECT takes no arguments");
	client_unselect(cmd->c);
	return cmd_ok(cmd, "UNSELECT completed");
}
