/* SPDX-License-Identifier: Apache-2.0 */
#include "common/imap/reply.h"

#include "common/base/ensure.h"
#include "common/imap/chars.h"

static bool quotable(struct str s)
{
	if (s.n > IMAP_QUOTED_MAX)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		if (c < ' ' || c >= 0x7f)
			return false;
	}
	return true;
}

static void put_quoted(struct buf *out, struct str s)
{
	size_t start = 0;

	buf_putc(out, '"');
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] != '"' && s.p[i] != '\\')
			continue;
		buf_put(out, s.p + start, i - start);
		buf_putc(out, '\\');
		start = i;
	}
	if (start < s.n)
		buf_put(out, s.p + start, s.n - start);
	buf_putc(out, '"');
}

void imap_put_literal_head(struct buf *out, uint64_t n, bool literal8)
{
	buf_puts(out, literal8 ? "~{" : "{");
	buf_u64(out, n);
	buf_puts(out, "}\r\n");
}

void imap_put_literal(struct buf *out, struct str s)
{
	imap_put_literal_head(out, s.n, false);
	buf_str_put(out, s);
}

void imap_put_string(struct buf *out, struct str s)
{
	if (quotable(s))
		put_quoted(out, s);
	else
		imap_put_literal(out, s);
}

void imap_put_astring(struct buf *out, struct str s)
{
	bool atom = s.n > 0 && s.n <= IMAP_QUOTED_MAX && !str_ieq(s, STR("NIL"));

	for (size_t i = 0; atom && i < s.n; i++)
		atom = imap_is_astring_char(s.p[i]);
	if (atom)
		buf_str_put(out, s);
	else
		imap_put_string(out, s);
}

void imap_put_mailbox(struct buf *out, struct str name)
{
	imap_put_string(out, name);
}

void imap_put_text(struct buf *out, struct str text)
{
	size_t n = text.n < IMAP_CODE_TEXT_MAX ? text.n : IMAP_CODE_TEXT_MAX;
	char *p = buf_reserve(out, n);

	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)text.p[i];
		p[i] = c < ' ' || c >= 0x7f ? '?' : (char)c;
	}
	buf_added(out, n);
}

void imap_put_tagged(struct buf *out, struct str tag, const char *fmt, ...)
{
	char text[IMAP_CODE_TEXT_MAX + 1];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	ASSERT(n >= 0);
	if (tag.n)
		buf_str_put(out, tag);
	else
		buf_putc(out, '*');
	buf_putc(out, ' ');
	imap_put_text(out, str_c(text));
	buf_puts(out, "\r\n");
}

void imap_put_untagged(struct buf *out, const char *fmt, ...)
{
	va_list ap;

	buf_puts(out, "* ");
	va_start(ap, fmt);
	buf_vprintf(out, fmt, ap);
	va_end(ap);
	buf_puts(out, "\r\n");
}

void imap_put_continue(struct buf *out, const char *text)
{
	buf_puts(out, "+ ");
	buf_puts(out, text);
	buf_puts(out, "\r\n");
}
