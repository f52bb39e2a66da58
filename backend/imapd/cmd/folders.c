/* SPDX-License-Identifier: Apache-2.0 */
/* CREATE (with RFC 6154's USE), DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE. */
#include "backend/imapd/box/view.h"
#include "backend/imapd/cmd/commands.h"
#include "common/imap/args.h"

static enum cmd_next answer(struct cmd *cmd)
{
	if (cmd->result.code != STORE_OK)
		return cmd_fault(cmd, &cmd->result);
	return cmd_ok(cmd, "%s completed", cmd->row->name);
}

static enum cmd_next invalid(struct cmd *cmd)
{
	return cmd_bad(cmd, "Invalid arguments to %s", cmd->row->name);
}

static const char *const special_uses[] = {"\\All",  "\\Archive", "\\Drafts", "\\Flagged",
					   "\\Junk", "\\Sent",	  "\\Trash"};

/* "(USE (\Sent))": one attribute at most, since a folder has one purpose with us. */
static bool take_use(struct cmd *cmd, const struct imap_arg **a, struct str *use)
{
	const struct imap_arg *params, *uses;
	struct str name;

	*use = STR_NONE;
	if (imap_arg_end(*a))
		return true;
	if (!imap_arg_list(a, &params) || !imap_arg_end(*a) || !imap_arg_word(&params, "USE") ||
	    !imap_arg_list(&params, &uses) || !imap_arg_end(params)) {
		invalid(cmd);
		return false;
	}
	if (imap_arg_end(uses))
		return true;
	if (!imap_arg_atom(&uses, &name)) {
		invalid(cmd);
		return false;
	}
	for (size_t i = 0; i < ARRAY_LEN(special_uses); i++) {
		if (str_ieq(name, str_c(special_uses[i])))
			*use = str_c(special_uses[i]);
	}
	if (!use->n || !imap_arg_end(uses)) {
		cmd_no(cmd, "[USEATTR] Not a special use that is possible here");
		return false;
	}
	return true;
}

/* A separator at the end announces children; the folder is made all the same (RFC 3501 6.3.3). */
static const struct imap_arg *without_separator(struct cmd *cmd, const struct imap_arg *a)
{
	struct imap_arg *copy;

	if (!a || a->type == IMAP_ARG_LIST || a->s.n < 2 || a->s.p[a->s.n - 1] != '.')
		return a;
	copy = arena_new(&cmd->arena, struct imap_arg);
	*copy = *a;
	copy->s = arena_str(&cmd->arena, str_sub(a->s, 0, a->s.n - 1));
	return copy;
}

enum cmd_next create_start(struct cmd *cmd)
{
	const struct imap_arg *a = without_separator(cmd, cmd->args);
	struct str name, use;

	if (!cmd_take_mailbox(cmd, &a, &name) || !take_use(cmd, &a, &use))
		return CMD_DONE;
	cmd_wait(cmd);
	store_create(cmd->im->store, name, use, cmd_stored, cmd);
	return cmd_then(cmd, answer, CMD_WAIT);
}

static bool take_one(struct cmd *cmd, struct str *name)
{
	const struct imap_arg *a = cmd->args;

	if (!cmd_take_mailbox(cmd, &a, name))
		return false;
	if (imap_arg_end(a))
		return true;
	invalid(cmd);
	return false;
}

/* Who deletes or renames the folder that it has selected leaves it, instead of being thrown out. */
static void leave_if_selected(struct cmd *cmd, struct str name)
{
	if (cmd->c->view && str_eq(name, str_c(view_folder(cmd->c->view)->name)))
		client_unselect(cmd->c);
}

enum cmd_next delete_start(struct cmd *cmd)
{
	struct str name;

	if (!take_one(cmd, &name))
		return CMD_DONE;
	if (str_eq(name, STR("INBOX")))
		return cmd_no(cmd, "[CANNOT] INBOX can't be deleted");
	leave_if_selected(cmd, name);
	cmd_wait(cmd);
	store_delete(cmd->im->store, name, cmd_stored, cmd);
	return cmd_then(cmd, answer, CMD_WAIT);
}

enum cmd_next rename_start(struct cmd *cmd)
{
	const struct imap_arg *a = cmd->args;
	struct str from, to;

	if (!cmd_take_mailbox(cmd, &a, &from) || !cmd_take_mailbox(cmd, &a, &to))
		return CMD_DONE;
	if (!imap_arg_end(a))
		return invalid(cmd);
	if (!str_eq(from, STR("INBOX")))
		leave_if_selected(cmd, from);
	cmd_wait(cmd);
	store_rename(cmd->im->store, from, to, cmd_stored, cmd);
	return cmd_then(cmd, answer, CMD_WAIT);
}

static enum cmd_next subscribe(struct cmd *cmd, bool on)
{
	struct str name;

	if (!take_one(cmd, &name))
		return CMD_DONE;
	cmd_wait(cmd);
	store_subscribe(cmd->im->store, name, on, cmd_stored, cmd);
	return cmd_then(cmd, answer, CMD_WAIT);
}

enum cmd_next subscribe_start(struct cmd *cmd)
{
	return subscribe(cmd, true);
}

enum cmd_next unsubscribe_start(struct cmd *cmd)
{
	return subscribe(cmd, false);
}
