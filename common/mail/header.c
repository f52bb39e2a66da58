// SPDX-License-Identifier: Apache-2.0
#include "common/mail/header.h"
#include "common/mail/lfcrlf.h"

static bool blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Length of the first line with its end. */
static size_t line_len(struct str s)
{
	size_t lf = str_find(s, '\n');

	return lf < s.n ? lf + 1 : s.n;
}

static struct str without_end(struct str s)
{
	if (s.n && s.p[s.n - 1] == '\n') {
		s.n--;
		if (s.n && s.p[s.n - 1] == '\r')
			s.n--;
	}
	return s;
}

bool header_next(struct str *rest, struct header_field *f)
{
	size_t n = line_len(*rest), colon;
	struct str first = without_end(str_sub(*rest, 0, n));

	if (first.n == 0) { /* the blank line, or nothing left */
		*rest = str_from(*rest, n);
		return false;
	}
	while (n < rest->n && blank(rest->p[n]))
		n += line_len(str_from(*rest, n));
	f->raw = str_sub(*rest, 0, n);
	*rest = str_from(*rest, n);
	colon = str_find(first, ':');
	if (colon == first.n) {
		f->name = str_sub(f->raw, 0, 0);
		f->value = without_end(f->raw);
		return true;
	}
	f->value = without_end(str_from(f->raw, colon + 1));
	while (colon && blank(first.p[colon - 1]))
		colon--;
	f->name = str_sub(f->raw, 0, colon);
	return true;
}

struct str header_unfold(struct arena *a, struct str value)
{
	size_t n = 0;
	char *p;

	value = str_trim(value);
	if (value.n == 0 || (!memchr(value.p, '\n', value.n)))
		return value;
	p = arena_alloc(a, value.n);
	for (size_t i = 0; i < value.n; i++) {
		char c = value.p[i];

		if (c == '\n' ||
		    (c == '\r' && value.p[i + 1] == '\n')) /* it ends in no CR: trimmed */
			continue;
		p[n++] = c;
	}
	return str_mem(p, n);
}

bool header_find(struct str header, struct str name, struct str *value)
{
	struct header_field f;

	while (header_next(&header, &f)) {
		if (str_ieq(f.name, name)) {
			*value = f.value;
			return true;
		}
	}
	return false;
}
