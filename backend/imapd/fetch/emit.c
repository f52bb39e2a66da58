/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>

#include "backend/imapd/fetch/emit.h"
#include "common/imap/reply.h"
#include "common/mail/bodystructure.h"
#include "common/mail/envelope.h"
#include "common/mail/header.h"

enum {
	IN_MEMORY = 1 << 20, /* a file up to here is read once and kept while it is answered */
	CHUNK = 65536,
};

/* ---- the file ------------------------------------------------------------------------------------ */

static ssize_t read_at(struct fetch_run *r, void *p, size_t n, uint64_t off)
{
	ssize_t got;

	do
		got = pread(r->fd, p, n, (off_t)off);
	while (got < 0 && errno == EINTR);
	return got;
}

/* Calls fn for [off, end) in chunks; false (errno) where reading fails. A file that became shorter
 * just ends. */
static bool each_chunk(struct fetch_run *r, uint64_t off, uint64_t end,
		       void (*fn)(void *ctx, struct str chunk), void *ctx)
{
	if (r->in_memory) {
		uint64_t n = r->file.n;
		if (off < n)
			fn(ctx, str_sub(buf_str(&r->file), (size_t)off, (size_t)((end < n ? end : n) - off)));
		return true;
	}
	struct buf b = BUF_INIT;
	char *p = buf_reserve(&b, CHUNK);
	ssize_t got = 1;
	while (off < end) {
		got = read_at(r, p, end - off < CHUNK ? (size_t)(end - off) : CHUNK, off);
		if (got <= 0)
			break;
		fn(ctx, str_mem(p, (size_t)got));
		off += (uint64_t)got;
	}
	int saved = errno;
	buf_deinit(&b);
	errno = saved;
	return got >= 0;
}

static bool load(struct fetch_run *r)
{
	while (r->file.n < r->size) {
		char *p = buf_reserve(&r->file, (size_t)r->size - r->file.n);
		ssize_t got = read_at(r, p, (size_t)r->size - r->file.n, r->file.n);
		if (got < 0)
			return false;
		if (got == 0)
			break;
		buf_added(&r->file, (size_t)got);
	}
	r->in_memory = true;
	return true;
}

static bool open_message(struct fetch_run *r, struct fetch_target *t)
{
	int64_t mtime;

	r->fd = msg_open(&t->ref, &r->size, &mtime);
	if (r->fd < 0) {
		t->fault = errno == ENOENT ? FETCH_GONE : FETCH_NOREAD;
		t->error = errno;
		return false;
	}
	r->open = true;
	if (r->size <= IN_MEMORY && !load(r)) {
		t->fault = FETCH_NOREAD;
		t->error = errno;
		return false;
	}
	return true;
}

static void close_message(struct fetch_run *r)
{
	if (r->open)
		close(r->fd);
	r->open = r->parsed = r->in_memory = r->began = r->streaming = false;
	r->item = 0;
	r->root = NULL;
	buf_reset(&r->file);
	buf_reset(&r->header);
	arena_reset(&r->arena);
}

void fetch_run_close(struct fetch_run *r)
{
	close_message(r);
	buf_deinit(&r->file);
	buf_deinit(&r->header);
	buf_deinit(&r->out);
	arena_deinit(&r->arena);
}

/* ---- structure ------------------------------------------------------------------------------------ */

static void push_mime(void *ctx, struct str chunk)
{
	mime_push(ctx, chunk);
}

/* A message that crashed an earlier imapd is never parsed again: bytes without structure. */
static struct mime_part *opaque_root(struct fetch_run *r)
{
	struct mime_part *p = arena_new(&r->arena, struct mime_part);

	p->number = p->level = 1;
	p->type = STR("application");
	p->subtype = STR("octet-stream");
	p->encoding = STR("8bit");
	p->body_len = r->size;
	p->header = STR("");
	return p;
}

static void count_wire(void *ctx, struct str chunk)
{
	struct {
		struct lfcrlf s;
		uint64_t n;
	} *c = ctx;

	c->n += lfcrlf_count(&c->s, chunk);
}

static bool wire_size(struct fetch_run *r, uint64_t off, uint64_t end, uint64_t *out)
{
	struct {
		struct lfcrlf s;
		uint64_t n;
	} c = {0};
	bool ok = each_chunk(r, off, end, count_wire, &c);

	*out = c.n;
	return ok;
}

static bool parse(struct fetch_run *r, struct fetch_target *t)
{
	bool ok;

	if (r->parsed)
		return true;
	if (t->ref.state & MSG_OPAQUE) {
		struct mime_part *root = opaque_root(r);
		ok = wire_size(r, 0, r->size, &root->body_wire);
		r->root = root;
	} else {
		store_parse_begin(r->store, t->ref.name);
		struct mime_parser *p = mime_begin(&r->arena, &r->limits);
		ok = each_chunk(r, 0, r->size, push_mime, p);
		r->root = mime_end(p);
		store_parse_end(r->store);
	}
	r->parsed = true;
	return ok;
}

struct header_reader {
	struct buf *out;
	size_t max;
	bool done, line_empty;
};

/* Takes bytes up to and including the blank line that ends a header. */
static void push_header(void *ctx, struct str s)
{
	struct header_reader *h = ctx;
	size_t i = 0;

	while (i < s.n && !h->done) {
		const char *nl = memchr(s.p + i, '\n', s.n - i);
		size_t to = nl ? (size_t)(nl - s.p) : s.n;
		for (size_t k = i; k < to && h->line_empty; k++)
			if (s.p[k] != '\r')
				h->line_empty = false;
		i = to + (nl ? 1 : 0);
		if (nl) {
			h->done = h->line_empty;
			h->line_empty = true;
		}
	}
	if (h->out->n < h->max)
		buf_put(h->out, s.p, i < h->max - h->out->n ? i : h->max - h->out->n);
	else
		h->done = true;
}

/* The header of the message alone: reads no further than it must. */
static bool read_header(struct fetch_run *r, struct fetch_target *t)
{
	if (r->header.n || t->ref.state & MSG_OPAQUE)
		return true;
	if (r->parsed) {
		buf_str_put(&r->header, r->root->header);
		return true;
	}
	struct header_reader h = {.out = &r->header, .max = r->limits.header_max, .line_empty = true};
	for (uint64_t off = 0; off < r->size && !h.done; off += CHUNK)
		if (!each_chunk(r, off, off + CHUNK < r->size ? off + CHUNK : r->size, push_header, &h))
			return false;
	return true;
}

/* ---- sections ------------------------------------------------------------------------------------- */

struct range {
	uint64_t off, len, wire;
	bool whole;  /* the file: its wire size is counted */
	bool exists;
};

static const struct mime_part *find_part(struct fetch_run *r, const struct imap_section *s)
{
	const struct mime_part *p = mime_find(r->root, s->part, s->nparts);

	/* HEADER and TEXT of a part are those of the message in it. */
	if (p && s->nparts && s->text != IMAP_SECTION_ALL && s->text != IMAP_SECTION_MIME)
		p = p->kind == MIME_MESSAGE ? p->children : NULL;
	return p;
}

static struct range find_range(struct fetch_run *r, const struct imap_section *s)
{
	if (!s->nparts && s->text == IMAP_SECTION_ALL)
		return (struct range){0, r->size, 0, true, true};
	const struct mime_part *p = find_part(r, s);
	if (!p)
		return (struct range){0};
	if (s->text == IMAP_SECTION_HEADER || s->text == IMAP_SECTION_MIME)
		return (struct range){p->header_off, p->header_len, p->header_wire, false, true};
	return (struct range){p->body_off, p->body_len, p->body_wire, false, true};
}

static void put_window(void *ctx, struct str chunk)
{
	struct fetch_run *r = ctx;

	lfcrlf_window_put(&r->window, &r->out, chunk);
}

/*
 * Goes on with a body: at most FETCH_OUT_BYTES at a time. The literal's head said how many bytes come;
 * a file that was cut or grew meanwhile must not put the stream out of step (B61).
 */
static bool stream(struct fetch_run *r, struct fetch_target *t)
{
	while (r->owed && r->out.n < FETCH_OUT_BYTES) {
		size_t had = r->out.n;
		uint64_t to = r->end - r->off < CHUNK ? r->end : r->off + CHUNK;
		if (r->off >= r->end || !each_chunk(r, r->off, to, put_window, r)) {
			t->fault = FETCH_CHANGED;
			return false;
		}
		r->off = to;
		if (r->out.n - had > r->owed) {
			t->fault = FETCH_CHANGED;
			return false;
		}
		r->owed -= r->out.n - had;
	}
	r->streaming = r->owed > 0;
	return true;
}

/*
 * A whole message that is in memory goes out in one pass: how many bytes it has on the wire is known when
 * they are written, so room is left for the literal's head, by a good guess of its digits.
 */
static void emit_whole(struct fetch_run *r, struct fetch_target *t)
{
	char head[32];
	int guess = snprintf(head, sizeof head, "{%zu}\r\n", r->file.n + r->file.n / 32);
	size_t at = r->out.n;
	struct lfcrlf s = {0};

	buf_put(&r->out, head, (size_t)guess);
	lfcrlf_put(&s, &r->out, buf_str(&r->file));
	t->wire = r->out.n - at - (size_t)guess;
	int n = snprintf(head, sizeof head, "{%llu}\r\n", (unsigned long long)t->wire);
	if (n > guess)
		buf_insert(&r->out, at, head, (size_t)(n - guess));
	char *p = r->out.p + r->out.off + at;
	if (n < guess) {
		memmove(p + n, p + guess, (size_t)t->wire);
		buf_cut(&r->out, at + (size_t)n + (size_t)t->wire);
	}
	memcpy(p, head, (size_t)n);
}

static bool emit_range(struct fetch_run *r, struct fetch_target *t, struct range g, const struct imap_section *s)
{
	if (g.whole && r->in_memory && !s->partial && g.len == r->size) {
		emit_whole(r, t);
		return true;
	}
	if (g.whole) {
		if (!wire_size(r, g.off, g.off + g.len, &g.wire)) {
			t->error = errno;
			t->fault = FETCH_NOREAD;
			return false;
		}
		t->wire = g.wire;
	}
	r->window = (struct lfcrlf_window){.take = g.wire};
	if (s->partial) {
		r->window.skip = s->offset < g.wire ? s->offset : g.wire;
		r->window.take = g.wire - r->window.skip;
		if (r->window.take > s->length)
			r->window.take = s->length;
	}
	r->owed = r->window.take;
	r->off = g.off;
	r->end = g.off + g.len;
	imap_put_literal_head(&r->out, r->owed, false);
	return stream(r, t);
}

/* HEADER.FIELDS and .NOT: made in memory, then cut to the partial. */
static void emit_fields(struct fetch_run *r, const struct fetch_item *it, struct str header)
{
	struct buf b = BUF_INIT;
	const struct imap_section *s = &it->section;

	header_fields_put(&b, header, it->fields, it->nfields, s->text == IMAP_SECTION_FIELDS_NOT);
	struct str v = buf_str(&b);
	if (s->partial)
		v = str_sub(str_from(v, s->offset), 0, s->length);
	imap_put_literal(&r->out, v);
	buf_deinit(&b);
}

static bool emit_section(struct fetch_run *r, struct fetch_target *t, const struct fetch_item *it)
{
	const struct imap_section *s = &it->section;
	bool fields = s->text == IMAP_SECTION_FIELDS || s->text == IMAP_SECTION_FIELDS_NOT;

	if (fields && !s->nparts) {
		emit_fields(r, it, buf_str(&r->header));
		return true;
	}
	if (fields) {
		const struct mime_part *p = find_part(r, s);
		if (p)
			emit_fields(r, it, p->header);
		else
			buf_puts(&r->out, "NIL");
		return true;
	}
	if (s->text == IMAP_SECTION_HEADER && !s->nparts && !r->parsed) {
		struct range g = {0, r->header.n, 0, true, true};
		uint64_t known = t->wire;
		bool ok = emit_range(r, t, g, s);
		t->wire = known; /* that was the header's size, not the message's */
		return ok;
	}
	struct range g = find_range(r, s);
	if (g.exists)
		return emit_range(r, t, g, s);
	buf_puts(&r->out, "NIL");
	return true;
}

static const char NO_ENVELOPE[] = "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)";

static bool is_header(const struct fetch_item *it)
{
	return it->what == FETCH_ENVELOPE ||
	       (it->what == FETCH_SECTION && it->section.text != IMAP_SECTION_ALL &&
		it->section.text != IMAP_SECTION_TEXT);
}

static bool emit_item(struct fetch_run *r, struct fetch_target *t, const struct fetch_item *it)
{
	size_t before = r->out.n;

	if (t->had_item || r->item)
		buf_putc(&r->out, ' ');
	buf_str_put(&r->out, it->label);
	buf_putc(&r->out, ' ');
	bool ok = true;
	switch (it->what) {
	case FETCH_ENVELOPE:
		if (t->ref.state & MSG_OPAQUE) {
			buf_puts(&r->out, NO_ENVELOPE);
			break;
		}
		store_parse_begin(r->store, t->ref.name);
		mime_put_envelope(&r->out, buf_str(&r->header), &r->limits);
		store_parse_end(r->store);
		break;
	case FETCH_BODY:
	case FETCH_BODYSTRUCTURE:
		mime_put_bodystructure(&r->out, r->root, it->what == FETCH_BODYSTRUCTURE, &r->limits);
		break;
	case FETCH_SECTION:
		ok = emit_section(r, t, it);
		break;
	}
	if (is_header(it))
		r->header_bytes += r->out.n - before;
	r->item++;
	return ok;
}

/* ---- one message, one batch ------------------------------------------------------------------------- */

/* What has to be read before the first byte of the answer is written, so that a fault leaves no trace. */
static bool prepare(struct fetch_run *r, struct fetch_target *t)
{
	bool header = false;

	if (!r->plan->nitems && !t->need_size)
		return true; /* all of it is in the head */
	if (!open_message(r, t))
		return false;
	for (size_t i = 0; i < r->plan->nitems; i++) {
		const struct fetch_item *it = &r->plan->items[i];
		if (it->what == FETCH_ENVELOPE ||
		    (it->what == FETCH_SECTION && !it->section.nparts &&
		     it->section.text != IMAP_SECTION_ALL && it->section.text != IMAP_SECTION_TEXT))
			header = true;
	}
	if ((r->plan->whole && !parse(r, t)) || (header && !read_header(r, t)) ||
	    (t->need_size && !wire_size(r, 0, r->size, &t->wire))) {
		t->fault = FETCH_NOREAD;
		t->error = errno;
		return false;
	}
	return true;
}

static void begin_answer(struct fetch_run *r, struct fetch_target *t)
{
	r->start = r->out.n;
	r->began = true;
	buf_str_put(&r->out, t->head);
	if (t->need_size) {
		if (t->had_item)
			buf_putc(&r->out, ' ');
		buf_puts(&r->out, "RFC822.SIZE ");
		buf_u64(&r->out, t->wire);
		t->had_item = true;
	}
}

/* True: this message is over, one way or the other. False: the output is full. */
static bool emit_message(struct fetch_run *r, struct fetch_target *t)
{
	bool ok = true;

	if (!r->began) {
		if (!prepare(r, t)) {
			close_message(r);
			return true;
		}
		begin_answer(r, t);
	}
	while (ok) {
		if (r->streaming) {
			ok = stream(r, t);
			if (ok && r->streaming)
				return false;
		} else if (r->item < r->plan->nitems) {
			ok = emit_item(r, t, &r->plan->items[r->item]);
		} else {
			buf_puts(&r->out, ")\r\n");
			break;
		}
	}
	if (!ok && t->fault == FETCH_NOREAD) { /* found out in front of a literal */
		if (r->start == SIZE_MAX)
			t->fault = FETCH_CHANGED; /* what came before has gone out */
		else
			buf_cut(&r->out, r->start);
	}
	close_message(r);
	return true;
}

bool fetch_emit(struct fetch_run *r)
{
	while (r->at < r->n) {
		struct fetch_target *t = &r->targets[r->at];
		if (r->out.n >= FETCH_OUT_BYTES || !emit_message(r, t)) {
			r->start = SIZE_MAX; /* the caller takes the output */
			return false;
		}
		r->at++;
		if (t->fault == FETCH_CHANGED)
			r->at = r->n; /* the connection is of no use any more */
	}
	return true;
}
