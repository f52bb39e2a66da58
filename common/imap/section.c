/* SPDX-License-Identifier: Apache-2.0 */
#include "common/imap/section.h"

#include "common/base/ensure.h"
#include "common/imap/reply.h"

static const char *const texts[IMAP_SECTION_N] = {
	[IMAP_SECTION_ALL] = "",
	[IMAP_SECTION_HEADER] = "HEADER",
	[IMAP_SECTION_FIELDS] = "HEADER.FIELDS",
	[IMAP_SECTION_FIELDS_NOT] = "HEADER.FIELDS.NOT",
	[IMAP_SECTION_TEXT] = "TEXT",
	[IMAP_SECTION_MIME] = "MIME",
};

static bool is_digit(struct str s)
{
	return s.n && s.p[0] >= '0' && s.p[0] <= '9';
}

/* section-part = nz-number *("." nz-number); *rest becomes what follows it and its dot. */
static bool section_part(struct str *rest, struct imap_section *out)
{
	struct str spec = *rest;
	size_t end = 0;

	while (is_digit(*rest)) {
		struct str number = str_split(rest, '.');
		if (out->nparts == IMAP_SECTION_DEPTH || number.p[0] == '0' ||
		    !str_u32(number, &out->part[out->nparts]))
			return false;
		out->nparts++;
		end = (size_t)(number.p + number.n - spec.p);
		if (rest->p != NULL && rest->n == 0) /* "1." */
			return false;
	}
	out->path = str_sub(spec, 0, end);
	return true;
}

static bool section_text(struct str s, struct imap_section *out)
{
	for (unsigned t = 0; t < IMAP_SECTION_N; t++) {
		if (!str_ieq(s, str_c(texts[t])))
			continue;
		out->text = (enum imap_section_text)t;
		return t != IMAP_SECTION_MIME || out->nparts > 0;
	}
	return false;
}

/* partial = "<" number "." nz-number ">", or nothing */
static bool partial(struct str s, struct imap_section *out)
{
	size_t dot = str_find(s, '.');

	if (s.n == 0)
		return true;
	if (s.p[0] != '<' || s.p[s.n - 1] != '>' || dot + 2 > s.n)
		return false;
	out->partial = true;
	return str_u32(str_sub(s, 1, dot - 1), &out->offset) &&
	       str_u32(str_sub(s, dot + 1, s.n - dot - 2), &out->length) && out->length > 0;
}

/* header-list = "(" header-fld-name *(SP header-fld-name) ")" */
static bool header_list(const struct imap_arg *list, struct imap_section *out)
{
	if (list == NULL || list->type != IMAP_ARG_LIST || list->list == NULL)
		return false;
	for (const struct imap_arg *a = list->list; a; a = a->next)
		if (a->type != IMAP_ARG_ATOM && a->type != IMAP_ARG_QUOTED &&
		    a->type != IMAP_ARG_LITERAL)
			return false;
	out->fields = list->list;
	return true;
}

/* Behind the bracket: "1.2.TEXT]<0.10>", or up to the header list that follows as an argument. */
static bool in_bracket(const struct imap_arg **a, struct str s, struct imap_section *out)
{
	size_t close = str_find(s, ']');
	struct str spec = str_sub(s, 0, close), tail = str_from(s, close + 1);
	bool fields;

	if (!section_part(&spec, out) || !section_text(spec, out))
		return false;
	fields = out->text == IMAP_SECTION_FIELDS || out->text == IMAP_SECTION_FIELDS_NOT;
	if (fields != (close == s.n))
		return false;
	if (fields) {
		const struct imap_arg *list = *a;
		if (!header_list(list, out) || list->next == NULL || !list->next->glued)
			return false;
		tail = str_from(list->next->s, 1); /* the parser glues nothing but "]..." */
		*a = list->next->next;
	}
	return partial(tail, out);
}

enum imap_section_result imap_section_take(const struct imap_arg **a, struct imap_section *out)
{
	const struct imap_arg *at = *a;
	struct imap_section s = {0};
	struct str atom;
	size_t open;

	if (!imap_arg_atom(&at, &atom))
		return IMAP_SECTION_BAD;
	open = str_find(atom, '[');
	s.item = str_sub(atom, 0, open);
	s.bracket = open < atom.n;
	if (s.item.n == 0 || str_find(s.item, ']') < s.item.n)
		return IMAP_SECTION_BAD;
	if (s.bracket && !in_bracket(&at, str_from(atom, open + 1), &s))
		return IMAP_SECTION_BAD;
	*out = s;
	*a = at;
	return IMAP_SECTION_OK;
}

static void put_upper(struct buf *out, struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		buf_putc(out, (char)(s.p[i] >= 'a' && s.p[i] <= 'z' ? s.p[i] - 32 : s.p[i]));
}

void imap_section_put(struct buf *out, const struct imap_section *s)
{
	struct str item = s->item;

	if (item.n > 5 && str_ieq(str_from(item, item.n - 5), STR(".PEEK")))
		item.n -= 5;
	put_upper(out, item);
	if (!s->bracket)
		return;
	buf_putc(out, '[');
	buf_str_put(out, s->path);
	if (s->nparts && s->text != IMAP_SECTION_ALL)
		buf_putc(out, '.');
	buf_puts(out, texts[s->text]);
	for (const struct imap_arg *f = s->fields; f; f = f->next) {
		buf_puts(out, f == s->fields ? " (" : " ");
		imap_put_astring(out, f->s);
	}
	buf_puts(out, s->fields ? ")]" : "]");
	if (s->partial)
		buf_printf(out, "<%u>", s->offset);
}
