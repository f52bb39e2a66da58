/* SPDX-License-Identifier: Apache-2.0 */
/* flags: STORE. System flags live in the file's name, keywords in the journal alone. */
#include <fcntl.h>
#include <sys/stat.h>

#include "backend/store/store_int.h"

enum { SLICE = 1000 }; /* a STORE of 100,000 messages lets others have their turn */

struct flags {
	struct op op;
	uint32_t *uids;
	size_t n, at; /* at: done so far */
	enum flags_mode mode;
	uint8_t bits;
	char **keywords;
	size_t nkeywords;
	bool expunged, expunged_before; /* a message had gone */
	uint64_t unchanged_since;
	void (*modified)(void *ctx, const uint32_t *uids, size_t n); /* NULL: not conditional */
	VEC(uint32_t) changed; /* left alone, since they had changed */
	size_t changed_before;
	store_done_fn *done;
	void *ctx;
};

static void flags_free(struct op *op)
{
	struct flags *q = container_of(op, struct flags, op);

	for (size_t i = 0; i < q->nkeywords; i++)
		free(q->keywords[i]);
	free(q->keywords);
	free(q->uids);
	vec_free(&q->changed);
	free(q);
}

static uint8_t combine(const struct flags *q, uint8_t have)
{
	switch (q->mode) {
	case FLAGS_SET:
		return q->bits;
	case FLAGS_ADD:
		return have | q->bits;
	case FLAGS_REMOVE:
		return have & (uint8_t)~q->bits;
	}
	return have;
}

/* What became of one message; -1: errno says what went wrong. */
enum { GONE, DONE, CHANGED };

/*
 * Gives the file the flags. DONE: name is its name now, n what was found. Another program may have renamed
 * it: then its flags are those that are found, or, with a condition, it is CHANGED.
 */
static int rename_file(struct flags *q, const struct msg *m, struct md_name *n, char name[256])
{
	struct fold *f = q->op.part[0].f;
	bool in_new = fold_name(f, m, name);
	struct err e;
	char to[256];

	for (int tries = 0; tries < 20; tries++) {
		if (!md_name_parse(str_c(name), n))
			return GONE;
		if (q->modified && n->flags != m->flags)
			return CHANGED;
		uint8_t flags = combine(q, n->flags);
		if (!md_name_make(n->base, flags, n->extra, false, to)) {
			errno = ENAMETOOLONG;
			return -1;
		}
		if ((!in_new && !strcmp(to, name)) ||
		    files_rename_new(files_fd(f->files, in_new), name, f->files->cur, to) == 0) {
			n->flags = flags;
			memcpy(name, to, sizeof to);
			return DONE;
		}
		if (errno != ENOENT && errno != EEXIST)
			return -1;
		int found = md_find(f->files->cur, f->files->new, str_c(m->base), name, &in_new, &e);
		if (found < 0) {
			errno = e.code;
			return -1;
		}
		if (!found && tries > 1)
			return GONE;
	}
	errno = EBUSY;
	return -1;
}

/* Whether the file is where the table says, or has other flags by now that nobody has noticed. */
static int look_at_file(const struct fold *f, const struct msg *m)
{
	char name[256];
	bool in_new = fold_name(f, m, name);
	struct md_name n;
	struct stat sb;
	struct err e;

	if (fstatat(files_fd(f->files, in_new), name, &sb, AT_SYMLINK_NOFOLLOW) == 0)
		return DONE;
	if (errno != ENOENT)
		return -1;
	int found = md_find(f->files->cur, f->files->new, str_c(m->base), name, &in_new, &e);
	if (found < 0)
		errno = e.code;
	if (found <= 0)
		return found < 0 ? -1 : GONE;
	return md_name_parse(str_c(name), &n) && n.flags == m->flags ? DONE : CHANGED;
}

static bool has_any(const struct flags *q, const struct msg *m, const int *kw)
{
	for (size_t i = 0; i < q->nkeywords; i++)
		if (kw[i] >= 0 && kwset_has(m->kw, (uint16_t)kw[i]))
			return true;
	return false;
}

/* 0 asks whether what is to be set exists: system flags always do, keywords where they are set (RFC 7162 3.1.3). */
static bool over_the_limit(const struct flags *q, const struct msg *m, const int *kw)
{
	if (!q->unchanged_since && q->mode != FLAGS_SET && !q->bits && q->nkeywords)
		return has_any(q, m, kw);
	return m->modseq > q->unchanged_since;
}

static void put_flags(struct flags *q, const struct msg *m, const struct md_name *n)
{
	struct op_part *p = &q->op.part[0];
	struct rec r = {.type = REC_FLAGS,
			.uid = m->uid,
			.modseq = m->modseq,
			.flags = m->flags,
			.add = n->flags & (uint8_t)~m->flags,
			.del = m->flags & (uint8_t)~n->flags,
			.extra = str_c(m->extra)};

	if (n->flags != m->flags)
		op_put(p, &r);
	else
		rec_put(&p->own, &r);
	if (n->flags != combine(q, m->flags))
		*vec_push(&p->surprises) = m->uid;
	if (p->f->odd && hmap_get_u64(p->f->odd, m->uid))
		op_odd(p, m->uid, "");
}

static int one_system(struct flags *q, const struct msg *m, const int *kw)
{
	struct md_name n = {0};
	char name[256];

	if (q->modified && over_the_limit(q, m, kw))
		return CHANGED;
	if (combine(q, m->flags) == m->flags)
		return q->modified ? look_at_file(q->op.part[0].f, m) : DONE;
	int rc = rename_file(q, m, &n, name);
	if (rc == DONE)
		put_flags(q, m, &n);
	return rc;
}

static void flush_kw(struct op_part *p, struct rec *r)
{
	if (r->nadd || r->ndel)
		op_put(p, r);
	r->nadd = r->ndel = 0;
}

static bool in_list(const int *kw, size_t n, int x)
{
	for (size_t i = 0; i < n; i++)
		if (kw[i] == x)
			return true;
	return false;
}

static void one_keywords(struct flags *q, const struct msg *m, const int *kw)
{
	struct op_part *p = &q->op.part[0];
	struct rec r = {.type = REC_KEYWORDS, .uid = m->uid};

	for (uint16_t i = 0; q->mode == FLAGS_SET && m->kw && i < m->kw->n; i++)
		if (!in_list(kw, q->nkeywords, m->kw->kw[i])) {
			r.kw_del[r.ndel++] = m->kw->kw[i];
			if (r.ndel == REC_KW_MAX)
				flush_kw(p, &r);
		}
	for (size_t i = 0; i < q->nkeywords; i++) {
		if (kw[i] < 0 || kwset_has(m->kw, (uint16_t)kw[i]) != (q->mode == FLAGS_REMOVE))
			continue;
		if (q->mode == FLAGS_REMOVE)
			r.kw_del[r.ndel++] = (uint16_t)kw[i];
		else
			r.kw_add[r.nadd++] = (uint16_t)kw[i];
		if (r.nadd == REC_KW_MAX || r.ndel == REC_KW_MAX)
			flush_kw(p, &r);
	}
	flush_kw(p, &r);
}

/* Numbers of the keywords; one to be removed that nobody knows is -1. */
static int number_keywords(struct flags *q, int *kw)
{
	struct op_part *p = &q->op.part[0];
	const struct folder *f = &p->f->f;

	for (size_t i = 0; i < q->nkeywords; i++) {
		kw[i] = -1;
		if (q->mode == FLAGS_REMOVE) {
			for (size_t k = 0; k < f->keywords.n; k++)
				if (str_ieq(str_c(f->keywords.a[k]), str_c(q->keywords[i])))
					kw[i] = (int)k;
			continue;
		}
		kw[i] = op_keyword(p, str_c(q->keywords[i]));
		if (kw[i] < 0)
			return result_set(&q->op.res, STORE_LIMIT, "This folder has too many keywords.");
	}
	return 0;
}

static size_t slice_end(const struct flags *q)
{
	return q->n - q->at < SLICE ? q->n : q->at + SLICE;
}

static void flags_work(struct op *op)
{
	struct flags *q = container_of(op, struct flags, op);
	struct op_part *p = &op->part[0];
	struct store_result fault = {.code = STORE_OK};
	bool sync = p->f->f.store->o.set->sync_flags;

	if (!op_lock(op))
		return;
	q->expunged = q->expunged_before;
	q->changed.n = q->changed_before;
	int *kw = xcalloc(q->nkeywords + 1, sizeof *kw);
	if (number_keywords(q, kw) < 0) {
		buf_reset(&p->own);
		free(kw);
		return;
	}
	for (size_t i = q->at; i < slice_end(q) && fault.code == STORE_OK; i++) {
		const struct msg *m = fold_msg(p->f, q->uids[i]);
		int rc = m ? one_system(q, m, kw) : GONE;
		if (rc < 0)
			result_sys(&fault, m->base);
		else if (rc == GONE)
			q->expunged = true;
		else if (rc == CHANGED)
			*vec_push(&q->changed) = m->uid;
		else
			one_keywords(q, m, kw);
	}
	free(kw);
	/* What was renamed is so, even if a later file could not be. */
	if (op_append(op, p, sync) < 0)
		return;
	if (sync && p->appended && md_fsync_dir(p->f->files->cur) < 0)
		result_sys(&op->res, p->f->disk_name);
	if (fault.code != STORE_OK)
		op->res = fault;
}

static struct flags *flags_new(struct fold *f);

/* The rest of the messages, behind what others wait for. */
static void next_slice(struct flags *q)
{
	struct flags *next = flags_new(q->op.part[0].f);

	next->uids = q->uids;
	next->n = q->n;
	next->at = slice_end(q);
	next->mode = q->mode;
	next->bits = q->bits;
	next->keywords = q->keywords;
	next->nkeywords = q->nkeywords;
	next->expunged_before = q->expunged;
	next->unchanged_since = q->unchanged_since;
	next->modified = q->modified;
	next->changed.a = q->changed.a;
	next->changed.n = next->changed_before = q->changed.n;
	next->changed.cap = q->changed.cap;
	q->changed.a = NULL;
	q->changed.n = q->changed.cap = 0;
	next->done = q->done;
	next->ctx = q->ctx;
	next->op.origin = q->op.origin;
	next->op.silent = q->op.silent;
	q->uids = NULL;
	q->keywords = NULL;
	q->nkeywords = 0;
	op_start(&next->op);
}

static void flags_finish(struct op *op)
{
	struct flags *q = container_of(op, struct flags, op);
	struct fold *f = op->part[0].f;
	struct store_result res = op->res;
	store_done_fn *done = q->done;
	void *ctx = q->ctx;

	if (op->part[0].appended && !f->f.store->o.set->sync_flags) {
		f->flags_dirty = true;
		if (f->state == FOLD_OPEN)
			fold_flush_later(f, FLAGS_SYNC_MS);
	}
	if (res.code == STORE_OK && slice_end(q) < q->n) {
		next_slice(q);
		op_free(op);
		return;
	}
	if (res.code == STORE_OK && q->expunged) {
		result_set(&res, STORE_EXPUNGED, "Some of the messages no longer exist.");
		for (size_t i = 0; i < q->n; i++) { /* those of which only the file has gone */
			const struct msg *m = fold_msg(f, q->uids[i]);
			if (m && f->state == FOLD_OPEN && combine(q, m->flags) != m->flags)
				events_suspect(f, m);
		}
	} else if (res.code != STORE_OK && f->state == FOLD_OPEN) {
		f->rescan = true;
	}
	if (q->changed.n) {
		/* Perhaps only its file told so: then the next look notices it too. */
		f->rescan |= f->watch == WATCH_OFF;
		q->modified(ctx, q->changed.a, q->changed.n);
	}
	op_free(op);
	done(ctx, &res);
}

static struct flags *flags_new(struct fold *f)
{
	struct flags *q = xcalloc(1, sizeof *q);

	op_init(&q->op, f, NULL);
	q->op.work = flags_work;
	q->op.finish = flags_finish;
	q->op.free = flags_free;
	return q;
}

void folder_flags(struct folder *pub, const struct flags_request *r, store_done_fn *done, void *ctx)
{
	struct flags *q = flags_new(fold_of(pub));

	q->uids = xmalloc((r->n + 1) * sizeof *q->uids);
	memcpy(q->uids, r->uids, r->n * sizeof *q->uids);
	q->n = r->n;
	q->mode = r->mode;
	q->bits = r->flags & MSG_FLAGS_ALL;
	q->keywords = xcalloc(r->nkeywords + 1, sizeof *q->keywords);
	for (; q->nkeywords < r->nkeywords; q->nkeywords++)
		q->keywords[q->nkeywords] = str_dup(r->keywords[q->nkeywords]);
	q->unchanged_since = r->unchanged_since;
	q->modified = r->modified;
	q->done = done;
	q->ctx = ctx;
	q->op.origin = r->origin;
	q->op.silent = r->silent;
	op_start(&q->op);
}
