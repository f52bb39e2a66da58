/* SPDX-License-Identifier: Apache-2.0 */
/* close: what a folder still owes the disk: flags within their second, wire sizes, a snapshot, and at
 * the end the clean mark by which the next open needs to read no directory. */
#include "backend/store/store_int.h"
#include "common/base/log.h"

struct flush {
	struct op op;
	bool closing, fenced, dirty, synced, compact;
	VEC(struct learnt) learnt;
	int64_t clean[2];
	bool marked;
};

static void flush_free(struct op *op)
{
	struct flush *fl = container_of(op, struct flush, op);

	vec_free(&fl->learnt);
	free(fl);
}

static void flush_prepare(struct op *op)
{
	struct flush *fl = container_of(op, struct flush, op);
	struct fold *f = op->part[0].f;

	fl->dirty = f->flags_dirty;
	f->flags_dirty = false;
	fl->compact = f->compact_wanted;
	f->compact_wanted = false;
	fl->learnt.a = f->learnt.a;
	fl->learnt.n = f->learnt.n;
	fl->learnt.cap = f->learnt.cap;
	f->learnt.a = NULL;
	f->learnt.n = f->learnt.cap = 0;
	memcpy(fl->clean, f->clean, sizeof fl->clean);
}

/* ---- the shortest form of the table ---------------------------------------------------------------- */

static void put_keywords(struct buf *b, const struct msg *m, struct rec *r)
{
	uint16_t done = 0;

	r->nadd = 0;
	while (m->kw && done < m->kw->n) {
		while (done < m->kw->n && r->nadd < REC_KW_MAX)
			r->kw_add[r->nadd++] = m->kw->kw[done++];
		rec_put(b, r);
		*r = (struct rec){.type = REC_KEYWORDS, .uid = m->uid, .modseq = m->modseq};
	}
	if (!done)
		rec_put(b, r);
}

static void put_table(const struct fold *f, struct buf *b)
{
	struct rec r;

	for (size_t i = 0; i < f->f.keywords.n; i++) {
		r = (struct rec){.type = REC_KEYWORD, .kw = (uint16_t)i, .keyword = str_c(f->f.keywords.a[i])};
		rec_put(b, &r);
	}
	for (size_t i = 0; i < f->f.msgs.n; i++) {
		const struct msg *m = &f->f.msgs.a[i];
		if (m->state & MSG_EXPUNGED)
			continue;
		r = (struct rec){.type = REC_ADD,
				 .uid = m->uid,
				 .modseq = m->modseq,
				 .base = str_c(m->base),
				 .extra = str_c(m->extra),
				 .flags = m->flags,
				 .in_new = m->state & MSG_IN_NEW,
				 .internaldate = m->internaldate,
				 .size = m->size,
				 .wire = __atomic_load_n(&m->wire, __ATOMIC_RELAXED)};
		put_keywords(b, m, &r);
	}
	for (size_t i = 0; i < f->gone.a.n; i++) {
		const struct history_range *g = &f->gone.a.a[i];
		r = (struct rec){.type = REC_VANISHED, .uid = g->lo, .last = g->hi, .modseq = g->modseq};
		rec_put(b, &r);
	}
	/* Last, since an ADD below a known uidnext would be refused. */
	r = (struct rec){.type = REC_STATE,
			 .uidnext = f->f.uidnext,
			 .modseq = f->f.modseq,
			 .keeps_expunges = true,
			 .floor = f->gone.floor};
	rec_put(b, &r);
}

static void compact(struct op *op)
{
	struct fold *f = op->part[0].f;
	struct buf b = BUF_INIT;
	struct err e;

	put_table(f, &b);
	/* A failure costs nothing but room: the journal goes on. */
	if (disk_compact(f->disk, buf_str(&b), &e) == 0)
		op->part[0].appended = true;
	buf_deinit(&b);
}

/* ---- on the I/O thread ------------------------------------------------------------------------------ */

/* Whether the table agrees with the directories as of these mtimes. */
static void look_clean(struct flush *fl, const struct fold *f)
{
	int64_t now = files_now_ns(f->files->dir, NULL);

	for (int d = WATCH_NEW; d <= WATCH_CUR; d++) {
		int64_t t = md_mtime_ns(files_fd(f->files, d == WATCH_NEW));
		/* The fence came less than two seconds ago: what is older was told before it. */
		if (t != fl->clean[d])
			fl->clean[d] = fl->fenced && t >= 0 && now - t > 2 * NS_PER_S ? t : -1;
	}
}

static void flush_work(struct op *op)
{
	struct flush *fl = container_of(op, struct flush, op);
	struct op_part *p = &op->part[0];
	struct fold *f = p->f;
	struct err e;
	bool mark = fl->closing && (f->wrote || !f->marked);

	if (fl->dirty && !fl->synced) {
		if (disk_sync(f->disk, &e) < 0)
			result_fail(&op->res, &e);
		else if (md_fsync_dir(f->files->cur) < 0)
			result_sys(&op->res, f->disk_name);
		fl->synced = true;
	}
	if (!fl->learnt.n && !fl->compact && !mark)
		return;
	if (!op_lock(op))
		return;
	for (size_t i = 0; i < fl->learnt.n; i++) {
		struct rec r = {.type = REC_SIZE, .uid = fl->learnt.a[i].uid, .wire = fl->learnt.a[i].wire};
		rec_put(&p->own, &r);
	}
	fl->learnt.n = 0;
	if (op_append(op, p, false) < 0)
		return;
	if (fl->compact)
		compact(op);
	if (!mark)
		return;
	look_clean(fl, f);
	files_purge_tmp(f->files->dir);
	fl->marked = disk_mark_clean(f->disk, fl->clean[WATCH_NEW], fl->clean[WATCH_CUR], &e) == 0;
}

/* ---- on the loop -------------------------------------------------------------------------------------- */

static void flush_finish(struct op *op)
{
	struct flush *fl = container_of(op, struct flush, op);
	struct fold *f = op->part[0].f;

	if (op->res.code != STORE_OK)
		LOG(L_WARN, "flush_failed", L_C("user", f->f.store->o.user), L_C("folder", f->f.name),
		    L_C("error", op->res.err.text));
	if (op->res.code != STORE_OK && fl->dirty && !fl->closing) {
		f->flags_dirty = true; /* tried again, until the volume takes it */
		fold_flush_later(f, RETRY_MS);
	}
	if (fl->closing)
		f->state = FOLD_DEAD;
	op_free(op);
}

static struct flush *flush_new(struct fold *f)
{
	struct flush *fl = xcalloc(1, sizeof *fl);

	op_init(&fl->op, f, NULL);
	fl->op.prepare = flush_prepare;
	fl->op.work = flush_work;
	fl->op.finish = flush_finish;
	fl->op.free = flush_free;
	return fl;
}

static void flush_tick(void *ctx)
{
	struct fold *f = ctx;

	if (f->state == FOLD_OPEN)
		op_start(&flush_new(f)->op);
}

void fold_flush_later(struct fold *f, unsigned ms)
{
	if (!f->flush_timer)
		f->flush_timer = loop_timer_new(f->f.store->o.loop, flush_tick, f);
	uint64_t due = loop_now(f->f.store->o.loop) + ms;
	if (!loop_timer_active(f->flush_timer) || due < f->flush_due) {
		f->flush_due = due;
		loop_timer_set(f->flush_timer, ms);
	}
}

void fold_compact_if_large(struct fold *f)
{
	uint64_t size = disk_journal_size(f->disk);

	/* A snapshot takes about 100 bytes a message and 28 an entry of the history: writing one must pay. */
	if (f->compact_wanted || size < f->f.store->o.set->journal_compact ||
	    size < f->f.msgs.n * 200 + f->gone.a.n * 56)
		return;
	f->compact_wanted = true;
	fold_flush_later(f, 0);
}

static void close_op(struct fold *f, bool fenced)
{
	struct flush *fl = flush_new(f);

	fl->closing = true;
	fl->fenced = fenced;
	op_start(&fl->op);
}

static void close_fenced(void *ctx, bool lost)
{
	struct fold **fp = ctx, *f = *fp;

	free(fp);
	close_op(f, !lost && !f->events.n && !f->rescan && (!f->cands || !hmap_count(f->cands)));
	fold_put(f);
}

void fold_evict(struct fold *f)
{
	f->state = FOLD_CLOSING;
	fold_ref(f);
	if (f->watch == WATCH_LIVE && f->f.store->watcher) {
		struct fold **fp = xmalloc(sizeof(struct fold *));
		*fp = f;
		watcher_fence(f->f.store->watcher, close_fenced, fp);
		return;
	}
	close_op(f, false);
	fold_put(f);
}
