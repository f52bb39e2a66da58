/* SPDX-License-Identifier: Apache-2.0 */
/* mailtest: what the tests of common/mail share. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/ensure.h"
#include "common/mail/bodystructure.h"
#include "common/mail/envelope.h"
#include "common/mail/lfcrlf.h"

/* How a text is cut into chunks: by a fixed size (0: whole), or at random where seed is set. */
struct cuts {
	size_t size;
	unsigned seed;
};
#define WHOLE ((struct cuts){0, 0})

static inline size_t cut_next(struct cuts *c, size_t left)
{
	size_t n = c->size ? c->size : left;

	if (c->seed) {
		c->seed = c->seed * 1103515245u + 12345u;
		n = (c->seed >> 16) % 23;
	}
	return n < left ? n : left;
}

static inline const struct mime_part *parse(struct arena *a, struct str m, struct cuts c,
					    const struct mime_limits *limits)
{
	struct mime_parser *p = mime_begin(a, limits);

	while (m.n) {
		size_t n = cut_next(&c, m.n);

		mime_push(p, str_sub(m, 0, n));
		m = str_from(m, n);
	}
	return mime_end(p);
}

/* Everything that is known of each part, one a line. */
static inline void dump(struct buf *out, const struct mime_part *root)
{
	for (const struct mime_part *p = root; p; p = mime_next(p)) {
		buf_printf(out, "%u.%u %d %d%d %.*s/%.*s ", p->level, p->number, p->kind, p->text,
			   p->limited, STR_ARG(p->type), STR_ARG(p->subtype));
		buf_printf(out, "h %lu+%lu/%lu/%lu ", p->header_off, p->header_len, p->header_wire,
			   p->header_lines);
		buf_printf(out, "b %lu+%lu/%lu/%lu raw %zu,%d\n", p->body_off, p->body_len,
			   p->body_wire, p->body_lines, p->header.n, p->header_cut);
	}
}

static inline void check_range(struct str m, uint64_t off, uint64_t len, uint64_t wire,
			       uint64_t lines)
{
	struct str s = str_sub(m, off, len);
	struct lfcrlf state = {0};
	uint64_t lfs = 0;

	assert_true(off + len <= m.n);
	for (size_t i = 0; i < s.n; i++)
		lfs += s.p[i] == '\n';
	assert_int_equal(wire, lfcrlf_count(&state, s));
	assert_int_equal(lines, lfs);
}

/* Sizes are those of the bytes that would be sent; parts lie inside of their parents. */
static inline void check_tree(struct str m, const struct mime_part *root)
{
	assert_int_equal(root->header_len + root->body_len, m.n);
	for (const struct mime_part *p = root; p; p = mime_next(p)) {
		check_range(m, p->header_off, p->header_len, p->header_wire, p->header_lines);
		check_range(m, p->body_off, p->body_len, p->body_wire, p->body_lines);
		assert_int_equal(p->header_off + p->header_len, p->body_off);
		if (p->parent) {
			assert_true(p->header_off >= p->parent->body_off);
			assert_true(p->body_off + p->body_len <=
				    p->parent->body_off + p->parent->body_len);
		}
	}
}
