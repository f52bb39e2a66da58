/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/buf.h"

#include <stdio.h>

#include "common/base/ensure.h"
#include "common/base/secret.h"

void buf_deinit(struct buf *b)
{
	free(b->p);
	*b = BUF_INIT;
}

void buf_wipe(struct buf *b)
{
	if (b->p)
		secret_zero(b->p, b->cap);
	buf_deinit(b);
}

void buf_reset(struct buf *b)
{
	b->off = b->n = 0;
}

char *buf_reserve(struct buf *b, size_t n)
{
	size_t need, cap;

	ASSERT(!__builtin_add_overflow(b->n, n, &need));
	if (b->p && need <= b->cap - b->off)
		return b->p + b->off + b->n;
	/* Moving the live bytes to the front is worth it only where much was consumed: else a queue
	 * that is eaten byte by byte would be copied each time. */
	if (b->p && need <= b->cap && b->off >= b->n) {
		memmove(b->p, b->p + b->off, b->n);
		b->off = 0;
		return b->p + b->n;
	}
	cap = b->cap < 64 ? 64 : b->cap + b->cap / 2;
	if (cap < need)
		cap = need;
	if (b->off == 0) {
		b->p = xrealloc(b->p, cap);
	} else {
		char *p = xmalloc(cap);

		memcpy(p, b->p + b->off, b->n);
		free(b->p);
		b->p = p;
		b->off = 0;
	}
	b->cap = cap;
	return b->p + b->n;
}

void buf_added(struct buf *b, size_t n)
{
	ASSERT(n <= b->cap - b->off - b->n);
	b->n += n;
}

void buf_put(struct buf *b, const void *p, size_t n)
{
	if (n == 0)
		return;
	memcpy(buf_reserve(b, n), p, n);
	b->n += n;
}

void buf_str_put(struct buf *b, struct str s)
{
	buf_put(b, s.p, s.n);
}

void buf_puts(struct buf *b, const char *c)
{
	buf_put(b, c, strlen(c));
}

void buf_putc(struct buf *b, char c)
{
	*buf_reserve(b, 1) = c;
	b->n++;
}

void buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
	va_list again;
	char *at = buf_reserve(b, 64);
	size_t room = b->cap - b->off - b->n;
	int n;

	va_copy(again, ap);
	n = vsnprintf(at, room, fmt, ap);
	ASSERT(n >= 0);
	if ((size_t)n >= room) {
		at = buf_reserve(b, (size_t)n + 1);
		n = vsnprintf(at, (size_t)n + 1, fmt, again);
		ASSERT(n >= 0);
	}
	va_end(again);
	b->n += (size_t)n;
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(b, fmt, ap);
	va_end(ap);
}

void buf_u64(struct buf *b, uint64_t v)
{
	char digits[20];
	size_t i = sizeof digits;

	do {
		digits[--i] = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	buf_put(b, digits + i, sizeof digits - i);
}

void buf_consume(struct buf *b, size_t n)
{
	ASSERT(n <= b->n);
	b->n -= n;
	b->off = b->n ? b->off + n : 0;
}

void buf_cut(struct buf *b, size_t n)
{
	ASSERT(n <= b->n);
	b->n = n;
}

void buf_insert(struct buf *b, size_t at, const void *p, size_t n)
{
	char *base;

	ASSERT(at <= b->n);
	if (n == 0)
		return;
	buf_reserve(b, n);
	base = b->p + b->off;
	memmove(base + at + n, base + at, b->n - at);
	memcpy(base + at, p, n);
	b->n += n;
}

void buf_trim(struct buf *b)
{
	if (b->n == 0)
		buf_deinit(b);
}

char *buf_cstr(struct buf *b)
{
	*buf_reserve(b, 1) = '\0';
	return b->p + b->off;
}

void buf_move(struct buf *dst, struct buf *src)
{
	ASSERT(dst != src);
	buf_deinit(dst);
	*dst = *src;
	*src = BUF_INIT;
}
