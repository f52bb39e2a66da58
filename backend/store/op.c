/* SPDX-License-Identifier: Apache-2.0 */
/*
 * op: one change of one folder (or of two, for COPY) at a time. Ops of a folder wait in its queue. An
 * op's work runs on an I/O thread; what it and others wrote to the journal is applied on the loop.
 */
#include "backend/store/store_int.h"

void op_init(struct op *op, struct fold *f, struct fold *f2)
{
	if (f2 == f)
		f2 = NULL;
	/* One order for all processes, so that two can't wait for each other. */
	if (f2 && (f2->dev < f->dev || (f2->dev == f->dev && f2->ino < f->ino))) {
		struct fold *t = f;
		f = f2;
		f2 = t;
	}
	op->nparts = f2 ? 2 : 1;
	op->part[0].f = f;
	op->part[1].f = f2;
	list_init(&op->link);
	for (unsigned i = 0; i < op->nparts; i++) {
		op->part[i].op = op;
		list_init(&op->part[i].slot);
		fold_ref(op->part[i].f);
	}
}

void op_free(struct op *op)
{
	struct fold *f[2] = {op->part[0].f, op->part[1].f};

	for (unsigned i = 0; i < op->nparts; i++) {
		buf_deinit(&op->part[i].foreign);
		buf_deinit(&op->part[i].own);
		vec_free(&op->part[i].recent);
		vec_free(&op->part[i].odd);
		vec_free(&op->part[i].surprises);
		vec_foreach(s, &op->part[i].new_kw)
			free((char *)s->p);
		vec_free(&op->part[i].new_kw);
	}
	unsigned n = op->nparts;
	op->free(op);
	for (unsigned i = 0; i < n; i++)
		fold_put(f[i]);
}

/* ---- I/O thread --------------------------------------------------------------------------------- */

void op_lost(struct op *op, struct op_part *p, const char *what)
{
	p->lost = true;
	snprintf(p->reset_err.text, sizeof p->reset_err.text, "%s", what);
	result_set(&op->res, STORE_UNAVAILABLE, what);
}

static bool lock_part(struct op *op, struct op_part *p)
{
	struct err e;

	if (disk_locked(p->f->disk))
		return true;
	if (disk_lock(p->f->disk, &p->foreign, &p->reset, &e) < 0) {
		result_fail(&op->res, &e);
		return false;
	}
	if (p->reset) {
		op_lost(op, p, "the folder's files were replaced");
		return false;
	}
	p->modseq = 0;
	return true;
}

bool op_lock(struct op *op)
{
	for (unsigned i = 0; i < op->nparts; i++)
		if (!lock_part(op, &op->part[i]))
			return false;
	for (unsigned i = 0; i < op->nparts; i++)
		op->again |= op->part[i].foreign.n > 0;
	if (op->again)
		return false;
	for (unsigned i = 0; i < op->nparts; i++)
		if (!op->part[i].modseq) {
			op->part[i].uidnext = op->part[i].f->f.uidnext;
			op->part[i].keywords = (uint16_t)op->part[i].f->f.keywords.n;
		}
	return true;
}

bool op_tail(struct op *op)
{
	struct op_part *p = &op->part[0];
	struct err e;

	if (disk_locked(p->f->disk))
		return true;
	if (disk_tail(p->f->disk, &p->foreign, &p->reset, &e) < 0) {
		result_fail(&op->res, &e);
		return false;
	}
	if (p->reset) {
		op_lost(op, p, "the folder's files were replaced");
		return false;
	}
	op->again = p->foreign.n > 0;
	return !op->again;
}

void op_put(struct op_part *p, struct rec *r)
{
	if (!p->modseq)
		p->modseq = p->f->f.modseq;
	if (p->modseq < INT64_MAX)
		p->modseq++;
	r->modseq = p->modseq;
	rec_put(&p->own, r);
}

void op_put_add(struct op_part *p, struct rec *r, const uint16_t *kw, size_t n)
{
	struct rec more = {.type = REC_KEYWORDS, .uid = r->uid};
	size_t i = 0;

	for (; i < n && r->nadd < REC_KW_MAX; i++)
		r->kw_add[r->nadd++] = kw[i];
	op_put(p, r);
	while (i < n) {
		for (more.nadd = 0; i < n && more.nadd < REC_KW_MAX; i++)
			more.kw_add[more.nadd++] = kw[i];
		op_put(p, &more);
	}
}

uint32_t op_uid(struct op_part *p)
{
	return p->uidnext == UINT32_MAX ? 0 : p->uidnext++;
}

void op_odd(struct op_part *p, uint32_t uid, const char *name)
{
	struct odd_name *o = vec_push(&p->odd);

	o->uid = uid;
	snprintf(o->name, sizeof o->name, "%s", name);
}

int op_keyword(struct op_part *p, struct str name)
{
	const struct folder *f = &p->f->f;

	for (size_t i = 0; i < f->keywords.n; i++)
		if (str_ieq(str_c(f->keywords.a[i]), name))
			return (int)i;
	for (size_t i = 0; i < p->new_kw.n; i++)
		if (str_ieq(p->new_kw.a[i], name))
			return (int)(f->keywords.n + i);
	if (p->keywords >= f->store->o.set->imap_keywords_max || p->keywords >= 4096)
		return -1;
	struct rec r = {.type = REC_KEYWORD, .kw = p->keywords, .keyword = name};
	op_put(p, &r);
	*vec_push(&p->new_kw) = str_c(str_dup(name));
	return p->keywords++;
}

int op_append(struct op *op, struct op_part *p, bool sync)
{
	struct disk *d = p->f->disk;
	struct err e;

	if (!p->own.n)
		return 0;
	uint64_t modseq = p->modseq ? p->modseq : p->f->f.modseq;
	if (disk_reserve(d, p->uidnext, modseq, &e) < 0 || disk_append(d, buf_str(&p->own), sync, &e) < 0) {
		buf_reset(&p->own);
		p->recent.n = p->odd.n = p->surprises.n = 0;
		return result_fail(&op->res, &e);
	}
	p->appended = true;
	if (disk_still_locked(d))
		return 0;
	op_lost(op, p, "another process took the folder's lock over");
	return -1;
}

static void apply_part(struct op *op, struct op_part *p)
{
	struct apply_opts o = {0};

	if (p->lost || p->f->state == FOLD_DEAD)
		return;
	if (p->foreign.n)
		p->f->wrote = true;
	fold_apply(p->f, buf_str(&p->foreign), &o);
	buf_reset(&p->foreign);
	if (op->again || (p->own.n && !p->appended))
		return;
	o = (struct apply_opts){op->origin, op->silent, p->recent.a, p->recent.n};
	fold_apply(p->f, buf_str(&p->own), &o);
	vec_foreach(odd, &p->odd)
		fold_apply_odd(p->f, odd);
	vec_foreach(uid, &p->surprises)
		fold_tell_flags(p->f, *uid);
}

static void op_run(struct job *j)
{
	struct op *op = container_of(j, struct op, job);

	do {
		op->again = false;
		op->work(op);
		if (op->apply_here)
			apply_part(op, &op->part[0]);
	} while (op->again && op->apply_here);
	if (op->again)
		return;
	for (unsigned i = 0; i < op->nparts; i++)
		if (op->part[i].f->disk && disk_locked(op->part[i].f->disk))
			disk_unlock(op->part[i].f->disk);
}

/* ---- loop ----------------------------------------------------------------------------------------- */

/* The loop's half, when the table is up to date. */
static void part_applied(struct op *op, struct op_part *p)
{
	if (p->lost || p->f->state == FOLD_DEAD || !p->appended || op->again)
		return;
	p->f->wrote = true;
	fold_compact_if_large(p->f);
	if (p->f->sub)
		watcher_journal(p->f->sub, disk_generation(p->f->disk), disk_offset(p->f->disk));
}

static void op_done(struct job *j)
{
	struct op *op = container_of(j, struct op, job);

	for (unsigned i = 0; i < op->nparts; i++) {
		if (!op->apply_here)
			apply_part(op, &op->part[i]);
		part_applied(op, &op->part[i]);
	}
	if (op->again) {
		op->again = false;
		jobs_submit(op->part[0].f->f.store->o.jobs, &op->job);
		return;
	}
	struct fold *f[2] = {op->part[0].f, op->part[1].f};
	unsigned n = op->nparts;
	for (unsigned i = 0; i < n; i++) {
		f[i]->busy = NULL;
		list_remove(&op->part[i].slot);
		fold_ref(f[i]);
		if (op->part[i].lost)
			fold_dead(f[i], op->part[i].reset_err.text);
	}
	op->finish(op);
	for (unsigned i = 0; i < n; i++) {
		fold_kick(f[i]);
		fold_put(f[i]);
	}
}

/* All of its folders are the op's now. */
static void op_submit(struct op *op)
{
	struct store *st = op->part[0].f->f.store;

	op->job = (struct job){.run = op_run, .done = op_done};
	for (unsigned i = 0; i < op->nparts; i++)
		if (op->part[i].f->state != FOLD_OPEN && op->res.code == STORE_OK &&
		    op->part[i].f->state != FOLD_CLOSING)
			result_set(&op->res, STORE_NONEXISTENT, "the folder is no longer there");
	if (op->prepare)
		op->prepare(op);
	if (op->work && op->res.code == STORE_OK) {
		jobs_submit(st->o.jobs, &op->job);
	} else {
		list_append(&st->ready, &op->link);
		store_later(st);
	}
}

void op_ready(struct store *st)
{
	while (!list_empty(&st->ready)) {
		struct op *op = list_entry(st->ready.next, struct op, link);
		list_remove(&op->link);
		op_done(&op->job);
	}
}

/* The op at the head of f's queue gets f; it may need another folder as well. */
void fold_kick(struct fold *f)
{
	if (f->busy || f->state == FOLD_OPENING)
		return;
	if (f->reap_wanted)
		fold_reap(f);
	if (f->state == FOLD_OPEN)
		events_run(f);
	if (f->busy || list_empty(&f->queue))
		return;
	struct op_part *p = list_entry(f->queue.next, struct op_part, slot);
	struct op *op = p->op;
	f->busy = op;
	if (++op->held < op->nparts) {
		struct op_part *second = &op->part[1];
		list_append(&second->f->queue, &second->slot);
		fold_kick(second->f);
		return;
	}
	op_submit(op);
}

void op_start(struct op *op)
{
	struct fold *f = op->part[0].f;

	list_append(&f->queue, &op->part[0].slot);
	fold_kick(f);
}
