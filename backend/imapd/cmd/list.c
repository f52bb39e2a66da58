/* SPDX-License-Identifier: Apache-2.0 */
/*
 * LIST and LSUB, with CHILDREN (RFC 3348) and the selection and return options of SPECIAL-USE
 * (RFC 6154). The store's list is copied and then matched in slices, so that a pattern against
 * 100,000 names neither holds the loop nor fills the output (B39).
 */
#include "backend/imapd/cmd/commands.h"
#include "common/base/hmap.h"
#include "common/imap/args.h"
#include "common/imap/listmatch.h"
#include "common/imap/mutf7.h"
#include "common/imap/reply.h"

struct entry {
	struct str name; /* modified UTF-7 */
	struct str use;
	unsigned bits;
};

struct listing {
	bool lsub;
	bool select_use, select_subscribed, return_subscribed;
	struct imap_pattern pattern;
	struct entry *a;
	size_t n, next;
	struct hmap *subscribed; /* LSUB: names, made when one is asked for */
	struct str parent;	 /* LSUB: the level that was answered last */
};

static void on_free(struct cmd *cmd)
{
	struct listing *l = cmd->state;

	imap_pattern_deinit(&l->pattern);
	hmap_free(&l->subscribed);
}

/* ---- answering -------------------------------------------------------------------------------- */

static void put_word(struct buf *out, bool *first, struct str word)
{
	if (!*first)
		buf_putc(out, ' ');
	*first = false;
	buf_str_put(out, word);
}

static void put_entry(struct cmd *cmd, const struct listing *l, const struct entry *e)
{
	struct buf *out = cmd_out(cmd);
	bool first = true;

	buf_puts(out, l->lsub ? "* LSUB (" : "* LIST (");
	if (e->bits & FOLDER_NONEXISTENT)
		put_word(out, &first, l->lsub ? STR("\\Noselect") : STR("\\NonExistent"));
	else if (e->bits & FOLDER_NOSELECT)
		put_word(out, &first, STR("\\Noselect"));
	if (!l->lsub && (e->bits & (FOLDER_MARKED | FOLDER_UNMARKED)))
		put_word(out, &first, e->bits & FOLDER_MARKED ? STR("\\Marked") : STR("\\Unmarked"));
	put_word(out, &first,
		 e->bits & FOLDER_HASCHILDREN		? STR("\\HasChildren")
		 : cmd->im->set->imap_obsolete_client	? STR("\\NoInferiors")
							: STR("\\HasNoChildren"));
	if ((l->return_subscribed || l->select_subscribed) && (e->bits & FOLDER_SUBSCRIBED))
		put_word(out, &first, STR("\\Subscribed"));
	if (e->use.n && !l->lsub)
		put_word(out, &first, e->use);
	buf_puts(out, ") \".\" ");
	imap_put_mailbox(out, e->name);
	buf_puts(out, "\r\n");
}

static bool is_subscribed(struct listing *l, struct str name)
{
	if (!l->subscribed) {
		l->subscribed = hmap_new();
		for (size_t i = 0; i < l->n; i++) {
			if (l->a[i].bits & FOLDER_SUBSCRIBED)
				hmap_put(l->subscribed, l->a[i].name, &l->a[i]);
		}
	}
	return hmap_get(l->subscribed, name) != NULL;
}

/* RFC 3501 6.3.9: "%" answers a level that isn't subscribed itself, but has subscribed names below. */
static void put_parent(struct cmd *cmd, struct listing *l, struct str name)
{
	struct str parent = imap_pattern_parent(&l->pattern, name);
	struct buf *out = cmd_out(cmd);

	if (!parent.n || str_eq(parent, l->parent) || is_subscribed(l, parent))
		return;
	l->parent = parent;
	buf_puts(out, "* LSUB (\\Noselect \\HasChildren) \".\" ");
	imap_put_mailbox(out, parent);
	buf_puts(out, "\r\n");
}

static bool wanted(const struct listing *l, const struct entry *e)
{
	if (l->lsub || l->select_subscribed)
		return (e->bits & FOLDER_SUBSCRIBED) && (!l->select_use || e->use.n);
	return !(e->bits & FOLDER_NONEXISTENT) && (!l->select_use || e->use.n);
}

static enum cmd_next answer(struct cmd *cmd)
{
	struct listing *l = cmd->state;

	if (cmd->result.code != STORE_OK)
		return cmd_fault(cmd, &cmd->result);
	while (l->next < l->n) {
		const struct entry *e;

		if (cmd_full(cmd))
			return CMD_FULL;
		if (cmd_tired(cmd))
			return CMD_YIELD;
		e = &l->a[l->next++];
		if (!wanted(l, e))
			continue;
		switch (imap_pattern_match(&l->pattern, e->name)) {
		case IMAP_LISTMATCH_YES:
			put_entry(cmd, l, e);
			break;
		case IMAP_LISTMATCH_PARENT:
			if (l->lsub)
				put_parent(cmd, l, e->name);
			break;
		default:
			break;
		}
	}
	return cmd_ok(cmd, "%s completed", cmd->row->name);
}

static void on_list(void *ctx, const struct store_result *r, const struct folder_list *fl)
{
	struct cmd *cmd = ctx;
	struct listing *l;
	struct buf wire = BUF_INIT;

	if (!cmd_back(cmd))
		return;
	cmd->result = *r;
	l = cmd->state;
	if (r->code == STORE_OK) {
		l->a = arena_array(&cmd->arena, struct entry, fl->n);
		for (size_t i = 0; i < fl->n; i++) {
			buf_reset(&wire);
			if (!mutf7_encode(&wire, fl->a[i].name))
				continue;
			l->a[l->n++] = (struct entry){arena_str(&cmd->arena, buf_str(&wire)),
						      arena_str(&cmd->arena, fl->a[i].special_use),
						      fl->a[i].bits};
		}
	}
	buf_deinit(&wire);
	cmd_wake(cmd);
}

/* ---- arguments -------------------------------------------------------------------------------- */

static bool take_selection(const struct imap_arg **a, struct listing *l)
{
	const struct imap_arg *o;

	if (!imap_arg_list(a, &o))
		return true; /* none given */
	while (!imap_arg_end(o)) {
		if (imap_arg_word(&o, "SPECIAL-USE"))
			l->select_use = true;
		else if (imap_arg_word(&o, "SUBSCRIBED"))
			l->select_subscribed = true;
		else
			return false;
	}
	return true;
}

static bool take_return(const struct imap_arg **a, struct listing *l)
{
	const struct imap_arg *o;

	if (imap_arg_end(*a))
		return true;
	if (!imap_arg_word(a, "RETURN") || !imap_arg_list(a, &o) || !imap_arg_end(*a))
		return false;
	while (!imap_arg_end(o)) {
		if (imap_arg_word(&o, "SUBSCRIBED"))
			l->return_subscribed = true;
		else if (!imap_arg_word(&o, "SPECIAL-USE") && !imap_arg_word(&o, "CHILDREN"))
			return false; /* these two are always returned */
	}
	return true;
}

static enum cmd_next start(struct cmd *cmd, bool lsub)
{
	const struct imap_arg *a = cmd->args;
	struct listing *l = cmd->state = arena_new(&cmd->arena, struct listing);
	struct str reference, pattern;

	l->lsub = lsub;
	if ((!lsub && !take_selection(&a, l)) || !imap_arg_astring(&a, &reference) ||
	    !imap_arg_pattern(&a, &pattern) || !(lsub ? imap_arg_end(a) : take_return(&a, l)))
		return cmd_bad(cmd, "Invalid arguments to %s", cmd->row->name);
	if (pattern.n == 0) { /* what is the separator? RFC 3501 6.3.8 */
		buf_printf(cmd_out(cmd), "* %s (\\Noselect) \".\" \"\"\r\n", cmd->row->name);
		return cmd_ok(cmd, "%s completed", cmd->row->name);
	}
	if (!imap_pattern_init(&l->pattern, reference, pattern, '.'))
		return cmd_no(cmd, "[LIMIT] Pattern is too long");
	cmd->on_free = on_free;
	cmd_wait(cmd);
	store_list(cmd->im->store, on_list, cmd);
	return cmd_then(cmd, answer, CMD_WAIT);
}

enum cmd_next list_start(struct cmd *cmd)
{
	return start(cmd, false);
}

enum cmd_next lsub_start(struct cmd *cmd)
{
	return start(cmd, true);
}
