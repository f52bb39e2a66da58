/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transcript: runs input through the parser in pieces and writes down all that the caller sees, so
 * that two ways of cutting the same input can be compared. Literals of APPEND are streamed, those
 * of REFUSE are refused, all others taken.
 */
#pragma once
#include "common/base/ensure.h"
#include "common/imap/parser.h"

typedef size_t transcript_cut_fn(void *ctx, size_t left); /* size of the next piece, 1..left */

static inline size_t transcript_cut_all(void *ctx, size_t left)
{
	return left;
}

static inline size_t transcript_cut_byte(void *ctx, size_t left)
{
	return 1;
}

static inline size_t transcript_cut_random(void *ctx, size_t left) /* ctx: uint32_t *seed */
{
	uint32_t *seed = ctx;

	*seed = *seed * 1664525 + 1013904223;
	return 1 + (*seed >> 16) % (left < 11 ? left : 11);
}

static inline void transcript_args(struct buf *out, const struct imap_arg *a)
{
	static const char kinds[] = "AQLBS(";

	for (; a; a = a->next) {
		buf_puts(out, a->glued ? "~" : " ");
		if (a->type == IMAP_ARG_LIST) {
			buf_printf(out, "(%zu:", a->count);
			transcript_args(out, a->list);
			buf_puts(out, " )");
			continue;
		}
		buf_printf(out, "%c%s<", kinds[a->type], a->literal8 ? "8" : "");
		if (a->type == IMAP_ARG_STREAM)
			buf_u64(out, a->size);
		else
			buf_str_put(out, a->s);
		buf_putc(out, '>');
	}
}

static inline void transcript_literal(struct buf *out, struct imap_parser *p, uint64_t *streaming)
{
	buf_printf(out, "{%llu%s%s}", (unsigned long long)p->literal.size,
		   p->literal.sync ? "" : "+", p->literal.literal8 ? " 8" : "");
	if (str_ieq(p->name, STR("REFUSE"))) {
		buf_puts(out, "refused ");
		imap_parser_refuse(p);
	} else if (str_ieq(p->name, STR("MULTI")) && p->depth == 0) {
		imap_parser_stream(p);
		imap_parser_next(p);
		*streaming = p->literal.size;
	} else if (str_ieq(p->name, STR("APPEND"))) {
		imap_parser_stream(p);
		*streaming = p->literal.size;
	} else if (!imap_parser_take(p)) {
		buf_puts(out, "over ");
	}
}

/* Handles one outcome; false where the connection would be closed. */
static inline bool transcript_event(struct buf *out, struct imap_parser *p, enum imap_parse r,
				    uint64_t *streaming)
{
	switch (r) {
	case IMAP_PARSE_LITERAL:
		transcript_literal(out, p, streaming);
		return true;
	case IMAP_PARSE_COMMAND:
		buf_str_put(out, p->tag);
		buf_putc(out, '|');
		buf_str_put(out, p->name);
		transcript_args(out, p->args);
		buf_puts(out, ".\n");
		imap_parser_wipe(p);
		return true;
	case IMAP_PARSE_BAD:
		imap_parser_put_bad(p, out);
		imap_parser_done(p);
		return true;
	default:
		buf_printf(out, "BYE %s", p->text);
		return false;
	}
}

static inline void transcript(struct buf *out, const struct imap_limits *limits, struct str in,
			      transcript_cut_fn *cut, void *ctx)
{
	struct imap_parser p;
	uint64_t streaming = 0;
	size_t at = 0, seen = 0, used;
	enum imap_parse r = IMAP_PARSE_MORE;

	imap_parser_init(&p, limits);
	while (at < in.n || r != IMAP_PARSE_MORE) {
		if (at == seen && seen < in.n && r == IMAP_PARSE_MORE)
			seen += cut(ctx, in.n - seen);
		if (streaming) {
			size_t n = seen - at < streaming ? seen - at : (size_t)streaming;
			streaming -= n;
			at += n;
			r = IMAP_PARSE_MORE;
			continue;
		}
		r = imap_parse_step(&p, str_sub(in, at, seen - at), &used);
		ASSERT(used <= seen - at);
		ASSERT(r != IMAP_PARSE_MORE || used == seen - at);
		at += used;
		if (r != IMAP_PARSE_MORE && !transcript_event(out, &p, r, &streaming))
			break;
	}
	buf_puts(out, imap_parser_idle(&p) ? "idle" : "busy");
	ASSERT(!imap_parser_idle(&p) || (p.arena.head == NULL && p.tok.cap == 0));
	imap_parser_deinit(&p);
}
