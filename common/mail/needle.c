// SPDX-License-Identifier: Apache-2.0
#include "common/mail/needle.h"
#include "common/mail/charset.h"
#include "common/mail/utf8run.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* The text is folded and searched in pieces of this size: they fit the cache. */
#define PIECE 32768

/* Candidates of the filter below may cost this many bytes of comparing per byte of text; beyond it
 * ("aaaaab" in "aaaa...") memmem, whose worst case is linear, takes over. */
#define WORK_PER_BYTE 4

static bool holds_slow(struct str text, struct str key)
{
	return text.n >= key.n && memmem(text.p, text.n, key.p, key.n);
}

#ifdef __SSE2__
/* 16 positions a step: where the key's first and last byte both fit, the rest is compared. */
static bool holds(struct str text, struct str key)
{
	__m128i first = _mm_set1_epi8(key.p[0]), last = _mm_set1_epi8(key.p[key.n - 1]);
	size_t work = text.n * WORK_PER_BYTE, i = 0;

	for (; text.n >= key.n + 15 && i <= text.n - key.n - 15; i += 16) {
		const char *p = text.p + i;
		__m128i a = _mm_loadu_si128((const __m128i *)(const void *)p);
		__m128i b = _mm_loadu_si128((const __m128i *)(const void *)(p + key.n - 1));
		unsigned hits = (unsigned)_mm_movemask_epi8(
			_mm_and_si128(_mm_cmpeq_epi8(a, first), _mm_cmpeq_epi8(b, last)));

		for (; hits; hits &= hits - 1) {
			if (memcmp(p + __builtin_ctz(hits), key.p, key.n) == 0)
				return true;
			if (work < key.n)
				return holds_slow(str_from(text, i), key);
			work -= key.n;
		}
	}
	return holds_slow(str_from(text, i), key);
}
#else
#define holds holds_slow
#endif

void needle_init(struct needle *k, struct str utf8)
{
	*k = (struct needle){.key = BUF_INIT, .window = BUF_INIT};
	charset_fold(&k->key, utf8);
	k->found = k->key.n == 0;
}

void needle_deinit(struct needle *k)
{
	buf_deinit(&k->key);
	buf_deinit(&k->window);
}

void needle_reset(struct needle *k)
{
	k->found = k->key.n == 0;
	k->npart = 0;
	buf_reset(&k->window);
}

/* Searches the window and keeps what the key may begin in. */
static void search(struct needle *k)
{
	if (k->window.n < k->key.n)
		return;
	k->found = holds(buf_str(&k->window), buf_str(&k->key));
	buf_consume(&k->window, k->window.n - (k->key.n - 1));
}

static void add(struct needle *k, struct str s)
{
	charset_fold(&k->window, s);
	if (k->window.n >= PIECE && k->window.n >= 2 * k->key.n)
		search(k);
}

bool needle_push(struct needle *k, struct str s)
{
	if (k->found || s.n == 0)
		return k->found;
	if (k->npart) {
		if (!utf8run_complete(k->part, &k->npart, &s))
			return false;
		add(k, str_mem(k->part, k->npart));
		k->npart = 0;
	}
	k->npart = (unsigned)utf8run_unfinished(s);
	s.n -= k->npart;
	memcpy(k->part, s.p + s.n, k->npart);
	while (s.n && !k->found) {
		size_t n = s.n;

		if (n > PIECE) {
			n = PIECE;
			n -= utf8run_unfinished(str_sub(s, 0, n));
		}
		add(k, str_sub(s, 0, n));
		s = str_from(s, n);
	}
	return k->found;
}

bool needle_end(struct needle *k)
{
	if (!k->found) {
		add(k, str_mem(k->part, k->npart));
		k->npart = 0;
	}
	if (!k->found)
		search(k);
	return k->found;
}

bool needle_in(struct needle *k, struct str text)
{
	needle_reset(k);
	needle_push(k, text);
	return needle_end(k);
}
