/* SPDX-License-Identifier: Apache-2.0 */
#include "common/auth/saslprep.h"
#include <utf8proc.h>
#include "common/base/ensure.h"
#include "common/base/utf8.h"

struct range {
	uint32_t from, to;
};

/* RFC 3454 C.1.2: become U+0020. */
static const struct range spaces[] = {{0xa0, 0xa0},	{0x1680, 0x1680}, {0x2000, 0x200b},
				      {0x202f, 0x202f}, {0x205f, 0x205f}, {0x3000, 0x3000}};
/* B.1: become nothing. */
static const struct range nothing[] = {{0xad, 0xad},	 {0x34f, 0x34f},   {0x1806, 0x1806},
				       {0x180b, 0x180d}, {0x200c, 0x200d}, {0x2060, 0x2060},
				       {0xfe00, 0xfe0f}, {0xfeff, 0xfeff}};
/* C.2.1 to C.9; C.4's last two of each plane are looked for apart. */
static const struct range prohibited[] = {
	{0x0, 0x1f},	    {0x7f, 0x9f},	{0x340, 0x341},	    {0x6dd, 0x6dd},
	{0x70f, 0x70f},	    {0x180e, 0x180e},	{0x200c, 0x200f},   {0x2028, 0x202e},
	{0x2060, 0x2063},   {0x206a, 0x206f},	{0x2ff0, 0x2ffb},   {0xd800, 0xf8ff},
	{0xfdd0, 0xfdef},   {0xfeff, 0xfeff},	{0xfff9, 0xffff},   {0x1d173, 0x1d17a},
	{0xe0001, 0xe0001}, {0xe0020, 0xe007f}, {0xf0000, 0xfffff}, {0x100000, 0x10ffff}};

static bool in_ranges(const struct range *r, size_t n, uint32_t cp)
{
	for (size_t i = 0; i < n; i++)
		if (cp >= r[i].from && cp <= r[i].to)
			return true;
	return false;
}
#define IN(table, cp) in_ranges(table, ARRAY_LEN(table), cp)

static bool is_plain_ascii(struct str in)
{
	for (size_t i = 0; i < in.n; i++)
		if ((unsigned char)in.p[i] < ' ' || (unsigned char)in.p[i] >= 0x7f)
			return false;
	return true;
}

static bool map(struct buf *out, struct str in)
{
	uint32_t cp;

	for (size_t i = 0; i < in.n;) {
		if (!utf8_next(in, &i, &cp) || cp == 0)
			return false;
		if (IN(spaces, cp))
			buf_putc(out, ' ');
		else if (!IN(nothing, cp))
			utf8_put(out, cp);
	}
	return true;
}

/* RFC 3454 6: a text with right-to-left letters has no others, and begins and ends with them. */
struct direction {
	bool any_rtl, any_ltr, first_rtl, last_rtl, begun;
};

static void look_at_direction(struct direction *d, uint32_t cp)
{
	unsigned class = utf8proc_get_property((utf8proc_int32_t)cp)->bidi_class;
	bool rtl = class == UTF8PROC_BIDI_CLASS_R || class == UTF8PROC_BIDI_CLASS_AL;

	if (!d->begun)
		d->first_rtl = rtl;
	d->begun = true;
	d->last_rtl = rtl;
	d->any_rtl |= rtl;
	d->any_ltr |= class == UTF8PROC_BIDI_CLASS_L;
}

static bool is_allowed(struct str s)
{
	struct direction d = {false};
	uint32_t cp;

	for (size_t i = 0; i < s.n;) {
		if (!utf8_next(s, &i, &cp) || IN(prohibited, cp) || (cp & 0xfffe) == 0xfffe)
			return false;
		look_at_direction(&d, cp);
	}
	return !d.any_rtl || (!d.any_ltr && d.first_rtl && d.last_rtl);
}

bool saslprep(struct buf *out, struct str in)
{
	struct buf mapped = BUF_INIT;
	utf8proc_uint8_t *composed = NULL;
	utf8proc_ssize_t n = -1;
	bool ok = false;

	if (is_plain_ascii(in)) {
		buf_str_put(out, in);
		return true;
	}
	if (map(&mapped, in))
		n = utf8proc_map((const utf8proc_uint8_t *)buf_str(&mapped).p,
				 (utf8proc_ssize_t)mapped.n, &composed,
				 UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT);
	if (n >= 0) {
		ok = is_allowed(str_mem(composed, (size_t)n));
		if (ok)
			buf_put(out, composed, (size_t)n);
		explicit_bzero(composed, (size_t)n);
	}
	free(composed);
	buf_wipe(&mapped);
	return ok;
}
