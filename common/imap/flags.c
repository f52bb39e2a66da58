/* SPDX-License-Identifier: Apache-2.0 */
#include "common/imap/flags.h"

#include "common/base/ensure.h"
#include "common/imap/chars.h"

static const struct {
	unsigned flag;
	const char *name;
} names[] = {
	{IMAP_FLAG_DRAFT, "\\Draft"},	    {IMAP_FLAG_ANSWERED, "\\Answered"},
	{IMAP_FLAG_FLAGGED, "\\Flagged"}, {IMAP_FLAG_DELETED, "\\Deleted"},
	{IMAP_FLAG_SEEN, "\\Seen"},	    {IMAP_FLAG_RECENT, "\\Recent"},
};

static unsigned flag_parse(struct str name)
{
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (str_ieq(name, str_c(names[i].name)))
			return names[i].flag;
	return 0;
}

static bool is_atom(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!imap_is_atom_char(s.p[i]))
			return false;
	return s.n > 0;
}

/* How many of the arguments are no system flags: what the array of keywords must hold. */
static size_t count_keywords(const struct imap_arg *a)
{
	size_t n = 0;

	for (; a; a = a->next)
		n += a->type == IMAP_ARG_ATOM && a->s.n && a->s.p[0] != '\\';
	return n;
}

static bool has_keyword(const struct str *kw, size_t n, struct str name)
{
	for (size_t i = 0; i < n; i++)
		if (str_ieq(kw[i], name))
			return true;
	return false;
}

enum imap_flags_result imap_flags_take(const struct imap_arg **a, struct arena *arena,
				       size_t max_keywords, size_t keyword_len,
				       struct imap_flag_list *out)
{
	const struct imap_arg *at = *a, *list;
	bool paren = imap_arg_list(&at, &list);
	const struct imap_arg *first = paren ? list : *a;
	size_t room = count_keywords(first), n = 0;
	struct imap_flag_list l = {0};
	enum imap_flags_result result = IMAP_FLAGS_OK;
	struct str *kw;

	if (!paren && first == NULL)
		return IMAP_FLAGS_BAD;
	room = room < max_keywords ? room : max_keywords;
	kw = room ? arena_array(arena, struct str, room) : NULL;
	for (const struct imap_arg *f = first; f; f = f->next) {
		unsigned flag = f->type == IMAP_ARG_ATOM ? flag_parse(f->s) : 0;
		if (flag & IMAP_FLAG_ALL)
			l.flags |= flag;
		else if (f->type != IMAP_ARG_ATOM || !is_atom(f->s)) /* \\Recent too */
			return IMAP_FLAGS_BAD;
		else if (f->s.n > keyword_len)
			result = IMAP_FLAGS_LIMIT;
		else if (has_keyword(kw, n, f->s))
			continue;
		else if (n == room)
			return IMAP_FLAGS_LIMIT; /* checked no further: 10,000 names cost no time
						    (B43) */
		else
			kw[n++] = f->s;
	}
	if (result != IMAP_FLAGS_OK)
		return result;
	l.keywords = kw;
	l.nkeywords = n;
	*out = l;
	*a = paren ? at : NULL;
	return IMAP_FLAGS_OK;
}

bool imap_keyword_put(struct buf *out, struct str keyword, bool first)
{
	if (!first)
		buf_putc(out, ' ');
	buf_str_put(out, keyword);
	return false;
}

bool imap_flags_put(struct buf *out, unsigned flags, bool first)
{
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (flags & names[i].flag)
			first = imap_keyword_put(out, str_c(names[i].name), first);
	return first;
}
