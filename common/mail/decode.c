// SPDX-License-Identifier: Apache-2.0
#include "common/mail/decode.h"

enum decode_kind decode_kind(struct str e)
{
	if (e.n == 0 || str_ieq(e, STR("7bit")) || str_ieq(e, STR("8bit")) ||
	    str_ieq(e, STR("binary")))
		return DECODE_IDENTITY;
	if (str_ieq(e, STR("base64")))
		return DECODE_BASE64;
	if (str_ieq(e, STR("quoted-printable")))
		return DECODE_QP;
	return DECODE_UNKNOWN;
}

void decode_init(struct decoder *d, enum decode_kind kind)
{
	*d = (struct decoder){.kind = kind};
}

/* ---- base64 ------------------------------------------------------------------------------ */

/* Value + 1 of each letter, 0 for what is none. */
static const unsigned char b64[256] = {
	['A'] = 1,  2,	3,  4,	5,  6,	7,  8,	9,  10, 11,	    12,		13,
	14,	    15, 16, 17, 18, 19, 20, 21, 22, 23, 24,	    25,		26,
	['a'] = 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37,	    38,		39,
	40,	    41, 42, 43, 44, 45, 46, 47, 48, 49, 50,	    51,		52,
	['0'] = 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, ['+'] = 63, ['/'] = 64,
};

/* Four letters a step, as long as nothing is pending and all are letters. */
static size_t base64_fast(struct str s, char **o)
{
	size_t i = 0;

	for (; s.n - i >= 4; i += 4) {
		unsigned a = b64[(unsigned char)s.p[i]], b = b64[(unsigned char)s.p[i + 1]];
		unsigned c = b64[(unsigned char)s.p[i + 2]], e = b64[(unsigned char)s.p[i + 3]];
		uint32_t v;

		if (!a || !b || !c || !e)
			break;
		v = (a - 1) << 18 | (b - 1) << 12 | (c - 1) << 6 | (e - 1);
		*(*o)++ = (char)(v >> 16);
		*(*o)++ = (char)(v >> 8);
		*(*o)++ = (char)v;
	}
	return i;
}

static void base64_letter(struct decoder *d, unsigned value, char **o)
{
	d->bits = d->bits << 6 | value;
	d->nbits += 6;
	if (d->nbits >= 8) {
		d->nbits -= 8;
		*(*o)++ = (char)(d->bits >> d->nbits);
	}
	if (d->nbits == 0)
		d->bits = 0;
}

static void base64_push(struct decoder *d, struct str s, struct buf *out)
{
	char *start = buf_reserve(out, s.n + 4), *o = start;

	while (s.n) {
		size_t n = d->nbits ? 0 : base64_fast(s, &o);

		if (n) {
			s = str_from(s, n);
			continue;
		}
		if (b64[(unsigned char)s.p[0]])
			base64_letter(d, b64[(unsigned char)s.p[0]] - 1u, &o);
		else if (s.p[0] == '=') /* padding: what follows starts anew */
			d->nbits = d->bits = 0;
		s = str_from(s, 1);
	}
	buf_added(out, (size_t)(o - start));
}

/* ---- quoted-printable -------------------------------------------------------------------- */

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

static bool blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static void let_go(struct decoder *d, struct buf *out)
{
	buf_put(out, d->held, d->nheld);
	d->nheld = 0;
}

static void hold(struct decoder *d, char c, struct buf *out)
{
	if (d->nheld == sizeof d->held)
		let_go(d, out);
	d->held[d->nheld++] = c;
}

/* No escape is open; blanks may be held: before a line end they were added on the way. */
static void qp_byte(struct decoder *d, char c, struct buf *out)
{
	if (c == '\n') {
		bool cr = d->nheld && d->held[d->nheld - 1] == '\r';

		d->nheld = 0;
		buf_puts(out, cr ? "\r\n" : "\n");
		return;
	}
	if (!blank(c))
		let_go(d, out);
	if (c == '=' || blank(c))
		hold(d, c, out);
	else
		buf_putc(out, c);
}

/* RFC 2045 6.7: "=XX", or "=" blanks (CR) LF for no line break; something else stays as it is. */
static void qp_escape(struct decoder *d, char c, struct buf *out)
{
	bool first = d->nheld == 1, digit = !first && hex(d->held[1]) >= 0;

	if (digit && hex(c) >= 0) {
		buf_putc(out, (char)(hex(d->held[1]) << 4 | hex(c)));
		d->nheld = 0;
	} else if (!digit && c == '\n') {
		d->nheld = 0;
	} else if ((first && hex(c) >= 0) || (!digit && blank(c) && d->nheld < sizeof d->held)) {
		hold(d, c, out);
	} else {
		let_go(d, out);
		qp_byte(d, c, out);
	}
}

/* Looked at once: else each of many escapes without a line end would look through all the rest. */
#define QP_RUN_MAX 256

/* Up to the first '=' or through the line end, with nothing held before; returns how much. */
static size_t qp_run(struct decoder *d, struct str all, struct buf *out)
{
	struct str s = str_sub(all, 0, QP_RUN_MAX);
	const char *lf = memchr(s.p, '\n', s.n);
	size_t line = lf ? (size_t)(lf - s.p) : s.n, kept;
	const char *escape = memchr(s.p, '=', line);

	if (escape)
		line = (size_t)(escape - s.p);
	kept = line;
	while (!escape && kept && blank(s.p[kept - 1]))
		kept--;
	buf_put(out, s.p, kept);
	if (!escape && lf) {
		buf_puts(out, line > kept && s.p[line - 1] == '\r' ? "\r\n" : "\n");
		return line + 1;
	}
	for (; kept < line; kept++)
		hold(d, s.p[kept], out);
	if (escape)
		hold(d, s.p[line++], out);
	return line;
}

static void qp_push(struct decoder *d, struct str s, struct buf *out)
{
	while (s.n) {
		size_t n = 1;

		if (d->nheld == 0)
			n = qp_run(d, s, out);
		else if (d->held[0] == '=')
			qp_escape(d, s.p[0], out);
		else
			qp_byte(d, s.p[0], out);
		s = str_from(s, n);
	}
}

void decode_push(struct decoder *d, struct str chunk, struct buf *out)
{
	if (chunk.n == 0)
		return;
	if (d->kind == DECODE_BASE64)
		base64_push(d, chunk, out);
	else if (d->kind == DECODE_QP)
		qp_push(d, chunk, out);
	else
		buf_str_put(out, chunk);
}

void decode_end(struct decoder *d, struct buf *out)
{
	bool soft_break = d->nheld && d->held[0] == '=' && (d->nheld == 1 || blank(d->held[1]));

	if (!soft_break)
		let_go(d, out);
	d->nheld = 0;
	d->bits = d->nbits = 0;
}

void decode_q_word(struct str in, struct buf *out)
{
	for (size_t i = 0; i < in.n; i++) {
		if (in.p[i] == '_') {
			buf_putc(out, ' ');
		} else if (in.p[i] == '=' && i + 2 < in.n && hex(in.p[i + 1]) >= 0 &&
			   hex(in.p[i + 2]) >= 0) {
			buf_putc(out, (char)(hex(in.p[i + 1]) << 4 | hex(in.p[i + 2])));
			i += 2;
		} else {
			buf_putc(out, in.p[i]);
		}
	}
}
