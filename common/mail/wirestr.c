// SPDX-License-Identifier: Apache-2.0
#include "common/mail/wirestr.h"

/* Longer strings go as literals: some clients read quoted ones into fixed buffers. */
#define QUOTED_MAX 1000

static bool quotable(struct str s)
{
	if (s.n > QUOTED_MAX)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c == 0 || c == '\r' || c == '\n' || c >= 0x80)
			return false;
	}
	return true;
}

static void quoted(struct buf *out, struct str s)
{
	char *start = buf_reserve(out, 2 * s.n + 2), *o = start;

	*o++ = '"';
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '"' || s.p[i] == '\\')
			*o++ = '\\';
		*o++ = s.p[i];
	}
	*o++ = '"';
	buf_added(out, (size_t)(o - start));
}

static void literal(struct buf *out, struct str s)
{
	char *p;

	buf_putc(out, '{');
	buf_u64(out, s.n);
	buf_puts(out, "}\r\n");
	p = buf_reserve(out, s.n);
	for (size_t i = 0; i < s.n; i++)
		p[i] = s.p[i] ? s.p[i] : (char)0x80;
	buf_added(out, s.n);
}

void wirestr_put(struct buf *out, struct str s)
{
	if (quotable(s))
		quoted(out, s);
	else
		literal(out, s);
}

void wirestr_nput(struct buf *out, struct str s)
{
	if (s.p)
		wirestr_put(out, s);
	else
		buf_puts(out, "NIL");
}
