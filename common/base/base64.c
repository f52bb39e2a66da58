/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/base64.h"

const char base64_letters[64 + 1] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(struct buf *out, struct str in)
{
	const unsigned char *p = (const unsigned char *)in.p;
	size_t n = in.n;

	for (; n >= 3; p += 3, n -= 3) {
		char q[4] = {base64_letters[p[0] >> 2], base64_letters[(p[0] & 3) << 4 | p[1] >> 4],
			     base64_letters[(p[1] & 15) << 2 | p[2] >> 6], base64_letters[p[2] & 63]};
		buf_put(out, q, 4);
	}
	if (n == 0)
		return;
	unsigned second = n == 2 ? p[1] : 0;
	char q[4] = {base64_letters[p[0] >> 2], base64_letters[(p[0] & 3) << 4 | second >> 4],
		     n == 2 ? base64_letters[(second & 15) << 2] : '=', '='};
	buf_put(out, q, 4);
}

int base64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* The four characters at p; the last group may hold pad characters. Returns bytes made, or -1. */
static int decode_group(const char *p, bool last, unsigned char out[3])
{
	int a = base64_value(p[0]), b = base64_value(p[1]), c = base64_value(p[2]), d = base64_value(p[3]);

	if (a < 0 || b < 0)
		return -1;
	out[0] = (unsigned char)(a << 2 | b >> 4);
	if (last && p[2] == '=' && p[3] == '=')
		return (b & 15) == 0 ? 1 : -1;
	if (c < 0)
		return -1;
	out[1] = (unsigned char)((b & 15) << 4 | c >> 2);
	if (last && p[3] == '=')
		return (c & 3) == 0 ? 2 : -1;
	if (d < 0)
		return -1;
	out[2] = (unsigned char)((c & 3) << 6 | d);
	return 3;
}

int base64_decode(struct buf *out, struct str in)
{
	size_t start = out->n;
	unsigned char bytes[3];

	if (in.n % 4 != 0)
		return -1;
	for (size_t i = 0; i < in.n; i += 4) {
		int n = decode_group(in.p + i, i + 4 == in.n, bytes);

		if (n < 0) {
			buf_cut(out, start);
			return -1;
		}
		buf_put(out, bytes, (size_t)n);
	}
	return 0;
}
