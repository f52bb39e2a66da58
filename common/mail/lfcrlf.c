// SPDX-License-Identifier: Apache-2.0
#include "common/mail/lfcrlf.h"
#include "common/mail/linescan.h"

/* Small enough that a window's edge costs little, large enough that the rest doesn't. */
#define WINDOW_STEP 4096

static void replace_nuls(char *p, size_t n)
{
	char *nul;

	while (n && (nul = memchr(p, 0, n)) != NULL) {
		*nul = (char)0x80;
		n -= (size_t)(nul + 1 - p);
		p = nul + 1;
	}
}

void lfcrlf_put(struct lfcrlf *s, struct buf *out, struct str chunk)
{
	size_t made;
	bool nuls;
	char *o;

	if (chunk.n == 0)
		return;
	nuls = !s->keep_nul && memchr(chunk.p, 0, chunk.n);
	o = buf_reserve(out, 2 * chunk.n);
	made = linescan_crlf(o, chunk, s->cr);
	s->cr = chunk.p[chunk.n - 1] == '\r';
	if (nuls)
		replace_nuls(o, made);
	buf_added(out, made);
}

uint64_t lfcrlf_count(struct lfcrlf *s, struct str chunk)
{
	struct linescan c = {0, 0};

	if (chunk.n == 0)
		return 0;
	linescan_count(&c, chunk, s->cr);
	s->cr = chunk.p[chunk.n - 1] == '\r';
	return chunk.n + c.bare;
}

/* The bytes of one step that lie in the window. */
static void window_step(struct lfcrlf_window *w, struct buf *out, struct str step)
{
	struct lfcrlf before = w->s;
	uint64_t made = lfcrlf_count(&w->s, step);
	size_t at = out->n, drop;

	if (made <= w->skip) {
		w->skip -= made;
		return;
	}
	w->s = before;
	lfcrlf_put(&w->s, out, step);
	drop = (size_t)w->skip;
	w->skip = 0;
	made -= drop;
	if (drop) {
		char *p = out->p + out->off + at;

		memmove(p, p + drop, (size_t)made);
	}
	if (made > w->take)
		made = w->take;
	buf_cut(out, at + (size_t)made);
	w->take -= made;
}

bool lfcrlf_window_put(struct lfcrlf_window *w, struct buf *out, struct str chunk)
{
	while (chunk.n && w->take) {
		size_t n = chunk.n;

		if (w->skip == 0 && w->take >= 2 * (uint64_t)n) {
			size_t at = out->n;

			lfcrlf_put(&w->s, out, chunk);
			w->take -= out->n - at;
			break;
		}
		if (n > WINDOW_STEP)
			n = WINDOW_STEP;
		window_step(w, out, str_sub(chunk, 0, n));
		chunk = str_from(chunk, n);
	}
	return w->take == 0;
}

void crlflf_put(struct crlflf *s, struct buf *out, struct str chunk)
{
	if (chunk.n == 0)
		return;
	if (s->cr && chunk.p[0] != '\n')
		buf_putc(out, '\r');
	s->cr = chunk.p[chunk.n - 1] == '\r';
	if (s->cr)
		chunk.n--;
	while (chunk.n) {
		const char *cr = memchr(chunk.p, '\r', chunk.n);
		size_t n = cr ? (size_t)(cr - chunk.p) : chunk.n;

		buf_put(out, chunk.p, n);
		if (cr == NULL)
			return;
		if (n + 1 == chunk.n || chunk.p[n + 1] != '\n')
			buf_putc(out, '\r');
		chunk = str_from(chunk, n + 1);
	}
}

void crlflf_end(struct crlflf *s, struct buf *out)
{
	if (s->cr)
		buf_putc(out, '\r');
	s->cr = false;
}
