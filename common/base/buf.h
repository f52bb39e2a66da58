/* SPDX-License-Identifier: Apache-2.0 */
/*
 * buf: a growing output buffer, also used as an input queue (append at the end, consume in front).
 * Never fails: memory exhaustion ends the process with a log line (see ensure.h, xmalloc).
 */
#pragma once
#include <stdarg.h>
#include <stdint.h>
#include "common/base/str.h"

struct buf {
	char *p;    /* first live byte is p[off] */
	size_t off; /* consumed bytes in front */
	size_t n;   /* live bytes */
	size_t cap;
};
#define BUF_INIT ((struct buf){NULL, 0, 0, 0})

static inline struct str buf_str(const struct buf *b) /* valid until the next call that changes b */
{
	return (struct str){b->p ? b->p + b->off : "", b->n};
}
void buf_deinit(struct buf *b);              /* frees; b is then an empty buffer again */
void buf_reset(struct buf *b);               /* empty, memory kept */
char *buf_reserve(struct buf *b, size_t n);  /* room for n more bytes at the returned address ... */
void buf_added(struct buf *b, size_t n);     /* ... of which n were filled */
void buf_put(struct buf *b, const void *p, size_t n);
void buf_str_put(struct buf *b, struct str s);
void buf_puts(struct buf *b, const char *c); /* NUL-terminated text, without the NUL */
void buf_putc(struct buf *b, char c);
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *b, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));
void buf_u64(struct buf *b, uint64_t v);     /* decimal digits */
void buf_consume(struct buf *b, size_t n);   /* drop n bytes in front */
void buf_cut(struct buf *b, size_t n);       /* keep the first n bytes only */
void buf_insert(struct buf *b, size_t at, const void *p, size_t n);
void buf_trim(struct buf *b);                /* give memory back where the buffer is empty */
char *buf_cstr(struct buf *b);               /* NUL after the last byte (not counted); borrowed */
void buf_move(struct buf *dst, struct buf *src); /* dst's old content is freed; src becomes empty */
/* Like buf_deinit, but overwrites the memory first (passwords). */
void buf_wipe(struct buf *b);
