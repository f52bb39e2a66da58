/* SPDX-License-Identifier: Apache-2.0 */
/*
 * copy: COPY and MOVE. Files are linked under new names, or copied where they can't be linked; then the
 * target's journal is written, and only then a MOVE takes the sources away. (Not by rename: a crash
 * between the rename and the journal would lose keywords that were acknowledged before.)
 */
#include <fcntl.h>
#include <sys/stat.h>

#include "backend/store/store_int.h"

enum { SLICE = 2000 }; /* to the trash: more go in several goes, as EXPUNGE does */

struct copied {
	uint32_t from, to;
	char name[256]; /* in the target's cur/ */
};
struct copy {
	struct op op;
	struct op_part *src, *dst; /* the same part where the folders are */
	uint32_t *uids;
	size_t n;
	bool all, move, expunged;
	bool trash, more; /* only what is \Deleted, and there it is not */
	VEC(struct copied) done_files;
	folder_copy_fn *done;
	store_done_fn *done_all;
	void *ctx;
	struct fold *from, *to;
};

static void copy_free(struct op *op)
{
	struct copy *c = container_of(op, struct copy, op);

	vec_free(&c->done_files);
	free(c->uids);
	free(c);
}

/* ---- files ------------------------------------------------------------------------------------------ */

static int sync_data(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return -1;
	int rc = fdatasync(fd);
	int saved = errno;
	close(fd);
	errno = saved;
	return rc;
}

static int copy_by_bytes(struct copy *c, int dir, const char *name, const char *to)
{
	const struct folder_files *ff = c->dst->f->files;
	char tmp[300];

	snprintf(tmp, sizeof tmp, "tmp/%.250s", to);
	tmp[strcspn(tmp, ":")] = 0;
	if (mkdirat(ff->dir, "tmp", 0700) < 0 && errno != EEXIST)
		return -1;
	if (files_copy(dir, name, ff->dir, tmp) < 0)
		return -1;
	if (files_rename_new(ff->dir, tmp, ff->cur, to) == 0)
		return 0;
	int saved = errno;
	unlinkat(ff->dir, tmp, 0);
	errno = saved;
	return -1;
}

/* A link to another owner's file would not count as a message (maildir.h). */
static bool may_link(int dir, const char *name)
{
	struct stat sb;

	return fstatat(dir, name, &sb, AT_SYMLINK_NOFOLLOW) < 0 || sb.st_uid == geteuid();
}

static int link_file(struct copy *c, int dir, const char *name, const char *to)
{
	int cur = c->dst->f->files->cur;

	if (may_link(dir, name)) {
		if (linkat(dir, name, cur, to, 0) == 0) {
			/* To the trash: the same file, as safe as it was. */
			if (c->trash || sync_data(cur, to) == 0)
				return 0;
			unlinkat(cur, to, 0);
			return -1;
		}
		if (errno != EXDEV && errno != EPERM && errno != EMLINK && errno != ENOTSUP && errno != ENOSYS)
			return -1;
	}
	return copy_by_bytes(c, dir, name, to);
}

/* What the copy's file shows. In the trash nothing is \Deleted or a \Draft. */
static uint8_t flags_there(const struct copy *c, const struct md_name *n)
{
	return c->trash ? n->flags & (uint8_t)~(MSG_DELETED | MSG_DRAFT) : n->flags;
}

/* 1 copied; 0 the source has gone, or isn't for the trash any more; -1 errno. n: the name that was found. */
static int copy_file(struct copy *c, const struct msg *m, struct md_name *n, char name[256], char to[256])
{
	const struct fold *f = c->src->f;
	bool in_new = fold_name(f, m, name);
	char base[256];
	struct err e;

	for (int tries = 0; tries < 20; tries++) {
		if (!md_name_parse(str_c(name), n) || (c->trash && !(n->flags & MSG_DELETED)))
			return 0;
		md_name_new(base, m->size, m->wire);
		if (!m->wire)
			*strrchr(base, ',') = 0; /* ",W=" comes last */
		if (!md_name_make(str_c(base), flags_there(c, n), n->extra, false, to)) {
			errno = ENAMETOOLONG;
			return -1;
		}
		if (link_file(c, files_fd(f->files, in_new), name, to) == 0)
			return 1;
		if (errno != ENOENT)
			return -1;
		int found = md_find(f->files->cur, f->files->new, str_c(m->base), name, &in_new, &e);
		if (found < 0) {
			errno = e.code;
			return -1;
		}
		if (!found && tries > 1)
			return 0;
	}
	errno = EBUSY;
	return -1;
}

/* ---- records ------------------------------------------------------------------------------------------ */

static int put_add(struct copy *c, const struct msg *m, uint32_t uid, const char *to)
{
	const struct folder *f = &c->src->f->f;
	struct op_part *p = c->dst;
	struct md_name n;
	uint16_t kw[4096];
	size_t nkw = 0;

	md_name_parse(str_c(to), &n);
	struct rec r = {.type = REC_ADD,
			.uid = uid,
			.base = n.base,
			.extra = str_c(m->extra),
			.flags = n.flags,
			.internaldate = m->internaldate,
			.savedate = time(NULL),
			.size = m->size,
			.wire = __atomic_load_n(&m->wire, __ATOMIC_RELAXED)};
	for (uint16_t i = 0; m->kw && i < m->kw->n && nkw < ARRAY_LEN(kw); i++) {
		int number = op_keyword(p, str_c(f->keywords.a[m->kw->kw[i]]));
		if (number < 0)
			return result_set(&c->op.res, STORE_LIMIT, "The target folder has too many keywords.");
		kw[nkw++] = (uint16_t)number;
	}
	op_put_add(p, &r, kw, nkw);
	return 0;
}

static void take_back(struct copy *c)
{
	vec_foreach(f, &c->done_files)
		unlinkat(c->dst->f->files->cur, f->name, 0);
	c->done_files.n = 0;
	if (!c->dst->appended) {
		buf_reset(&c->dst->own);
		c->dst->recent.n = 0;
	}
}

/* 1 copied, 0 gone, -1 c->op.res. */
static int copy_one(struct copy *c, const struct msg *m)
{
	struct copied *made;
	struct md_name n;
	char name[256];
	uint32_t uid = op_uid(c->dst);

	if (!uid)
		return result_set(&c->op.res, STORE_LIMIT, "The target folder has given its last UID.");
	made = vec_push(&c->done_files);
	made->from = m->uid;
	made->to = uid;
	int rc = copy_file(c, m, &n, name, made->name);
	if (rc <= 0) {
		c->done_files.n--;
		c->dst->uidnext--;
		return rc < 0 ? result_sys(&c->op.res, "copying a message") : 0;
	}
	*vec_push(&c->dst->recent) = uid;
	return put_add(c, m, uid, made->name) < 0 ? -1 : 1;
}

static int copy_files(struct copy *c)
{
	const struct fold *f = c->src->f;
	size_t n = c->all ? f->f.msgs.n : c->n;

	for (size_t i = 0; i < n; i++) {
		const struct msg *m = c->all ? &f->f.msgs.a[i] : fold_msg(f, c->uids[i]);
		if (c->trash && (!m || !(m->flags & MSG_DELETED)))
			continue;
		if (c->trash && c->done_files.n == SLICE) {
			c->more = true;
			break;
		}
		int rc = m && !(m->state & MSG_EXPUNGED) ? copy_one(c, m) : 0;
		if (rc < 0)
			return -1;
		if (rc == 0 && !c->all && !c->trash) {
			c->expunged = true;
			if (!c->move) /* COPY: all or nothing */
				return result_set(&c->op.res, STORE_EXPUNGED, "Some of the messages no longer exist.");
		}
	}
	return 0;
}

static int remove_sources(struct copy *c)
{
	struct fold *f = c->src->f;
	struct md_name now;
	char name[256];
	int rc = 0;

	vec_foreach(done, &c->done_files) {
		const struct msg *m = fold_msg(f, done->from);
		struct rec r = {.type = REC_EXPUNGE, .uid = done->from};
		if (!m)
			continue;
		if (expunge_file(f, m, false, &now, name) < 0) { /* also where \Deleted is just taken back: it is in the trash */
			rc = result_sys(&c->op.res, m->base);
			break;
		}
		op_put(c->src, &r);
	}
	if (files_sync_dir(f, f->files->cur) < 0 || files_sync_dir(f, f->files->new) < 0)
		rc = result_sys(&c->op.res, f->disk_name);
	return rc;
}

static void copy_work(struct op *op)
{
	struct copy *c = container_of(op, struct copy, op);

	if (!op_lock(op))
		return;
	c->expunged = c->more = false;
	if (copy_files(c) < 0 || !c->done_files.n) {
		take_back(c);
		return;
	}
	if (files_sync_dir(c->dst->f, c->dst->f->files->cur) < 0) {
		result_sys(&op->res, c->dst->f->disk_name);
		take_back(c);
		return;
	}
	if (op_append(op, c->dst, true) < 0) {
		take_back(c);
		return;
	}
	if (!c->move)
		return;
	struct buf added = BUF_INIT;
	if (c->src == c->dst) /* one journal: what is written already must not be written again */
		buf_move(&added, &c->src->own);
	remove_sources(c);
	struct store_result fault = op->res;
	if (op_append(op, c->src, true) == 0 && fault.code != STORE_OK)
		op->res = fault;
	if (added.n) {
		buf_str_put(&added, buf_str(&c->src->own));
		buf_move(&c->src->own, &added);
	}
	buf_deinit(&added);
}

/* ---- the loop's half ------------------------------------------------------------------------------------ */

static void tell_map(struct copy *c, const struct store_result *r, uint32_t uidvalidity)
{
	uint32_t *from = xmalloc((c->done_files.n + 1) * sizeof *from), *to = xmalloc((c->done_files.n + 1) * sizeof *to);
	struct uid_map map = {from, to, c->done_files.n, uidvalidity};

	for (size_t i = 0; i < c->done_files.n; i++) {
		from[i] = c->done_files.a[i].from;
		to[i] = c->done_files.a[i].to;
	}
	c->done(c->ctx, r, r->code == STORE_OK || r->code == STORE_EXPUNGED ? &map : NULL);
	free(from);
	free(to);
}

static void trash_rest(struct copy *c);

static void copy_finish(struct op *op)
{
	struct copy *c = container_of(op, struct copy, op);
	struct store_result res = op->res;
	struct fold *from = c->from, *to = c->to;

	if (res.code == STORE_OK && c->more) {
		trash_rest(c);
		op_free(op);
		return;
	}

	if (res.code == STORE_OK && c->expunged)
		result_set(&res, STORE_EXPUNGED, "Some of the messages no longer exist.");
	if (res.code != STORE_OK && from->state == FOLD_OPEN)
		from->rescan = true;
	if (c->done)
		tell_map(c, &res, to->f.uidvalidity);
	else
		c->done_all(c->ctx, &res);
	op_free(op);
	fold_put(from);
	fold_put(to);
}

/* Both holds are the copy's. */
static void copy_start(struct copy *c, struct fold *from, struct fold *to)
{
	c->from = from;
	c->to = to;
	op_init(&c->op, from, to);
	c->src = c->op.part[0].f == from ? &c->op.part[0] : &c->op.part[1];
	c->dst = c->op.part[0].f == to ? &c->op.part[0] : &c->op.part[1];
	c->op.work = copy_work;
	c->op.counts = true;
	c->op.finish = copy_finish;
	c->op.free = copy_free;
	op_start(&c->op);
}

static void refused(struct copy *c, const struct store_result *r)
{
	fold_put(c->from);
	if (c->to)
		fold_put(c->to);
	c->done(c->ctx, r, NULL);
	copy_free(&c->op);
}

static void copy_room(void *ctx, const struct store_result *r)
{
	struct copy *c = ctx;

	if (r->code == STORE_OK)
		copy_start(c, c->from, c->to);
	else
		refused(c, r);
}

/* What the quota would see. */
static struct quota_use growth(const struct copy *c)
{
	const struct store *st = c->from->f.store;
	struct quota_use u = {0};

	if (!quota_counts_folder(st, c->to->disk_name) ||
	    (c->move && quota_counts_folder(st, c->from->disk_name)))
		return u;
	for (size_t i = 0; i < c->n; i++) {
		const struct msg *m = fold_msg(c->from, c->uids[i]);
		if (!m || (!st->o.set->maildir_quota_trash && m->flags & MSG_DELETED))
			continue;
		u.bytes += (int64_t)m->size;
		u.count++;
	}
	return u;
}

static void copy_got(void *ctx, const struct store_result *r, struct fold *to)
{
	struct copy *c = ctx;
	struct quota_use u;

	c->to = to;
	if (!to) {
		refused(c, r);
		return;
	}
	u = growth(c);
	if (u.count)
		quota_room(to->f.store, u.bytes, u.count, copy_room, c);
	else
		copy_start(c, c->from, to);
}

void folder_copy(struct folder *pub, const uint32_t *uids, size_t n, struct str to, bool move,
		 const void *origin, folder_copy_fn *done, void *ctx)
{
	struct copy *c = xcalloc(1, sizeof *c);

	c->uids = xmalloc((n + 1) * sizeof *uids);
	memcpy(c->uids, uids, n * sizeof *uids);
	c->n = n;
	c->move = move;
	c->done = done;
	c->ctx = ctx;
	c->op.origin = origin;
	c->from = fold_of(pub);
	fold_ref(c->from);
	fold_get(pub->store, to, false, copy_got, c);
}

void copy_all(struct fold *from, struct fold *to, store_done_fn *done, void *ctx)
{
	struct copy *c = xcalloc(1, sizeof *c);

	c->all = c->move = true;
	c->done_all = done;
	c->ctx = ctx;
	fold_ref(from);
	fold_ref(to);
	copy_start(c, from, to);
}

/* Both holds become the new copy's. */
static void trash_rest(struct copy *c)
{
	struct copy *next = xcalloc(1, sizeof *next);

	next->uids = c->uids;
	next->n = c->n;
	next->all = c->all;
	next->move = next->trash = true;
	next->done_all = c->done_all;
	next->ctx = c->ctx;
	next->op.origin = c->op.origin;
	c->uids = NULL;
	copy_start(next, c->from, c->to);
}

void copy_to_trash(struct fold *from, struct fold *trash, const uint32_t *uids, size_t n, const void *origin,
		   store_done_fn *done, void *ctx)
{
	struct copy *c = xcalloc(1, sizeof *c);

	c->all = !uids;
	c->n = uids ? n : 0;
	c->uids = xmalloc((c->n + 1) * sizeof *uids);
	if (uids)
		memcpy(c->uids, uids, n * sizeof *uids);
	c->move = c->trash = true;
	c->done_all = done;
	c->ctx = ctx;
	c->op.origin = origin;
	fold_ref(from);
	fold_ref(trash);
	copy_start(c, from, trash);
}
