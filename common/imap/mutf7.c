/* SPDX-License-Identifier: Apache-2.0 */
#include "common/imap/mutf7.h"

#include "common/base/base64.h"
#include "common/base/utf8.h"

static bool is_direct(uint32_t c)
{
	return c >= 0x20 && c <= 0x7e;
}

/* base64 with ',' for '/', which separates folders elsewhere (RFC 3501 5.1.3). */
static int value(char c)
{
	return c == ',' ? 63 : c == '/' ? -1 : base64_value(c);
}

static char letter(uint32_t value)
{
	return value == 63 ? ',' : base64_letters[value];
}

/* One UTF-16 unit of an encoded run; *high holds a surrogate that waits for its second half. */
static bool put_unit(struct buf *out, uint32_t unit, uint32_t *high)
{
	bool low = unit >= 0xdc00 && unit <= 0xdfff;

	if (low != (*high != 0))
		return false;
	if (unit >= 0xd800 && unit <= 0xdbff) {
		*high = unit;
		return true;
	}
	if (low)
		unit = 0x10000 + ((*high - 0xd800) << 10) + (unit - 0xdc00);
	*high = 0;
	if (unit == 0 || is_direct(unit))
		return false;
	utf8_put(out, unit);
	return true;
}

/* run: what stands between '&' and '-', at least one character. */
static bool decode_run(struct buf *out, struct str run)
{
	uint32_t bits = 0, high = 0;
	unsigned n = 0;

	for (size_t i = 0; i < run.n; i++) {
		int d = value(run.p[i]);
		if (d < 0)
			return false;
		bits = bits << 6 | (uint32_t)d;
		n += 6;
		if (n < 16)
			continue;
		n -= 16;
		if (!put_unit(out, bits >> n, &high))
			return false;
		bits &= (1U << n) - 1;
	}
	return high == 0 && n < 6 && bits == 0;
}

static bool decode(struct buf *out, struct str in)
{
	bool after_run = false;

	for (size_t i = 0; i < in.n; i++) {
		size_t end;
		if (!is_direct((unsigned char)in.p[i]))
			return false;
		if (in.p[i] != '&') {
			buf_putc(out, in.p[i]);
			after_run = false;
			continue;
		}
		end = i + 1 + str_find(str_from(in, i + 1), '-');
		if (end >= in.n)
			return false;
		if (end == i + 1)
			buf_putc(out, '&');
		else if (after_run || !decode_run(out, str_sub(in, i + 1, end - i - 1)))
			return false;
		after_run = end != i + 1;
		i = end;
	}
	return true;
}

bool mutf7_decode(struct buf *out, struct str in)
{
	size_t before = out->n;

	if (decode(out, in))
		return true;
	buf_cut(out, before);
	return false;
}

struct run { /* an encoded run that is being written */
	uint32_t bits;
	unsigned n;
	bool open;
};

static void put_bits(struct buf *out, struct run *r, uint32_t unit)
{
	r->bits = r->bits << 16 | unit;
	r->n += 16;
	for (; r->n >= 6; r->n -= 6)
		buf_putc(out, letter(r->bits >> (r->n - 6) & 63));
	r->bits &= (1U << r->n) - 1;
}

static void encode_one(struct buf *out, struct run *r, uint32_t cp)
{
	if (!r->open)
		buf_putc(out, '&');
	r->open = true;
	if (cp < 0x10000) {
		put_bits(out, r, cp);
		return;
	}
	put_bits(out, r, 0xd800 + ((cp - 0x10000) >> 10));
	put_bits(out, r, 0xdc00 + ((cp - 0x10000) & 0x3ff));
}

static void close_run(struct buf *out, struct run *r)
{
	if (!r->open)
		return;
	if (r->n)
		buf_putc(out, letter(r->bits << (6 - r->n) & 63));
	buf_putc(out, '-');
	*r = (struct run){0};
}

bool mutf7_encode(struct buf *out, struct str in)
{
	size_t before = out->n, i = 0;
	struct run run = {0};
	uint32_t cp;

	while (i < in.n) {
		if (!utf8_next(in, &i, &cp) || cp == 0) {
			buf_cut(out, before);
			return false;
		}
		if (!is_direct(cp)) {
			encode_one(out, &run, cp);
			continue;
		}
		close_run(out, &run);
		buf_putc(out, (char)cp);
		if (cp == '&')
			buf_putc(out, '-');
	}
	close_run(out, &run);
	return true;
}
