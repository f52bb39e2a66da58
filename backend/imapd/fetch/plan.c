/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/imapd/fetch/plan.h"

enum { ITEMS_MAX = 1000 };

struct builder {
	struct cmd *cmd;
	struct fetch_plan *p;
	size_t cap;
};

static struct fetch_item *add(struct builder *b, enum fetch_what what, const char *label)
{
	struct fetch_plan *p = b->p;

	if (p->nitems == b->cap) {
		size_t cap = b->cap ? 2 * b->cap : 8;
		struct fetch_item *items = arena_array(&b->cmd->arena, struct fetch_item, cap);
		if (p->nitems)
			memcpy(items, p->items, p->nitems * sizeof *items);
		p->items = items;
		b->cap = cap;
	}
	struct fetch_item *it = &p->items[p->nitems++];
	it->what = what;
	it->label = str_c(label);
	return it;
}

static void copy_fields(struct builder *b, struct fetch_item *it)
{
	size_t n = 0;

	for (const struct imap_arg *a = it->section.fields; a; a = a->next)
		n++;
	struct str *names = arena_array(&b->cmd->arena, struct str, n);
	for (const struct imap_arg *a = it->section.fields; a; a = a->next)
		names[it->nfields++] = arena_str(&b->cmd->arena, a->s);
	it->fields = names;
}

static void add_section(struct builder *b, const struct imap_section *s)
{
	struct fetch_item *it = add(b, FETCH_SECTION, "");
	struct imap_section shown = *s;
	struct buf label = BUF_INIT;

	it->section = *s;
	shown.item = STR("BODY");
	imap_section_put(&label, &shown);
	it->label = arena_str(&b->cmd->arena, buf_str(&label));
	buf_deinit(&label);
	if (s->fields)
		copy_fields(b, it);
	if (s->nparts || s->text == IMAP_SECTION_TEXT)
		b->p->whole = true;
	if (str_ieq(s->item, STR("BODY")))
		b->p->seen = true;
}

/* RFC822 and its kin are sections under another name. */
static void add_rfc822(struct builder *b, const char *label, enum imap_section_text text, bool seen)
{
	struct fetch_item *it = add(b, FETCH_SECTION, label);

	it->section.bracket = true;
	it->section.text = text;
	if (text == IMAP_SECTION_TEXT)
		b->p->whole = true;
	b->p->seen |= seen;
}

static const char *add_item(struct builder *b, const struct imap_section *s, bool in_list)
{
	struct fetch_plan *p = b->p;
	struct str n = s->item;

	if (s->bracket) {
		if (!str_ieq(n, STR("BODY")) && !str_ieq(n, STR("BODY.PEEK")))
			return "Only BODY and BODY.PEEK have sections";
		add_section(b, s);
	} else if (str_ieq(n, STR("FLAGS"))) {
		p->flags = true;
	} else if (str_ieq(n, STR("UID"))) {
		p->uid = true;
	} else if (str_ieq(n, STR("MODSEQ"))) {
		p->modseq = true;
	} else if (str_ieq(n, STR("INTERNALDATE"))) {
		p->internaldate = true;
	} else if (str_ieq(n, STR("RFC822.SIZE"))) {
		p->size = true;
	} else if (str_ieq(n, STR("ENVELOPE"))) {
		add(b, FETCH_ENVELOPE, "ENVELOPE");
	} else if (str_ieq(n, STR("BODY"))) {
		add(b, FETCH_BODY, "BODY");
		p->whole = true;
	} else if (str_ieq(n, STR("BODYSTRUCTURE"))) {
		add(b, FETCH_BODYSTRUCTURE, "BODYSTRUCTURE");
		p->whole = true;
	} else if (str_ieq(n, STR("RFC822"))) {
		add_rfc822(b, "RFC822", IMAP_SECTION_ALL, true);
	} else if (str_ieq(n, STR("RFC822.HEADER"))) {
		add_rfc822(b, "RFC822.HEADER", IMAP_SECTION_HEADER, false);
	} else if (str_ieq(n, STR("RFC822.TEXT"))) {
		add_rfc822(b, "RFC822.TEXT", IMAP_SECTION_TEXT, true);
	} else if (!in_list && (str_ieq(n, STR("ALL")) || str_ieq(n, STR("FAST")) || str_ieq(n, STR("FULL")))) {
		p->flags = p->internaldate = p->size = true;
		if (!str_ieq(n, STR("FAST")))
			add(b, FETCH_ENVELOPE, "ENVELOPE");
		if (str_ieq(n, STR("FULL"))) {
			add(b, FETCH_BODY, "BODY");
			p->whole = true;
		}
	} else {
		return "Unknown FETCH item";
	}
	return p->nitems > ITEMS_MAX ? "Too many FETCH items" : NULL;
}

/* "(CHANGEDSINCE 5 VANISHED)", RFC 7162 3.1.4.1 and 3.2.6. */
static const char *take_modifiers(struct cmd *cmd, const struct imap_arg *a, struct fetch_plan *p)
{
	if (!a)
		return "Empty list of FETCH modifiers";
	while (a) {
		if (!p->changed && imap_arg_word(&a, "CHANGEDSINCE")) {
			/* 0 isn't the grammar, but clients say it that know nothing yet. */
			if (!imap_arg_number64(&a, &p->changed_since))
				return "CHANGEDSINCE needs a modification sequence";
			p->changed = true;
		} else if (!p->vanished && imap_arg_word(&a, "VANISHED")) {
			p->vanished = true;
		} else {
			return "Unknown FETCH modifier";
		}
	}
	p->modseq = true;
	if (!p->vanished)
		return NULL;
	if (!cmd->uid)
		return "VANISHED is UID FETCH's";
	return !p->changed ? "VANISHED without CHANGEDSINCE"
	       : !cmd->c->qresync ? "QRESYNC isn't enabled"
				  : NULL;
}

const char *fetch_plan_parse(struct cmd *cmd, const struct imap_arg *a, struct fetch_plan *p)
{
	struct builder b = {.cmd = cmd, .p = p};
	const struct imap_arg *items = a, *modifiers;
	bool in_list = imap_arg_list(&a, &items);
	struct imap_section s;
	const char *bad = NULL;

	*p = (struct fetch_plan){.uid = cmd->uid};
	if (!items)
		return "FETCH without items";
	while (items && !bad) {
		if (imap_section_take(&items, &s) != IMAP_SECTION_OK)
			return "Invalid FETCH item";
		bad = add_item(&b, &s, in_list);
		if (!in_list)
			break;
	}
	if (!in_list)
		a = items;
	if (!bad && imap_arg_list(&a, &modifiers))
		bad = take_modifiers(cmd, modifiers, p);
	if (bad || imap_arg_end(a))
		return bad;
	return in_list ? "Unexpected argument behind the FETCH items"
		       : "Unexpected argument behind the FETCH item";
}
