/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/imapd/cmd/commands.h"
#include "common/imap/args.h"

enum cmd_next namespace_start(struct cmd *cmd)
{
	if (!imap_arg_end(cmd->args))
		return cmd_bad(cmd, "NAMESPACE takes no arguments");
	buf_puts(cmd_out(cmd), "* NAMESPACE ((\"INBOX.\" \".\")) NIL NIL\r\n");
	return cmd_ok(cmd, "NAMESPACE completed");
}
