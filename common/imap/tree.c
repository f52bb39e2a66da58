/* SPDX-License-Identifier: Apache-2.0 */
#include "common/imap/tree.h"

#include "common/base/ensure.h"
#include "common/base/secret.h"

struct imap_level {
	struct imap_level *up;
	struct imap_arg *list, *before; /* before: what stands in front of the list */
};

struct imap_arg *imap_tree_add(struct imap_parser *p, enum imap_arg_type type, struct str s)
{
	struct imap_arg *a;

	if (p->nodes >= p->limits.args)
		return NULL;
	p->nodes++;
	a = arena_new(&p->arena, struct imap_arg);
	a->type = type;
	if (type != IMAP_ARG_LIST && type != IMAP_ARG_STREAM)
		a->s = arena_str(&p->arena, s);
	if (p->tail)
		p->tail->next = a;
	else if (p->open)
		p->open->list->list = a;
	else
		p->args = a;
	if (p->open)
		p->open->list->count++;
	else
		p->count++;
	p->before = p->tail;
	p->tail = a;
	return a;
}

const char *imap_tree_open(struct imap_parser *p)
{
	struct imap_level *l;

	if (p->depth >= p->limits.depth)
		return "Parentheses too deep";
	if (!imap_tree_add(p, IMAP_ARG_LIST, STR_NONE))
		return "Too many arguments";
	l = arena_new(&p->arena, struct imap_level);
	*l = (struct imap_level){p->open, p->tail, p->before};
	p->open = l;
	p->depth++;
	p->tail = p->before = NULL;
	return NULL;
}

const char *imap_tree_close(struct imap_parser *p)
{
	struct imap_level *l = p->open;

	if (l == NULL)
		return "Unexpected )";
	p->tail = l->list;
	p->before = l->before;
	p->open = l->up;
	p->depth--;
	return NULL;
}

bool imap_tree_awaits_bracket(const struct imap_parser *p)
{
	const struct imap_arg *b = p->before;

	return p->tail && p->tail->type == IMAP_ARG_LIST && b && b->type == IMAP_ARG_ATOM &&
	       str_find(b->s, '[') < b->s.n && str_find(b->s, ']') == b->s.n;
}

void imap_tree_wipe(struct imap_arg *a)
{
	for (; a; a = a->next) {
		if (a->type == IMAP_ARG_LIST)
			imap_tree_wipe(a->list); /* as deep as limits.depth at most */
		else if (a->s.n)
			secret_zero((char *)a->s.p, a->s.n);
	}
}
