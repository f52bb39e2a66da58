// SPDX-License-Identifier: Apache-2.0
#include "common/mail/utf8run.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

size_t utf8run_ascii(struct str s)
{
	size_t i = 0;

#ifdef __SSE2__
	for (; s.n - i >= 16; i += 16) {
		__m128i v = _mm_loadu_si128((const __m128i *)(const void *)(s.p + i));
		unsigned high = (unsigned)_mm_movemask_epi8(v);

		if (high)
			return i + (unsigned)__builtin_ctz(high);
	}
#endif
	while (i < s.n && !(s.p[i] & 0x80))
		i++;
	return i;
}

size_t utf8run_ascii_lower(struct str s, struct buf *out)
{
	char *o = buf_reserve(out, s.n);
	size_t i = 0;

#ifdef __SSE2__
	for (; s.n - i >= 16; i += 16) {
		__m128i v = _mm_loadu_si128((const __m128i *)(const void *)(s.p + i)), upper;

		if (_mm_movemask_epi8(v))
			break;
		upper = _mm_and_si128(_mm_cmpgt_epi8(v, _mm_set1_epi8('A' - 1)),
				      _mm_cmplt_epi8(v, _mm_set1_epi8('Z' + 1)));
		v = _mm_or_si128(v, _mm_and_si128(upper, _mm_set1_epi8(0x20)));
		_mm_storeu_si128((__m128i *)(void *)(o + i), v);
	}
#endif
	for (; i < s.n && !(s.p[i] & 0x80); i++)
		o[i] = s.p[i] >= 'A' && s.p[i] <= 'Z' ? (char)(s.p[i] + 32) : s.p[i];
	buf_added(out, i);
	return i;
}

/* Bytes that a character takes by its first one; 1 where none begins so. */
static unsigned length_by(char first)
{
	unsigned char c = (unsigned char)first;

	return c < 0xc2 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 1;
}

size_t utf8run_unfinished(struct str s)
{
	for (size_t n = 1; n <= 3 && n <= s.n; n++) {
		char c = s.p[s.n - n];

		if ((c & 0xc0) != 0x80)
			return length_by(c) > n ? n : 0;
	}
	return 0;
}

bool utf8run_complete(char part[4], unsigned *npart, struct str *chunk)
{
	while (*npart < length_by(part[0])) {
		if (chunk->n == 0)
			return false;
		if ((chunk->p[0] & 0xc0) != 0x80)
			return true;
		part[(*npart)++] = chunk->p[0];
		*chunk = str_from(*chunk, 1);
	}
	return true;
}
