/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/imapd/box/view.h"
#include <stdlib.h>
#include "common/imap/flags.h"
#include "common/imap/seqset.h"

#define DIRTY_MAX 1024	   /* noted one by one; beyond, modseqs tell which messages changed */
#define EXPUNGE_BATCH 4096 /* told between two looks at the output buffer */

struct view {
	struct store *st;
	struct folder *f;
	struct folder_listener l;
	const struct view_ops *ops;
	void *ctx;
	view_open_fn *done;
	void *done_ctx;
	uint64_t passed;       /* tombstones up to this expunge_no were told */
	uint64_t merged_since; /* with merged: changes above were not noted */
	uint64_t client_modseq; /* what the client takes for HIGHESTMODSEQ */
	uint32_t told_uid;     /* highest UID that EXISTS told of */
	uint32_t flags_uid;    /* ... and whose flags were told after it */
	uint32_t exists;
	bool writable, keywords, gone, push, merged, keywords_due, counts_due;
	bool condstore, qresync, highest_due;
	VEC(uint32_t) recent; /* sorted */
	VEC(uint32_t) dirty;  /* sorted: flags changed, not told */
	/* A cache: UIDs of the tombstones in the table that were told, sorted; see hidden(). */
	VEC(uint32_t) hidden;
	uint64_t hidden_passed, hidden_gone;
};

/* ---- sorted arrays of UIDs -------------------------------------------------------------------- */

static size_t lower(const uint32_t *a, size_t n, uint32_t uid)
{
	size_t lo = 0;

	while (n > 0) {
		size_t half = n / 2;

		if (a[lo + half] < uid) {
			lo += half + 1;
			n -= half + 1;
		} else {
			n = half;
		}
	}
	return lo;
}

static bool has(const uint32_t *a, size_t n, uint32_t uid)
{
	size_t i = lower(a, n, uid);

	return i < n && a[i] == uid;
}

/* ---- numbers ---------------------------------------------------------------------------------- */

static bool is_hidden(const struct view *v, const struct msg *m)
{
	return (m->state & MSG_EXPUNGED) && m->expunge_no <= v->passed;
}

/*
 * Brings the cache up to date. Tombstones enter the table with ascending expunge_no and leave it
 * when all have passed them, so that what was passed and how many have left say whether it changed.
 */
static void hidden(const struct view *cv)
{
	struct view *v = (struct view *)cv;
	uint64_t gone = v->f->expunges - v->f->tombs.n;

	if (v->hidden_passed == v->passed && v->hidden_gone == gone)
		return;
	v->hidden_passed = v->passed;
	v->hidden_gone = gone;
	v->hidden.n = 0;
	vec_foreach(uid, &v->f->tombs) {
		if (is_hidden(v, &v->f->msgs.a[folder_find(v->f, *uid)]))
			*vec_push(&v->hidden) = *uid;
	}
	if (v->hidden.n == 0)
		vec_free(&v->hidden);
}

static uint32_t known(const struct view *v)
{
	size_t end = v->told_uid == UINT32_MAX ? v->f->msgs.n : folder_find(v->f, v->told_uid + 1);

	hidden(v);
	return (uint32_t)(end - (v->told_uid == UINT32_MAX
					 ? v->hidden.n
					 : lower(v->hidden.a, v->hidden.n, v->told_uid + 1)));
}

size_t view_index(const struct view *v, uint32_t seq)
{
	size_t lo = 0, n;

	ASSERT(seq >= 1 && seq <= v->exists);
	hidden(v);
	n = v->hidden.n;
	while (n > 0) { /* lo = hidden messages before the one with seq - 1 visible ones in front */
		size_t half = n / 2, mid = lo + half;

		if (folder_find(v->f, v->hidden.a[mid]) - mid <= seq - 1) {
			lo = mid + 1;
			n -= half + 1;
		} else {
			n = half;
		}
	}
	return seq - 1 + lo;
}

uint32_t view_seq(const struct view *v, size_t index)
{
	const struct msg *m = &v->f->msgs.a[index];

	if (m->uid > v->told_uid || is_hidden(v, m))
		return 0;
	hidden(v);
	return (uint32_t)(index + 1 - lower(v->hidden.a, v->hidden.n, m->uid));
}

uint32_t view_seq_of_uid(const struct view *v, uint32_t uid)
{
	size_t i = folder_find(v->f, uid);

	return i < v->f->msgs.n && v->f->msgs.a[i].uid == uid ? view_seq(v, i) : 0;
}

bool view_next(const struct view *v, uint32_t *seq, size_t *index)
{
	size_t i = *seq ? *index + 1 : 0;

	while (i < v->f->msgs.n && is_hidden(v, &v->f->msgs.a[i]))
		i++;
	if (i == v->f->msgs.n || v->f->msgs.a[i].uid > v->told_uid)
		return false;
	*index = i;
	(*seq)++;
	return true;
}

uint32_t view_exists(const struct view *v)
{
	return v->exists;
}

uint32_t view_recent(const struct view *v)
{
	return (uint32_t)v->recent.n;
}

uint32_t view_unseen(const struct view *v)
{
	uint32_t seq = 0;
	size_t i = 0;

	while (view_next(v, &seq, &i)) {
		if (!(v->f->msgs.a[i].flags & MSG_SEEN))
			return seq;
	}
	return 0;
}

uint32_t view_max_uid(const struct view *v)
{
	return v->exists ? v->f->msgs.a[view_index(v, v->exists)].uid : 0;
}

struct folder *view_folder(const struct view *v)
{
	return v->f;
}

bool view_writable(const struct view *v)
{
	return v->writable;
}

/* ---- what a message shows ------------------------------------------------------------------- */

bool view_is_recent(const struct view *v, uint32_t uid)
{
	return has(v->recent.a, v->recent.n, uid);
}

void view_put_flags(const struct view *v, const struct msg *m, struct buf *out)
{
	bool first;

	buf_putc(out, '(');
	first = imap_flags_put(out, m->flags | (view_is_recent(v, m->uid) ? IMAP_FLAG_RECENT : 0), true);
	for (size_t i = 0; m->kw && i < m->kw->n; i++)
		first = imap_keyword_put(out, str_c(v->f->keywords.a[m->kw->kw[i]]), first);
	buf_putc(out, ')');
}

void view_put_flag_list(const struct view *v, bool permanent, struct buf *out)
{
	bool first = true;

	buf_putc(out, '(');
	vec_foreach(kw, &v->f->keywords)
		first = imap_keyword_put(out, str_c(*kw), first);
	if (permanent && v->keywords)
		first = imap_keyword_put(out, STR("\\*"), first);
	imap_flags_put(out, IMAP_FLAG_ALL | (permanent ? 0 : IMAP_FLAG_RECENT), first);
	buf_putc(out, ')');
}

void view_flags_told(struct view *v, uint32_t uid)
{
	size_t i = lower(v->dirty.a, v->dirty.n, uid);

	if (i < v->dirty.n && v->dirty.a[i] == uid)
		vec_remove(&v->dirty, i);
}

/* ---- CONDSTORE, QRESYNC ------------------------------------------------------------------------ */

void view_enable(struct view *v, bool qresync, bool first)
{
	v->condstore = true;
	v->qresync = qresync;
	v->highest_due = v->highest_due || first;
}

uint64_t view_highest(const struct view *v)
{
	uint64_t first = v->f->modseq + 1;

	if (v->passed == v->f->expunges)
		return v->f->modseq;
	vec_foreach(uid, &v->f->tombs) {
		const struct msg *m = &v->f->msgs.a[folder_find(v->f, *uid)];

		if (m->expunge_no > v->passed && m->uid <= v->told_uid && m->modseq < first)
			first = m->modseq;
	}
	return first - 1;
}

void view_told_highest(struct view *v, uint64_t modseq)
{
	v->client_modseq = modseq;
	v->highest_due = false;
}

void view_tell_highest(struct view *v)
{
	uint64_t highest;

	if (!v->condstore || v->gone || !(v->qresync || v->highest_due))
		return;
	highest = view_highest(v);
	if (highest == v->client_modseq && !v->highest_due)
		return;
	buf_printf(v->ops->out(v->ctx), "* OK [HIGHESTMODSEQ %llu] Highest\r\n", (unsigned long long)highest);
	view_told_highest(v, highest);
}

void view_put_modseq(struct view *v, const struct msg *m, struct buf *out)
{
	buf_puts(out, "MODSEQ (");
	buf_u64(out, m->modseq);
	buf_putc(out, ')');
	if (m->modseq > v->client_modseq)
		v->client_modseq = m->modseq;
}

void view_put_news(struct view *v, const struct msg *m, uint32_t seq, bool uid, bool flags)
{
	struct buf *out = v->ops->out(v->ctx);

	buf_puts(out, "* ");
	buf_u64(out, seq);
	buf_puts(out, " FETCH (");
	if (uid || v->condstore) {
		buf_puts(out, "UID ");
		buf_u64(out, m->uid);
		buf_putc(out, ' ');
	}
	if (flags) {
		buf_puts(out, "FLAGS ");
		view_put_flags(v, m, out);
	}
	if (v->condstore) {
		if (flags)
			buf_putc(out, ' ');
		view_put_modseq(v, m, out);
	}
	buf_puts(out, ")\r\n");
}

/* ---- telling ---------------------------------------------------------------------------------- */

static void tell_flags(struct view *v, uint32_t seq, const struct msg *m)
{
	view_put_news(v, m, seq, false, true);
}

void view_tell_keywords(struct view *v)
{
	struct buf *out;

	if (!v->keywords_due)
		return;
	v->keywords_due = false;
	out = v->ops->out(v->ctx);
	buf_puts(out, "* FLAGS ");
	view_put_flag_list(v, false, out);
	buf_puts(out, "\r\n");
	if (!v->writable)
		return;
	buf_puts(out, "* OK [PERMANENTFLAGS ");
	view_put_flag_list(v, true, out);
	buf_puts(out, "] Limited\r\n");
}

static void put_vanished(struct view *v, const struct imap_seqset *set)
{
	struct buf *out = v->ops->out(v->ctx);

	if (set->n == 0)
		return;
	buf_puts(out, "* VANISHED ");
	imap_seqset_put(out, set);
	buf_puts(out, "\r\n");
}

/* One batch in ascending order of UIDs; each number already counts the ones told before it. */
static void tell_expunge_batch(struct view *v, uint64_t to)
{
	struct buf *out = v->ops->out(v->ctx);
	struct imap_seqset vanished = IMAP_SEQSET_INIT;
	uint32_t told = 0;

	hidden(v);
	vec_foreach(uid, &v->f->tombs) {
		size_t index = folder_find(v->f, *uid), r;
		const struct msg *m = &v->f->msgs.a[index];

		if (m->expunge_no <= v->passed || m->expunge_no > to || m->uid > v->told_uid)
			continue;
		if (v->qresync)
			imap_seqset_add(&vanished, m->uid, m->uid);
		else
			buf_printf(out, "* %u EXPUNGE\r\n", view_seq(v, index) - told);
		told++;
		r = lower(v->recent.a, v->recent.n, *uid);
		if (r < v->recent.n && v->recent.a[r] == *uid)
			vec_remove(&v->recent, r);
	}
	put_vanished(v, &vanished);
	imap_seqset_deinit(&vanished);
	v->exists -= told;
	v->passed = to;
	v->counts_due = v->counts_due || (told && !v->qresync);
	folder_passed(v->f, &v->l, to);
}

static bool tell_expunges(struct view *v)
{
	while (v->passed < v->f->expunges) {
		uint64_t to = v->f->expunges;

		if (v->ops->full(v->ctx))
			return false;
		if (to - v->passed > EXPUNGE_BATCH)
			to = v->passed + EXPUNGE_BATCH;
		tell_expunge_batch(v, to);
	}
	return true;
}

/* Messages behind told_uid become known; whose \Recent they are is decided now. */
static void take_new(struct view *v)
{
	struct folder *f = v->f;

	if (!f->msgs.n || f->msgs.a[f->msgs.n - 1].uid <= v->told_uid)
		return;
	for (size_t i = folder_find(f, v->told_uid + 1); i < f->msgs.n; i++) {
		const struct msg *m = &f->msgs.a[i];

		if (is_hidden(v, m))
			continue;
		if (!(m->state & MSG_EXPUNGED) && (m->state & MSG_RECENT) &&
		    (!v->writable || folder_claim_recent(f, i)))
			*vec_push(&v->recent) = f->msgs.a[i].uid;
		v->counts_due = true;
	}
	v->told_uid = f->msgs.a[f->msgs.n - 1].uid;
	v->exists = known(v);
}

static bool tell_new_flags(struct view *v)
{
	struct folder *f = v->f;

	if (v->flags_uid == v->told_uid)
		return true;
	for (size_t i = folder_find(f, v->flags_uid + 1); i < f->msgs.n; i++) {
		const struct msg *m = &f->msgs.a[i];

		if (m->uid > v->told_uid)
			break;
		if (v->ops->full(v->ctx))
			return false;
		if (!(m->state & MSG_EXPUNGED))
			tell_flags(v, view_seq(v, i), m);
		v->flags_uid = m->uid;
	}
	v->flags_uid = v->told_uid;
	return true;
}

static void note_index(void *ctx, size_t index)
{
	struct view *v = ctx;

	if (v->f->msgs.a[index].uid <= v->flags_uid)
		*vec_push(&v->dirty) = v->f->msgs.a[index].uid;
}

static bool tell_dirty(struct view *v)
{
	size_t i = 0;

	for (;;) {
		if (i == v->dirty.n) {
			vec_free(&v->dirty);
			i = 0;
			if (!v->merged)
				return true;
			v->merged = false;
			folder_changed_since(v->f, v->merged_since, note_index, v);
			continue;
		}
		if (v->ops->full(v->ctx))
			break;
		size_t index = folder_find(v->f, v->dirty.a[i++]);

		if (index < v->f->msgs.n && v->f->msgs.a[index].uid == v->dirty.a[i - 1] &&
		    !(v->f->msgs.a[index].state & MSG_EXPUNGED))
			tell_flags(v, view_seq(v, index), &v->f->msgs.a[index]);
	}
	memmove(v->dirty.a, v->dirty.a + i, (v->dirty.n - i) * sizeof *v->dirty.a);
	v->dirty.n -= i;
	return false;
}

bool view_tell(struct view *v, bool expunge)
{
	if (v->gone)
		return true;
	view_tell_keywords(v);
	if (expunge && !tell_expunges(v))
		return false;
	take_new(v);
	if (v->counts_due) {
		buf_printf(v->ops->out(v->ctx), "* %u EXISTS\r\n* %zu RECENT\r\n", v->exists,
			   v->recent.n);
		v->counts_due = false;
	}
	return tell_new_flags(v) && tell_dirty(v);
}

bool view_pending(const struct view *v)
{
	const struct folder *f = v->f;

	return !v->gone && (v->keywords_due || v->counts_due || v->passed < f->expunges ||
			    v->dirty.n || v->merged || v->flags_uid != v->told_uid ||
			    (f->msgs.n && f->msgs.a[f->msgs.n - 1].uid > v->told_uid));
}

void view_push(struct view *v, bool on)
{
	v->push = on;
}

/* ---- hearing ---------------------------------------------------------------------------------- */

static void note_flags(struct view *v, const struct folder_change *ch)
{
	uint32_t uid = ch->msg->uid;
	size_t i;

	if (uid > v->flags_uid || ch->origin == v)
		return;
	if (v->push && !v->dirty.n && !v->merged && !v->keywords_due && !v->ops->full(v->ctx)) {
		uint32_t seq = view_seq(v, ch->index);

		if (seq)
			tell_flags(v, seq, ch->msg);
		return;
	}
	i = lower(v->dirty.a, v->dirty.n, uid);
	if (i < v->dirty.n && v->dirty.a[i] == uid)
		return;
	if (v->dirty.n >= DIRTY_MAX) {
		if (!v->merged)
			v->merged_since = ch->msg->modseq - 1;
		v->merged = true;
		return;
	}
	(void)vec_push(&v->dirty);
	memmove(v->dirty.a + i + 1, v->dirty.a + i, (v->dirty.n - 1 - i) * sizeof *v->dirty.a);
	v->dirty.a[i] = uid;
}

static void on_change(void *ctx, const struct folder_change *ch)
{
	struct view *v = ctx;

	if (!v->f || v->gone || !v->ops)
		return;
	switch (ch->kind) {
	case FOLDER_FLAGS:
		note_flags(v, ch);
		break;
	case FOLDER_KEYWORDS:
		v->keywords_due = true;
		break;
	case FOLDER_GONE:
		v->gone = true;
		v->ops->gone(v->ctx);
		return;
	case FOLDER_LIVE:
		if (v->ops->live)
			v->ops->live(v->ctx);
		break;
	case FOLDER_ADDED:
	case FOLDER_EXPUNGE:
		break;
	}
	if (v->push && view_pending(v))
		v->ops->pending(v->ctx);
}

/* ---- opening and closing ---------------------------------------------------------------------- */

static void opened(void *ctx, const struct store_result *r, struct folder *f)
{
	struct view *v = ctx;
	view_open_fn *done = v->done;

	v->done = NULL;
	if (r->code != STORE_OK) {
		void *done_ctx = v->done_ctx;

		free(v);
		done(done_ctx, r, NULL);
		return;
	}
	v->f = f;
	v->passed = f->expunges;
	v->hidden_gone = UINT64_MAX; /* not yet made */
	take_new(v);
	v->flags_uid = v->told_uid;
	v->counts_due = false;
	folder_passed(f, &v->l, v->passed);
	done(v->done_ctx, r, v);
}

struct view *view_open(struct store *st, const struct view_opts *o, view_open_fn *done, void *ctx)
{
	struct view *v = xcalloc(1, sizeof *v);

	v->st = st;
	v->writable = o->writable;
	v->keywords = o->keywords;
	v->done = done;
	v->done_ctx = ctx;
	v->l.on_change = on_change;
	v->l.ctx = v;
	v->l.writable = o->writable;
	list_init(&v->l.link);
	folder_open(st, o->name, &v->l, opened, v);
	return v;
}

void view_set_ops(struct view *v, const struct view_ops *ops, void *ctx)
{
	v->ops = ops;
	v->ctx = ctx;
}

void view_close(struct view **vp)
{
	struct view *v = *vp;

	*vp = NULL;
	if (!v)
		return;
	if (v->f)
		folder_close(v->f, &v->l);
	else
		folder_open_cancel(v->st, &v->l);
	vec_free(&v->recent);
	vec_free(&v->dirty);
	vec_free(&v->hidden);
	free(v);
}
