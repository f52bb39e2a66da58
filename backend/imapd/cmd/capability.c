/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/imapd/cmd/commands.h"
#include "common/imap/args.h"

enum cmd_next capability_start(struct cmd *cmd)
{
	struct buf *out = cmd_out(cmd);

	if (!imap_arg_end(cmd->args))
		return cmd_bad(cmd, "CAPABILITY takes no arguments");
	buf_puts(out, "* CAPABILITY ");
	client_capability(cmd->c, out);
	buf_puts(out, "\r\n");
	return cmd_ok(cmd, "CAPABILITY completed");
}
