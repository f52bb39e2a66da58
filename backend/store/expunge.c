/* SPDX-License-Identifier: Apache-2.0 */
/* expunge: files first, then the journal: what is cut off between the two is found by the next sync. */
#include <fcntl.h>
#include <sys/stat.h>

#include "backend/store/store_int.h"

enum { SLICE = 2000 }; /* more are expunged in several goes: others have their turn in between */

struct expunge {
	struct op op;
	uint32_t *uids;
	size_t n;
	bool all, more;
	store_done_fn *done;
	void *ctx;
};

static void expunge_free(struct op *op)
{
	struct expunge *q = container_of(op, struct expunge, op);

	free(q->uids);
	free(q);
}

int expunge_file(struct fold *f, const struct msg *m, bool check, struct md_name *now, char name[256])
{
	bool in_new = fold_name(f, m, name);
	struct err e;

	for (int tries = 0; tries < 20; tries++) {
		if (md_name_parse(str_c(name), now) && check && !(now->flags & MSG_DELETED))
			return 0;
		if (unlinkat(files_fd(f->files, in_new), name, 0) == 0)
			return 1;
		if (errno != ENOENT)
			return -1;
		int found = md_find(f->files->cur, f->files->new, str_c(m->base), name, &in_new, &e);
		if (found < 0) {
			errno = e.code;
			return -1;
		}
		if (!found && tries > 1)
			return 1;
	}
	errno = EBUSY;
	return -1;
}

static void put_flags(struct op_part *p, const struct msg *m, const struct md_name *n)
{
	struct rec r = {.type = REC_FLAGS,
			.uid = m->uid,
			.flags = m->flags,
			.add = n->flags & (uint8_t)~m->flags,
			.del = m->flags & (uint8_t)~n->flags,
			.extra = str_c(m->extra)};

	op_put(p, &r);
	*vec_push(&p->surprises) = m->uid;
}

static int one(struct op *op, const struct msg *m)
{
	struct op_part *p = &op->part[0];
	struct rec r = {.type = REC_EXPUNGE, .uid = m->uid};
	struct md_name now;
	char name[256];
	int rc;

	if (!(m->flags & MSG_DELETED))
		return 0;
	rc = expunge_file(p->f, m, true, &now, name);
	if (rc == 0) {
		put_flags(p, m, &now); /* somebody took \Deleted back */
		return 0;
	}
	if (rc < 0)
		return -1;
	op_put(p, &r);
	return 1;
}

static void expunge_work(struct op *op)
{
	struct expunge *q = container_of(op, struct expunge, op);
	struct op_part *p = &op->part[0];
	struct fold *f = p->f;
	struct store_result fault = {.code = STORE_OK};
	size_t any = 0;

	if (!op_lock(op))
		return;
	size_t n = q->all ? f->f.msgs.n : q->n;
	for (size_t i = 0; i < n; i++) {
		const struct msg *m = q->all ? &f->f.msgs.a[i] : fold_msg(f, q->uids[i]);
		int rc = m && !(m->state & MSG_EXPUNGED) ? one(op, m) : 0;
		if (rc < 0) {
			result_sys(&fault, m->base);
			break;
		}
		any += rc > 0;
		if (any == SLICE) {
			q->more = true;
			break;
		}
	}
	if (any && (md_fsync_dir(f->files->cur) < 0 || md_fsync_dir(f->files->new) < 0))
		result_sys(&fault, f->disk_name);
	if (op_append(op, p, true) == 0 && fault.code != STORE_OK)
		op->res = fault;
}

static struct expunge *expunge_new(struct fold *f);

static void next_slice(struct expunge *q)
{
	struct expunge *next = expunge_new(q->op.part[0].f);

	next->uids = q->uids;
	next->n = q->n;
	next->all = q->all;
	next->done = q->done;
	next->ctx = q->ctx;
	next->op.origin = q->op.origin;
	q->uids = NULL;
	op_start(&next->op);
}

static void expunge_finish(struct op *op)
{
	struct expunge *q = container_of(op, struct expunge, op);
	struct store_result res = op->res;
	store_done_fn *done = q->done;
	void *ctx = q->ctx;

	if (res.code == STORE_OK && q->more) {
		next_slice(q);
		op_free(op);
		return;
	}
	if (res.code != STORE_OK && op->part[0].f->state == FOLD_OPEN)
		op->part[0].f->rescan = true;
	op_free(op);
	done(ctx, &res);
}

static struct expunge *expunge_new(struct fold *f)
{
	struct expunge *q = xcalloc(1, sizeof *q);

	op_init(&q->op, f, NULL);
	q->op.work = expunge_work;
	q->op.finish = expunge_finish;
	q->op.free = expunge_free;
	return q;
}

void folder_expunge(struct folder *pub, const uint32_t *uids, size_t n, const void *origin,
		    store_done_fn *done, void *ctx)
{
	struct expunge *q = expunge_new(fold_of(pub));

	q->all = !uids;
	if (uids) {
		q->uids = xmalloc((n + 1) * sizeof *uids);
		memcpy(q->uids, uids, n * sizeof *uids);
		q->n = n;
	}
	q->done = done;
	q->ctx = ctx;
	q->op.origin = origin;
	op_start(&q->op);
}
