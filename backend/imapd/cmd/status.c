/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/imapd/cmd/commands.h"
#include "common/imap/args.h"

enum item { MESSAGES, RECENT, UIDNEXT, UIDVALIDITY, UNSEEN, HIGHESTMODSEQ, ITEM_N };
static const char *const names[ITEM_N] = {"MESSAGES",	 "RECENT", "UIDNEXT",
					  "UIDVALIDITY", "UNSEEN", "HIGHESTMODSEQ"};

struct status {
	struct str name;
	bool want[ITEM_N];
	struct folder_status result;
};

static enum cmd_next answer(struct cmd *cmd)
{
	struct status *s = cmd->state;
	const uint64_t value[ITEM_N] = {s->result.messages,    s->result.recent, s->result.uidnext,
					s->result.uidvalidity, s->result.unseen, s->result.modseq};
	struct buf *out = cmd_out(cmd);
	const char *sep = "";

	if (cmd->result.code != STORE_OK)
		return cmd_fault(cmd, &cmd->result);
	buf_puts(out, "* STATUS ");
	cmd_put_mailbox(out, s->name);
	buf_puts(out, " (");
	for (unsigned i = 0; i < ITEM_N; i++) {
		if (!s->want[i])
			continue;
		buf_printf(out, "%s%s %llu", sep, names[i], (unsigned long long)value[i]);
		sep = " ";
	}
	buf_puts(out, ")\r\n");
	return cmd_ok(cmd, "STATUS Completed.");
}

static void on_status(void *ctx, const struct store_result *r, const struct folder_status *fs)
{
	struct cmd *cmd = ctx;

	if (!cmd_back(cmd))
		return;
	cmd->result = *r;
	if (r->code == STORE_OK)
		((struct status *)cmd->state)->result = *fs;
	cmd_wake(cmd);
}

static bool take_items(const struct imap_arg *a, struct status *s)
{
	while (!imap_arg_end(a)) {
		unsigned i = 0;

		while (i < ITEM_N && !imap_arg_word(&a, names[i]))
			i++;
		if (i == ITEM_N)
			return false;
		s->want[i] = true;
	}
	return true;
}

enum cmd_next status_start(struct cmd *cmd)
{
	const struct imap_arg *a = cmd->args, *items;
	struct status *s = cmd->state = arena_new(&cmd->arena, struct status);

	if (!cmd_take_mailbox(cmd, &a, &s->name))
		return CMD_DONE;
	if (!imap_arg_list(&a, &items) || !imap_arg_end(a) || imap_arg_end(items) ||
	    !take_items(items, s))
		return cmd_bad(cmd, "Invalid arguments to STATUS");
	if (s->want[HIGHESTMODSEQ])
		client_enable(cmd->c, false);
	cmd_wait(cmd);
	store_status(cmd->im->store, s->name, on_status, cmd);
	return cmd_then(cmd, answer, CMD_WAIT);
}
