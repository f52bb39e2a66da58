/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>

#include "backend/imapd/search/match.h"
#include "common/mail/charset.h"
#include "common/mail/date.h"
#include "common/mail/decode.h"
#include "common/mail/header.h"
#include "common/mail/lfcrlf.h"
#include "common/mail/needle.h"

enum { CHUNK = 65536 };

enum search_truth search_eval(const struct search_node *n, search_leaf_fn *leaf, void *ctx)
{
	enum search_truth all, t;

	switch (n->op) {
	case SEARCH_ALL:
		return SEARCH_YES;
	case SEARCH_NOT:
		t = search_eval(n->kids, leaf, ctx);
		return t == SEARCH_MAYBE ? t : t == SEARCH_YES ? SEARCH_NO : SEARCH_YES;
	case SEARCH_AND:
	case SEARCH_OR:
		all = n->op == SEARCH_AND ? SEARCH_YES : SEARCH_NO;
		for (const struct search_node *k = n->kids; k; k = k->next) {
			t = search_eval(k, leaf, ctx);
			if (t == SEARCH_MAYBE)
				all = t;
			else if (t == (n->op == SEARCH_AND ? SEARCH_NO : SEARCH_YES))
				return t;
		}
		return all;
	default:
		return leaf(ctx, n);
	}
}

/* ---- the file -------------------------------------------------------------------------------------- */

struct search_matcher {
	const struct search_program *p;
	struct mime_limits limits;
	struct store *store;
	struct needle *needles; /* by leaf; used for HEADER, BODY, TEXT */
	const struct search_node **leaves;
	/* of the message in hand */
	struct search_target *t;
	int fd;
	uint64_t size;
	struct arena arena;
	struct str header;
	uint8_t *truth;         /* by leaf */
};

static void collect(struct search_matcher *m, const struct search_node *n)
{
	for (const struct search_node *k = n->kids; k; k = k->next)
		collect(m, k);
	if (n->op <= SEARCH_NOT)
		return;
	m->leaves[n->leaf] = n;
	if (n->op == SEARCH_HEADER || n->op == SEARCH_BODY || n->op == SEARCH_TEXT)
		needle_init(&m->needles[n->leaf], n->text);
}

struct search_matcher *search_matcher_new(const struct search_program *p, const struct mime_limits *limits,
					  struct store *st)
{
	struct search_matcher *m = xcalloc(1, sizeof *m);

	m->p = p;
	m->limits = *limits;
	m->store = st;
	m->needles = xcalloc(p->leaves + 1, sizeof *m->needles);
	m->leaves = xcalloc(p->leaves + 1, sizeof(struct search_node *));
	m->truth = xcalloc(p->leaves + 1, 1);
	collect(m, p->root);
	return m;
}

void search_matcher_free(struct search_matcher **mp)
{
	struct search_matcher *m = *mp;

	if (!m)
		return;
	for (uint32_t i = 0; i < m->p->leaves; i++)
		needle_deinit(&m->needles[i]);
	arena_deinit(&m->arena);
	free(m->needles);
	free(m->leaves);
	free(m->truth);
	free(m);
	*mp = NULL;
}

static ssize_t read_at(struct search_matcher *m, void *p, size_t n, uint64_t off)
{
	ssize_t got;

	do
		got = pread(m->fd, p, n, (off_t)off);
	while (got < 0 && errno == EINTR);
	return got;
}

/* Parses the whole file; *wire is its size on the wire. NULL: errno. */
static struct mime_part *parse(struct search_matcher *m, uint64_t *wire)
{
	struct buf b = BUF_INIT;
	struct lfcrlf lf = {0};
	char *p = buf_reserve(&b, CHUNK);
	ssize_t got;

	*wire = 0;
	store_parse_begin(m->store, m->t->ref.name);
	struct mime_parser *mp = mime_begin(&m->arena, &m->limits);
	for (uint64_t off = 0; (got = read_at(m, p, CHUNK, off)) > 0; off += (uint64_t)got) {
		mime_push(mp, str_mem(p, (size_t)got));
		*wire += lfcrlf_count(&lf, str_mem(p, (size_t)got));
	}
	struct mime_part *root = mime_end(mp);
	store_parse_end(m->store);
	int saved = errno;
	buf_deinit(&b);
	errno = saved;
	return got < 0 ? NULL : root;
}

/* ---- header keys -------------------------------------------------------------------------------------- */

static enum search_truth match_field(struct search_matcher *m, const struct search_node *n)
{
	struct str rest = m->header;
	struct header_field f;
	struct buf b = BUF_INIT;
	enum search_truth t = SEARCH_NO;

	while (t == SEARCH_NO && header_next(&rest, &f)) {
		if (!str_ieq(f.name, n->name))
			continue;
		buf_reset(&b);
		header_decode_words(&b, f.value);
		needle_reset(&m->needles[n->leaf]);
		if (needle_in(&m->needles[n->leaf], buf_str(&b)))
			t = SEARCH_YES;
	}
	buf_deinit(&b);
	return t;
}

static enum search_truth match_sent(struct search_matcher *m, const struct search_node *n)
{
	struct maildate d;
	struct str v;

	if (!header_find(m->header, STR("Date"), &v) || !date_parse(v, &d))
		return SEARCH_NO;
	return d.day >= n->from && d.day < n->to ? SEARCH_YES : SEARCH_NO;
}

/* ---- text keys ------------------------------------------------------------------------------------------ */

/* Pushes decoded text to the keys that still look for something. False: none is left. */
static bool push_text(struct search_matcher *m, struct str text, bool body)
{
	bool left = false;

	for (uint32_t i = 0; i < m->p->leaves; i++) {
		enum search_op op = m->leaves[i]->op;
		if ((op != SEARCH_TEXT && (op != SEARCH_BODY || !body)) || m->truth[i] == SEARCH_YES)
			continue;
		if (needle_push(&m->needles[i], text))
			m->truth[i] = SEARCH_YES;
		else
			left = true;
	}
	return left;
}

/* The text of one part is over: nothing is found across its end. */
static void end_text(struct search_matcher *m)
{
	for (uint32_t i = 0; i < m->p->leaves; i++) {
		enum search_op op = m->leaves[i]->op;
		if (op != SEARCH_TEXT && op != SEARCH_BODY)
			continue;
		if (m->truth[i] != SEARCH_YES && needle_end(&m->needles[i]))
			m->truth[i] = SEARCH_YES;
		needle_reset(&m->needles[i]);
	}
}

static void search_header_text(struct search_matcher *m, struct str header, bool body)
{
	struct header_field f;
	struct buf b = BUF_INIT;

	while (header_next(&header, &f)) {
		buf_reset(&b);
		buf_str_put(&b, f.name);
		buf_puts(&b, ": ");
		header_decode_words(&b, f.value);
		push_text(m, buf_str(&b), body);
		end_text(m);
	}
	buf_deinit(&b);
}

static int search_part(struct search_matcher *m, const struct mime_part *part)
{
	struct decoder d;
	struct buf in = BUF_INIT, raw = BUF_INIT, text = BUF_INIT;
	struct charset *cs = charset_new(mime_charset(part));
	uint64_t off = part->body_off, end = off + part->body_len;
	ssize_t got = 1;
	bool left = true, plain;

	if (!cs)
		cs = charset_new(STR("UTF-8"));
	plain = charset_is_utf8(cs);
	decode_init(&d, decode_kind(part->encoding));
	char *p = buf_reserve(&in, CHUNK);
	while (left && off < end) {
		got = read_at(m, p, end - off < CHUNK ? (size_t)(end - off) : CHUNK, off);
		if (got <= 0)
			break;
		off += (uint64_t)got;
		buf_reset(&raw);
		buf_reset(&text);
		decode_push(&d, str_mem(p, (size_t)got), &raw);
		if (!plain)
			charset_push(cs, buf_str(&raw), &text);
		left = push_text(m, buf_str(plain ? &raw : &text), true);
	}
	buf_reset(&raw);
	buf_reset(&text);
	decode_end(&d, &raw);
	if (!plain) {
		charset_push(cs, buf_str(&raw), &text);
		charset_end(cs, &text);
	}
	push_text(m, buf_str(plain ? &raw : &text), true);
	end_text(m);
	charset_free(&cs);
	buf_deinit(&in);
	buf_deinit(&raw);
	buf_deinit(&text);
	return got < 0 ? -1 : 0;
}

/* Every text part, decoded; the headers of embedded messages count as body. */
static int search_body(struct search_matcher *m, const struct mime_part *root)
{
	for (const struct mime_part *p = root; p; p = mime_next(p)) {
		if (p != root && p->header.p)
			search_header_text(m, p->header, true);
		if (p->kind == MIME_LEAF && p->text && search_part(m, p) < 0)
			return -1;
	}
	return 0;
}

/* ---- one message ------------------------------------------------------------------------------------------ */

static enum search_truth known_leaf(void *ctx, const struct search_node *n)
{
	const struct search_matcher *m = ctx;

	return (enum search_truth)m->truth[n->leaf];
}

static void match_headers(struct search_matcher *m)
{
	for (uint32_t i = 0; i < m->p->leaves; i++) {
		const struct search_node *n = m->leaves[i];
		if (n->op == SEARCH_HEADER)
			m->truth[i] = match_field(m, n);
		else if (n->op == SEARCH_SENT)
			m->truth[i] = match_sent(m, n);
		else if (n->op == SEARCH_SIZE && m->truth[i] == SEARCH_MAYBE)
			m->truth[i] = (int64_t)m->t->wire > n->from && (int64_t)m->t->wire < n->to;
	}
}

static int match_texts(struct search_matcher *m, const struct mime_part *root)
{
	for (uint32_t i = 0; i < m->p->leaves; i++)
		needle_reset(&m->needles[i]);
	search_header_text(m, m->header, false);
	int rc = search_body(m, root);
	for (uint32_t i = 0; i < m->p->leaves; i++)
		if (m->truth[i] == SEARCH_MAYBE)
			m->truth[i] = SEARCH_NO;
	return rc;
}

void search_match(struct search_matcher *m, struct search_target *t)
{
	int64_t mtime;

	m->t = t;
	m->fd = msg_open(&t->ref, &m->size, &mtime);
	if (m->fd < 0) {
		t->error = errno;
		return;
	}
	memcpy(m->truth, t->known, m->p->leaves);
	if (t->ref.state & MSG_OPAQUE) { /* never parsed again: only what is in memory can match */
		for (uint32_t i = 0; i < m->p->leaves; i++)
			if (m->truth[i] == SEARCH_MAYBE)
				m->truth[i] = SEARCH_NO;
	} else {
		const struct mime_part *root = parse(m, &t->wire);
		errno = root ? 0 : errno ? errno : EIO;
		t->error = errno;
		if (root) {
			m->header = root->header;
			match_headers(m);
			if (search_eval(m->p->root, known_leaf, m) == SEARCH_MAYBE && match_texts(m, root) < 0)
				t->error = EIO;
		}
	}
	t->hit = !t->error && search_eval(m->p->root, known_leaf, m) == SEARCH_YES;
	close(m->fd);
	arena_reset(&m->arena);
}
