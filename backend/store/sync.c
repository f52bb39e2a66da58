/* SPDX-License-Identifier: Apache-2.0 */
/* sync: looks at the disk for what others did: the loop's half. scan.c does the work. */
#include "backend/store/store_int.h"
#include "common/base/log.h"

static void sync_free(struct op *op)
{
	struct sync *s = container_of(op, struct sync, op);

	buf_deinit(&s->names);
	vec_free(&s->missing);
	vec_free(&s->gone);
	vec_free(&s->changed);
	vec_free(&s->fresh);
	free(s);
}

static void sync_prepare(struct op *op)
{
	struct sync *s = container_of(op, struct sync, op);
	struct fold *f = op->part[0].f;

	if (f->sync_op == s)
		f->sync_op = NULL;
	if (s->kind == SYNC_TAIL)
		f->tail_queued = false;
	s->claim = fold_wants_claim(f);
	s->op.apply_here = !f->known;
	f->known = true;
	s->live = f->watch == WATCH_LIVE && !f->rescan;
	s->check_name = f->check_name;
	s->checked_name = f->disk_name;
	if (s->kind == SYNC_LOOK)
		f->check_name = false;
}

void sync_waits_done(struct list *waits, const struct store_result *r)
{
	struct list batch;

	list_init(&batch);
	while (!list_empty(waits)) {
		struct list *first = waits->next;
		list_remove(first);
		list_append(&batch, first);
	}
	while (!list_empty(&batch)) {
		struct sync_wait *w = list_entry(batch.next, struct sync_wait, link);
		list_remove(&w->link);
		w->done(w->ctx, r);
	}
}

/* A directory's mtime counts when it is older than two seconds: a later change shows for certain. */
static void note_clean(struct fold *f, const struct sync *s)
{
	bool complete = s->op.res.code == STORE_OK && s->quiet && !s->unsettled && !s->renamed && !s->missing.n;

	for (int d = WATCH_NEW; d <= WATCH_CUR; d++) {
		int64_t t = complete && s->now - s->mtime[d] > 2 * NS_PER_S ? s->mtime[d] : -1;
		if (t != f->clean[d])
			f->marked = false;
		f->clean[d] = t;
	}
}

static void sync_finish(struct op *op)
{
	struct sync *s = container_of(op, struct sync, op);
	struct fold *f = op->part[0].f;
	struct store_result res = op->res;

	if (res.code != STORE_OK && f->state == FOLD_OPEN)
		LOG(L_WARN, "sync_failed", L_C("user", f->f.store->o.user), L_C("folder", f->f.name),
		    L_C("error", res.err.text));
	if (s->scanned && s->kind != SYNC_NAMES) {
		note_clean(f, s);
		f->rescan = s->unsettled && s->kind == SYNC_LOOK;
	}
	if (res.code != STORE_OK && s->kind != SYNC_TAIL)
		f->rescan = true; /* what was seen could not be written down */
	if (s->name_lost && s->checked_name == f->disk_name) {
		if (f->f.store->store_op_busy)
			f->check_name = true; /* perhaps we are renaming it ourselves */
		else
			fold_dead(f, "deleted or renamed by another process");
		if (f->state == FOLD_DEAD)
			result_set(&res, STORE_NONEXISTENT, "The folder was deleted or renamed.");
	}
	if (s->foreign_rename)
		f->renamed_at = loop_now(f->f.store->o.loop);
	if (s->kind == SYNC_WATCHED)
		events_watched_scan_done(f, s);
	else if (s->kind == SYNC_NAMES)
		events_names_done(f, s);
	/* A volume that takes no writes can still be read: the table is as good as it gets. */
	if (res.code != STORE_OK && f->state == FOLD_OPEN)
		res.code = STORE_OK;
	struct list waits;
	list_init(&waits);
	while (!list_empty(&s->waits)) {
		struct list *first = s->waits.next;
		list_remove(first);
		list_append(&waits, first);
	}
	op_free(op);
	sync_waits_done(&waits, &res);
}

struct sync *sync_new(struct fold *f, enum sync_kind kind)
{
	struct sync *s = xcalloc(1, sizeof *s);

	op_init(&s->op, f, NULL);
	s->op.prepare = sync_prepare;
	s->op.work = scan_work;
	s->op.finish = sync_finish;
	s->op.free = sync_free;
	s->kind = kind;
	list_init(&s->waits);
	return s;
}

void sync_name(struct sync *s, bool in_new, const char *name)
{
	buf_putc(&s->names, in_new ? 1 : 0);
	buf_put(&s->names, name, strlen(name) + 1);
}

void sync_queue(struct fold *f, bool force, struct sync_wait *w)
{
	struct sync *s = f->sync_op;
	bool fresh = !s;

	if (fresh)
		s = f->sync_op = sync_new(f, SYNC_LOOK);
	s->force |= force;
	if (w) {
		list_init(&w->link);
		list_append(&s->waits, &w->link);
	}
	if (fresh)
		op_start(&s->op);
}

void sync_tail(struct fold *f)
{
	if (f->tail_queued)
		return;
	f->tail_queued = true;
	op_start(&sync_new(f, SYNC_TAIL)->op);
}
