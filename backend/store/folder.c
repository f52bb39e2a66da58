/* SPDX-License-Identifier: Apache-2.0 */
/* folder: which folders are in memory, who holds them, and what sessions ask of an open one. */
#include "backend/store/store_int.h"
#include "common/base/log.h"

struct fold_wait {
	struct list link; /* fold.waits */
	struct list all;  /* store.waits */
	struct fold *f;   /* NULL: the name was refused */
	struct folder_listener *l;
	fold_get_fn *done;
	folder_open_fn *open_done;
	void *ctx;
	struct store_result res;
	struct sync_wait sync;
	bool no_sync;
	bool again;   /* the folder in memory was no longer the one of that name; once */
	struct op op; /* passes on, later, a folder that is in memory */
};

/* ---- finding and holding -------------------------------------------------------------------------- */

struct fold *fold_by_name(struct store *st, struct str name)
{
	list_foreach(e, &st->folds) {
		struct fold *f = list_entry(e, struct fold, link);
		if ((f->state == FOLD_OPENING || f->state == FOLD_OPEN) && str_eq(str_c(f->f.name), name))
			return f;
	}
	return NULL;
}

static struct fold *fold_new(struct store *st, char *name)
{
	struct fold *f = xcalloc(1, sizeof *f);

	f->f.store = st;
	f->f.name = name;
	f->f.uidnext = 1;
	f->f.modseq = 1; /* what an empty folder shows: never 0 (RFC 7162) */
	f->state = FOLD_OPENING;
	f->clean[WATCH_NEW] = f->clean[WATCH_CUR] = -1;
	list_init(&f->f.listeners);
	list_init(&f->waits);
	list_init(&f->queue);
	list_init(&f->sync_waits);
	list_init(&f->link);
	list_append(&st->folds, &f->link);
	return f;
}

void fold_free(struct fold *f)
{
	struct store *st = f->f.store;

	ASSERT(f->refs == 0 && !f->busy && list_empty(&f->waits));
	fold_watch_stop(f);
	list_remove(&f->link);
	loop_timer_free(&f->flush_timer);
	loop_timer_free(&f->gone_timer);
	disk_close(&f->disk);
	folder_files_put(&f->files);
	fold_clear(f);
	vec_foreach(name, &f->old_names)
		free(*name);
	vec_free(&f->old_names);
	free(f->f.name);
	free(f->disk_name);
	free(f);
	store_later(st);
}

void fold_ref(struct fold *f)
{
	f->refs++;
}

void fold_put(struct fold *f)
{
	ASSERT(f->refs > 0);
	if (--f->refs)
		return;
	f->idle_since = loop_now(f->f.store->o.loop);
	if (f->state == FOLD_DEAD) {
		fold_free(f);
	} else if (f->state == FOLD_OPEN) {
		list_remove(&f->link); /* the folders that were used last are at the end */
		list_append(&f->f.store->folds, &f->link);
		store_cache_look(f->f.store);
	}
}

bool fold_wants_claim(const struct fold *f)
{
	list_foreach(e, (struct list *)&f->f.listeners)
		if (list_entry(e, struct folder_listener, link)->writable)
			return true;
	list_foreach(e, (struct list *)&f->waits) {
		const struct fold_wait *w = list_entry(e, struct fold_wait, link);
		if (w->l && w->l->writable)
			return true;
	}
	return false;
}

void fold_dead(struct fold *f, const char *why)
{
	struct folder_change ch = {.kind = FOLDER_GONE};

	if (f->state == FOLD_DEAD)
		return;
	LOG(L_WARN, "folder_gone", L_C("user", f->f.store->o.user), L_C("folder", f->f.name), L_C("why", why));
	fold_ref(f);
	f->state = FOLD_DEAD;
	fold_watch_stop(f);
	fold_tell(f, &ch);
	fold_put(f);
}

/* ---- waiting for one ---------------------------------------------------------------------------- */

static void wait_over(struct fold_wait *w, const struct store_result *r)
{
	struct fold *f = w->f;

	list_remove(&w->link);
	list_remove(&w->all);
	if (r->code == STORE_OK && w->l) {
		w->l->expunge_passed = f->f.expunges;
		list_append(&f->f.listeners, &w->l->link);
		fold_ref(f); /* the listener's */
		fold_watch_start(f);
	}
	if (w->l)
		w->open_done(w->ctx, r, r->code == STORE_OK ? &f->f : NULL);
	else if (w->done)
		w->done(w->ctx, r, r->code == STORE_OK ? f : NULL);
	bool keep = r->code == STORE_OK && !w->l && w->done;
	free(w);
	if (!keep)
		fold_put(f);
}

static void wait_start(struct store *st, struct str name, struct fold_wait *w);

/* Another process deleted the folder, and may have made one of the same name again: opened anew. */
static bool wait_again(struct fold_wait *w)
{
	struct fold *old = w->f;

	if (old->state != FOLD_DEAD || w->again)
		return false;
	w->again = true;
	list_remove(&w->link);
	list_remove(&w->all);
	wait_start(old->f.store, str_c(old->f.name), w);
	fold_put(old);
	return true;
}

static void pass_free(struct op *op)
{
}

static void passed(struct op *op)
{
	struct fold_wait *w = container_of(op, struct fold_wait, op);
	struct store_result res = op->res;

	op_free(op);
	if (!wait_again(w))
		wait_over(w, &res);
}

static void wait_pass(struct fold_wait *w)
{
	op_init(&w->op, w->f, NULL);
	w->op.finish = passed;
	w->op.free = pass_free;
	op_start(&w->op);
}

static void wait_synced(void *ctx, const struct store_result *r)
{
	if (!wait_again(ctx))
		wait_over(ctx, r);
}

static void wait_sync(struct fold_wait *w)
{
	w->sync = (struct sync_wait){.f = w->f, .done = wait_synced, .ctx = w};
	events_wait(w->f, &w->sync);
}

void fold_opened(struct fold *f)
{
	fold_ref(f);
	f->state = f->open_res.code == STORE_OK ? FOLD_OPEN : FOLD_DEAD;
	list_foreach(e, &f->waits) {
		struct fold_wait *w = list_entry(e, struct fold_wait, link);
		if (f->state == FOLD_OPEN)
			wait_sync(w);
		else
			wait_over(w, &f->open_res);
	}
	fold_put(f);
}

struct refusal {
	struct store_op op;
	struct fold_wait *w;
};

static void nothing(struct store_op *op)
{
}

static void refuse(struct store_op *op)
{
	struct refusal *r = container_of(op, struct refusal, op);
	struct fold_wait *w = r->w;

	list_remove(&w->all);
	if (w->l)
		w->open_done(w->ctx, &w->res, NULL);
	else if (w->done)
		w->done(w->ctx, &w->res, NULL);
	free(w);
	free(r);
}

static void wait_start(struct store *st, struct str name, struct fold_wait *w)
{
	list_init(&w->link);
	list_init(&w->all);
	list_append(&st->waits, &w->all);
	w->res.code = store_name_check(st, name, &w->res.err);
	if (w->res.code != STORE_OK || st->closing) {
		struct refusal *r = xcalloc(1, sizeof *r);
		if (w->res.code == STORE_OK)
			result_set(&w->res, STORE_UNAVAILABLE, "the store is closing");
		r->op.work = nothing;
		r->op.finish = refuse;
		r->w = w;
		store_op_start(st, &r->op);
		return;
	}
	char *canonical = names_canonical(name);
	struct fold *f = fold_by_name(st, str_c(canonical));
	bool fresh = !f;
	if (fresh)
		f = fold_new(st, canonical);
	else
		free(canonical);
	w->f = f;
	fold_ref(f);
	list_append(&f->waits, &w->link);
	if (fresh)
		fold_open_start(f);
	else if (f->state == FOLD_OPEN && w->no_sync && !f->check_name)
		wait_pass(w);
	else if (f->state == FOLD_OPEN)
		wait_sync(w);
}

void fold_get(struct store *st, struct str name, bool sync, fold_get_fn *done, void *ctx)
{
	struct fold_wait *w = xcalloc(1, sizeof *w);

	w->no_sync = !sync;
	w->done = done;
	w->ctx = ctx;
	wait_start(st, name, w);
}

/* ---- sessions ------------------------------------------------------------------------------------- */

void folder_open(struct store *st, struct str name, struct folder_listener *l, folder_open_fn *done, void *ctx)
{
	struct fold_wait *w = xcalloc(1, sizeof *w);

	list_init(&l->link);
	w->l = l;
	w->open_done = done;
	w->ctx = ctx;
	wait_start(st, name, w);
}

void folder_open_cancel(struct store *st, struct folder_listener *l)
{
	list_foreach(e, &st->waits) {
		struct fold_wait *w = list_entry(e, struct fold_wait, all);
		if (w->l == l) {
			w->l = NULL;
			w->open_done = NULL;
		}
	}
}

void folder_close(struct folder *pub, struct folder_listener *l)
{
	struct fold *f = fold_of(pub);

	list_remove(&l->link);
	f->reap_wanted = pub->tombs.n > 0;
	store_later(pub->store);
	fold_put(f);
}

bool folder_live(const struct folder *pub)
{
	return fold_of_const(pub)->watch == WATCH_LIVE;
}

bool folder_settling(const struct folder *pub)
{
	const struct fold *f = fold_of_const(pub);

	return f->sub && f->watch != WATCH_LIVE && watcher_linked(f->f.store->watcher);
}

struct folder_sync {
	struct sync_wait wait;
	store_done_fn *done;
	void *ctx;
};

static void folder_synced(void *ctx, const struct store_result *r)
{
	struct folder_sync *s = ctx;
	struct fold *f = s->wait.f;

	s->done(s->ctx, r);
	free(s);
	fold_put(f);
}

void folder_sync(struct folder *pub, store_done_fn *done, void *ctx)
{
	struct folder_sync *s = xcalloc(1, sizeof *s);

	s->done = done;
	s->ctx = ctx;
	s->wait = (struct sync_wait){.f = fold_of(pub), .done = folder_synced, .ctx = s};
	fold_ref(s->wait.f);
	events_wait(s->wait.f, &s->wait);
}

void folder_learn_wire(struct folder *pub, uint32_t uid, uint64_t wire)
{
	struct fold *f = fold_of(pub);
	size_t i = folder_find(pub, uid);

	if (i == pub->msgs.n || pub->msgs.a[i].uid != uid || pub->msgs.a[i].wire == wire)
		return;
	__atomic_store_n(&pub->msgs.a[i].wire, wire, __ATOMIC_RELAXED);
	*vec_push(&f->learnt) = (struct learnt){uid, wire};
	fold_flush_later(f, LEARNT_MS);
}

void folder_suspect(struct folder *pub, uint32_t uid)
{
	const struct msg *m = fold_msg(fold_of(pub), uid);

	if (m)
		events_suspect(fold_of(pub), m);
}
