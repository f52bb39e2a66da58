/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/utf8.h"

#include "common/base/ensure.h"

bool utf8_next(struct str s, size_t *i, uint32_t *cp)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	const unsigned char *p = (const unsigned char *)s.p + *i;
	size_t left = s.n - *i, len;
	uint32_t v;

	ASSERT(*i < s.n);
	++*i;
	if (p[0] < 0x80) {
		*cp = p[0];
		return true;
	}
	len = p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : p[0] < 0xf5 ? 4 : 0;
	if (len == 0 || left < len)
		return false;
	v = p[0] & (0x7fU >> len);
	for (size_t k = 1; k < len; k++) {
		if ((p[k] & 0xc0) != 0x80)
			return false;
		v = v << 6 | (p[k] & 0x3f);
	}
	if (v < least[len] || v > 0x10ffff || (v >= 0xd800 && v <= 0xdfff))
		return false;
	*cp = v;
	*i += len - 1;
	return true;
}

bool utf8_valid(struct str s)
{
	uint32_t cp;

	for (size_t i = 0; i < s.n;)
		if (!utf8_next(s, &i, &cp))
			return false;
	return true;
}

void utf8_put(struct buf *b, uint32_t cp)
{
	ASSERT(cp <= 0x10ffff && !(cp >= 0xd800 && cp <= 0xdfff));
	if (cp < 0x80) {
		buf_putc(b, (char)cp);
	} else if (cp < 0x800) {
		buf_putc(b, (char)(0xc0 | cp >> 6));
		buf_putc(b, (char)(0x80 | (cp & 0x3f)));
	} else if (cp < 0x10000) {
		buf_putc(b, (char)(0xe0 | cp >> 12));
		buf_putc(b, (char)(0x80 | (cp >> 6 & 0x3f)));
		buf_putc(b, (char)(0x80 | (cp & 0x3f)));
	} else {
		buf_putc(b, (char)(0xf0 | cp >> 18));
		buf_putc(b, (char)(0x80 | (cp >> 12 & 0x3f)));
		buf_putc(b, (char)(0x80 | (cp >> 6 & 0x3f)));
		buf_putc(b, (char)(0x80 | (cp & 0x3f)));
	}
}
