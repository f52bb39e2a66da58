/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/imapd/cmd/commands.h"
#include "common/imap/args.h"

/* RFC 5161: what we could enable is named in the answer; so far there is nothing. */
enum cmd_next enable_start(struct cmd *cmd)
{
	const struct imap_arg *a = cmd->args;
	struct str word;

	if (imap_arg_end(a))
		return cmd_bad(cmd, "ENABLE needs a capability");
	while (imap_arg_atom(&a, &word))
		;
	if (!imap_arg_end(a))
		return cmd_bad(cmd, "Invalid arguments to ENABLE");
	buf_puts(cmd_out(cmd), "* ENABLED\r\n");
	return cmd_ok(cmd, "ENABLE completed");
}
