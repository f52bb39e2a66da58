// SPDX-License-Identifier: Apache-2.0
#include "common/mail/linescan.h"

#ifdef __SSE2__
#include <emmintrin.h>

/* Bit i: p[i] == a and p[i - 1] == b. Reads p[-1] .. p[15]. */
static inline unsigned pairs(const char *p, char a, char b)
{
	__m128i here = _mm_loadu_si128((const __m128i *)(const void *)p);
	__m128i before = _mm_loadu_si128((const __m128i *)(const void *)(p - 1));

	return (unsigned)_mm_movemask_epi8(_mm_and_si128(_mm_cmpeq_epi8(here, _mm_set1_epi8(a)),
							 _mm_cmpeq_epi8(before, _mm_set1_epi8(b))));
}

static inline unsigned bare_lfs(const char *p)
{
	__m128i here = _mm_loadu_si128((const __m128i *)(const void *)p);
	__m128i before = _mm_loadu_si128((const __m128i *)(const void *)(p - 1));

	return (unsigned)_mm_movemask_epi8(
		_mm_andnot_si128(_mm_cmpeq_epi8(before, _mm_set1_epi8('\r')),
				 _mm_cmpeq_epi8(here, _mm_set1_epi8('\n'))));
}

static inline uint64_t sum_bytes(__m128i v)
{
	__m128i sad = _mm_sad_epu8(v, _mm_setzero_si128());

	return (uint64_t)_mm_cvtsi128_si64(sad) +
	       (uint64_t)_mm_cvtsi128_si64(_mm_unpackhi_epi64(sad, sad));
}

/* 255 steps at most: each byte lane counts to 255. */
static void count_steps(struct linescan *c, const char *p, size_t steps)
{
	__m128i lf = _mm_setzero_si128(), bare = _mm_setzero_si128();

	for (; steps; steps--, p += 16) {
		__m128i here = _mm_loadu_si128((const __m128i *)(const void *)p);
		__m128i before = _mm_loadu_si128((const __m128i *)(const void *)(p - 1));
		__m128i is_lf = _mm_cmpeq_epi8(here, _mm_set1_epi8('\n'));

		lf = _mm_sub_epi8(lf, is_lf);
		bare = _mm_sub_epi8(
			bare, _mm_andnot_si128(_mm_cmpeq_epi8(before, _mm_set1_epi8('\r')), is_lf));
	}
	c->lf += sum_bytes(lf);
	c->bare += sum_bytes(bare);
}

/* Each takes whole steps from *i on and stops at the first hit, or where fewer than 16 remain. */
static void fast_count(struct linescan *c, struct str s, size_t *i)
{
	while (s.n - *i >= 16) {
		size_t steps = (s.n - *i) / 16 > 255 ? 255 : (s.n - *i) / 16;

		count_steps(c, s.p + *i, steps);
		*i += steps * 16;
	}
}

static void fast_dash(struct str s, size_t *i)
{
	unsigned hits;

	for (; s.n - *i >= 16; *i += 16) {
		hits = pairs(s.p + *i, '-', '\n');
		if (hits) {
			*i += (unsigned)__builtin_ctz(hits);
			return;
		}
	}
}

/* Copies from *i on and puts a CR before each bare LF, until fewer than 16 remain. Writes 16 at a time. */
static char *fast_crlf(char *o, struct str s, size_t *i)
{
	const char *p = s.p + *i, *end = s.p + s.n;
	unsigned hits, n;

	while (end - p >= 16) {
		_mm_storeu_si128((__m128i *)(void *)o, _mm_loadu_si128((const __m128i *)(const void *)p));
		hits = bare_lfs(p);
		n = hits ? (unsigned)__builtin_ctz(hits) : 16;
		p += n;
		o += n;
		if (hits) {
			*o++ = '\r';
			*o++ = '\n';
			p++;
		}
	}
	*i = (size_t)(p - s.p);
	return o;
}
#else
static char *fast_crlf(char *o, struct str s, size_t *i)
{
	return o;
}
static void fast_count(struct linescan *c, struct str s, size_t *i)
{
}
static void fast_dash(struct str s, size_t *i)
{
}
#endif

void linescan_count(struct linescan *c, struct str s, bool cr)
{
	size_t i = 1;

	if (s.n == 0)
		return;
	if (s.p[0] == '\n') {
		c->lf++;
		c->bare += !cr;
	}
	fast_count(c, s, &i);
	for (; i < s.n; i++) {
		if (s.p[i] == '\n') {
			c->lf++;
			c->bare += s.p[i - 1] != '\r';
		}
	}
}

size_t linescan_dash(struct str s)
{
	size_t i = 1;

	if (s.n == 0)
		return 0;
	fast_dash(s, &i);
	while (i < s.n && !(s.p[i] == '-' && s.p[i - 1] == '\n'))
		i++;
	return i;
}

size_t linescan_crlf(char *o, struct str s, bool cr)
{
	char *begin = o;
	size_t i = 1;

	if (s.n == 0)
		return 0;
	if (s.p[0] == '\n' && !cr)
		*o++ = '\r';
	*o++ = s.p[0];
	o = fast_crlf(o, s, &i);
	for (; i < s.n; i++) {
		if (s.p[i] == '\n' && s.p[i - 1] != '\r')
			*o++ = '\r';
		*o++ = s.p[i];
	}
	return (size_t)(o - begin);
}
