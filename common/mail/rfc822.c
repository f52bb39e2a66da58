// SPDX-License-Identifier: Apache-2.0
#include "common/mail/rfc822.h"

static void comment(struct rfc822 *x, struct buf *out)
{
	size_t depth = 0;

	for (; x->p < x->end; x->p++) {
		char c = *x->p;

		if (c == '(') {
			if (depth++ == 0)
				continue;
		} else if (c == ')') {
			if (--depth == 0) {
				x->p++;
				return;
			}
		} else if (c == '\\' && x->p + 1 < x->end) {
			c = *++x->p;
		}
		if (out && c != '\r' && c != '\n')
			buf_putc(out, c);
	}
}

void rfc822_cfws(struct rfc822 *x, struct buf *last)
{
	while (x->p < x->end) {
		if (*x->p == '(') {
			if (last)
				buf_reset(last);
			comment(x, last);
		} else if (rfc822_blank(*x->p)) {
			x->p++;
		} else {
			return;
		}
	}
}

void rfc822_quoted(struct rfc822 *x, struct buf *out)
{
	for (x->p++; x->p < x->end; x->p++) {
		char c = *x->p;

		if (c == '"') {
			x->p++;
			return;
		}
		if (c == '\\') {
			if (x->p + 1 == x->end) /* B58: nothing to escape */
				continue;
			c = *++x->p;
		}
		if (c != '\r' && c != '\n')
			buf_putc(out, c);
	}
}

void rfc822_domain_literal(struct rfc822 *x, struct buf *out)
{
	for (; x->p < x->end; x->p++) {
		char c = *x->p;

		if (!rfc822_blank(c))
			buf_putc(out, c);
		if (c == ']') {
			x->p++;
			return;
		}
	}
}

size_t rfc822_dot_atom(struct rfc822 *x, struct buf *out)
{
	const char *start = x->p;

	while (x->p < x->end && !rfc822_blank(*x->p) && !memchr("()<>[]:;@\\,\"", *x->p, 12))
		x->p++;
	buf_put(out, start, (size_t)(x->p - start));
	return (size_t)(x->p - start);
}

struct str rfc822_token(struct rfc822 *x)
{
	const char *start = x->p;

	while (x->p < x->end && (unsigned char)*x->p > ' ' && *x->p != 127 &&
	       !memchr("()<>@,;:\\\"/[]?=", *x->p, 15))
		x->p++;
	return str_mem(start, (size_t)(x->p - start));
}
