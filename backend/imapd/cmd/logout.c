/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/imapd/cmd/commands.h"
#include "common/imap/args.h"

enum cmd_next logout_start(struct cmd *cmd)
{
	if (!imap_arg_end(cmd->args))
		return cmd_bad(cmd, "LOGOUT takes no arguments");
	buf_puts(cmd_out(cmd), "* BYE Posthouse server shutting down\r\n");
	cmd->c->ended = "LOGOUT";
	return cmd_ok(cmd, "LOGOUT completed");
}
