/* SPDX-License-Identifier: Apache-2.0 */
#include "common/mail/maildirsize.h"

/* Digits in front of *s; too large: INT64_MAX, and *huge is set. False: there are none. */
static bool take_number(struct str *s, int64_t *n, bool *huge)
{
	size_t i = 0;

	*n = 0;
	for (; i < s->n && s->p[i] >= '0' && s->p[i] <= '9'; i++) {
		int digit = s->p[i] - '0';
		if (*n > (INT64_MAX - digit) / 10) {
			*huge = true;
			*n = INT64_MAX;
		} else if (*n != INT64_MAX) {
			*n = *n * 10 + digit;
		}
	}
	*s = str_from(*s, i);
	return i > 0;
}

bool quota_limit_parse(struct str text, struct quota_limit *l)
{
	struct quota_limit got = {0, 0};
	bool huge = false;
	int64_t n;

	for (bool first = true, letter = false; text.n; first = false) {
		if (!first && !letter && *text.p != ',')
			return false;
		if (!first && *text.p == ',')
			text = str_from(text, 1);
		if (!take_number(&text, &n, &huge))
			return false;
		if (text.n && *text.p == 'C')
			got.count = n;
		else
			got.bytes = n;
		letter = text.n && (*text.p == 'C' || *text.p == 'S');
		if (letter)
			text = str_from(text, 1);
	}
	*l = got;
	return true;
}

void quota_limit_put(struct buf *out, const struct quota_limit *l)
{
	if (l->bytes)
		buf_printf(out, "%lldS", (long long)l->bytes);
	if (l->count)
		buf_printf(out, "%s%lldC", l->bytes ? "," : "", (long long)l->count);
}

bool quota_limit_over(const struct quota_limit *l, int64_t bytes, int64_t count)
{
	return (l->bytes && bytes > l->bytes) || (l->count && count > l->count);
}

static void skip_blanks(struct str *s)
{
	while (s->n && (*s->p == ' ' || *s->p == '\t' || *s->p == '\r'))
		*s = str_from(*s, 1);
}

static bool take_signed(struct str *s, int64_t *n)
{
	bool huge = false, negative;

	skip_blanks(s);
	negative = s->n && *s->p == '-';
	if (negative)
		*s = str_from(*s, 1);
	if (!take_number(s, n, &huge) || huge)
		return false;
	if (negative)
		*n = -*n;
	return true;
}

static bool take_change(struct str line, struct maildirsize *m)
{
	int64_t bytes, count;

	if (!take_signed(&line, &bytes) || !take_signed(&line, &count))
		return false;
	skip_blanks(&line);
	m->lines++;
	return line.n == 0 && !__builtin_add_overflow(m->bytes, bytes, &m->bytes) &&
	       !__builtin_add_overflow(m->count, count, &m->count);
}

bool maildirsize_parse(struct str text, struct maildirsize *m)
{
	bool whole = text.n && text.p[text.n - 1] == '\n';
	struct str line = str_split(&text, '\n');

	*m = (struct maildirsize){0};
	if (!text.p && !whole)
		return false; /* not even the first line is all there */
	if (line.n && line.p[line.n - 1] == '\r')
		line.n--;
	if (!quota_limit_parse(line, &m->limit) || !whole)
		return false;
	while (text.n)
		if (!take_change(str_split(&text, '\n'), m))
			return false;
	return m->bytes >= 0 && m->count >= 0;
}

void maildirsize_put_line(struct buf *out, int64_t bytes, int64_t count)
{
	buf_printf(out, "%12lld %12lld\n", (long long)bytes, (long long)count);
}
