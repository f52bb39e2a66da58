/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/hex.h"

static const char digits[] = "0123456789abcdef";

void hex_encode(struct buf *out, struct str in)
{
	for (size_t i = 0; i < in.n; i++) {
		buf_putc(out, digits[(unsigned char)in.p[i] >> 4]);
		buf_putc(out, digits[(unsigned char)in.p[i] & 15]);
	}
}

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

int hex_decode(struct buf *out, struct str in)
{
	size_t start = out->n;

	for (size_t i = 0; i < in.n; i += 2) {
		int high = digit_value(in.p[i]);
		int low = i + 1 < in.n ? digit_value(in.p[i + 1]) : -1;

		if (high < 0 || low < 0) {
			buf_cut(out, start);
			return -1;
		}
		buf_putc(out, (char)(high << 4 | low));
	}
	return 0;
}
