/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A message in random chunks: the tree is the same as of the whole, sizes are those of the bytes
 * sent, and BODYSTRUCTURE has balanced parentheses. The first two bytes choose chunks and limits.
 */
#include "common/base/ensure.h"
#include "common/mail/bodystructure.h"
#include "common/mail/envelope.h"
#include "common/mail/lfcrlf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct mime_part *parse(struct arena *a, struct str m,
				     const struct mime_limits *limits, unsigned seed)
{
	struct mime_parser *p = mime_begin(a, limits);

	while (m.n) {
		size_t n = m.n;

		seed = seed * 1103515245u + 12345u;
		if (seed & 0x10000)
			n = (seed >> 17) % 31;
		mime_push(p, str_sub(m, 0, n));
		m = str_from(m, n);
	}
	return mime_end(p);
}

static void check_range(struct str m, uint64_t off, uint64_t len, uint64_t wire)
{
	struct lfcrlf s = {0};

	ASSERT(off <= m.n && len <= m.n - off);
	ASSERT(lfcrlf_count(&s, str_sub(m, off, len)) == wire);
}

static void check_tree(struct str m, const struct mime_part *root, const struct mime_limits *limits)
{
	uint32_t n = 0;

	for (const struct mime_part *p = root; p; p = mime_next(p), n++) {
		check_range(m, p->header_off, p->header_len, p->header_wire);
		check_range(m, p->body_off, p->body_len, p->body_wire);
		ASSERT(p->header_off + p->header_len == p->body_off);
		ASSERT(p->kind == MIME_LEAF || p->children);
		ASSERT(p->level <= limits->depth && p->params.n <= limits->params);
		ASSERT(p->header.n <= limits->header_max && p->header.n <= p->header_len);
		ASSERT(!p->parent ||
		       (p->header_off >= p->parent->body_off &&
			p->body_off + p->body_len <= p->parent->body_off + p->parent->body_len));
	}
	ASSERT(n == root->nparts);
	ASSERT(root->header_len + root->body_len == m.n);
}

static void check_same(const struct mime_part *a, const struct mime_part *b)
{
	for (; a && b; a = mime_next(a), b = mime_next(b)) {
		ASSERT(a->kind == b->kind && a->level == b->level && a->number == b->number);
		ASSERT(a->header_off == b->header_off && a->header_len == b->header_len);
		ASSERT(a->body_len == b->body_len && a->body_wire == b->body_wire);
		ASSERT(a->body_lines == b->body_lines && str_eq(a->header, b->header));
	}
	ASSERT(!a && !b);
}

static void check_text(struct str s)
{
	long depth = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '"') {
			for (i++; s.p[i] != '"'; i++)
				i += s.p[i] == '\\';
		} else if (s.p[i] == '{') {
			size_t n = 0;

			for (i++; s.p[i] != '}'; i++)
				n = n * 10 + (size_t)(s.p[i] - '0');
			i += 2 + n;
		} else {
			ASSERT(s.p[i] > 0 && s.p[i] < 127);
			depth += s.p[i] == '(' ? 1 : s.p[i] == ')' ? -1 : 0;
		}
		ASSERT(i < s.n && (depth > 0 || i == s.n - 1));
	}
	ASSERT(depth == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a = ARENA_INIT;
	struct buf out = BUF_INIT;
	struct mime_limits limits = MIME_LIMITS_DEFAULT;
	const struct mime_part *whole, *cut;
	struct str m;

	if (size < 2)
		return 0;
	if (data[0] & 1)
		limits = (struct mime_limits){
			1 + (data[0] >> 5), 1 + (data[0] >> 1) % 16, (size_t)data[0] + 1, 2, 3,
			data[0] & 2};
	m = str_mem(data + 2, size - 2);
	whole = parse(&a, m, &limits, 0);
	cut = parse(&a, m, &limits, data[1] + 1u);
	check_tree(m, whole, &limits);
	check_same(whole, cut);
	for (int extended = 0; extended < 2; extended++) {
		buf_reset(&out);
		mime_put_bodystructure(&out, whole, extended, &limits);
		check_text(buf_str(&out));
	}
	buf_reset(&out);
	mime_put_envelope(&out, whole->header, &limits);
	check_text(buf_str(&out));
	buf_deinit(&out);
	arena_deinit(&a);
	return 0;
}
