/* SPDX-License-Identifier: Apache-2.0 */
/* ENABLE (RFC 5161): what of the named ones can be enabled is, and is named in the answer. */
#include "backend/imapd/cmd/commands.h"
#include "common/imap/args.h"

enum cmd_next enable_start(struct cmd *cmd)
{
	const struct imap_arg *a = cmd->args;
	bool condstore = false, qresync = false;
	struct str word;

	if (imap_arg_end(a))
		return cmd_bad(cmd, "ENABLE needs a capability");
	while (imap_arg_atom(&a, &word)) {
		condstore = condstore || str_ieq(word, STR("CONDSTORE"));
		qresync = qresync || str_ieq(word, STR("QRESYNC"));
	}
	if (!imap_arg_end(a))
		return cmd_bad(cmd, "Invalid arguments to ENABLE");
	if (condstore || qresync)
		client_enable(cmd->c, qresync);
	buf_printf(cmd_out(cmd), "* ENABLED%s%s\r\n", condstore ? " CONDSTORE" : "",
		   qresync ? " QRESYNC" : "");
	return cmd_ok(cmd, "ENABLE completed");
}
