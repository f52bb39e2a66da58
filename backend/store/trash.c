/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trash: EXPUNGE that moves to the trash (IMAP_MOVE_EXPUNGE_TO_TRASH), and old messages that go by themselves
 * (IMAP_EMPTYTRASH).
 *
 * The age of a message there is its file's ctime, the last time that it was moved or renamed. Files are looked at
 * without opening the folder; when that shows that nothing is due, it also shows from when on something can be, and
 * nobody looks before.
 */
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "backend/store/store_int.h"
#include "common/base/clock.h"
#include "common/base/log.h"

/* ---- EXPUNGE ------------------------------------------------------------------------------------------------- */

static char *trash_name(const struct store *st)
{
	struct buf b = BUF_INIT;

	buf_printf(&b, "INBOX.%s", st->o.set->imap_trashfoldername);
	return (char *)buf_cstr(&b);
}

bool trash_is(const struct store *st, const char *canonical)
{
	return strncmp(canonical, "INBOX.", 6) == 0 &&
	       strcmp(canonical + 6, st->o.set->imap_trashfoldername) == 0;
}

struct trashing {
	struct job job;
	struct fold *from;
	uint32_t *uids; /* NULL: all */
	size_t n;
	const void *origin;
	char *trash;
	bool made;
	store_done_fn *done;
	void *ctx;
};

static void trashing_over(struct trashing *t, const struct store_result *r)
{
	t->done(t->ctx, r);
	fold_put(t->from);
	free(t->uids);
	free(t->trash);
	free(t);
}

static void on_moved(void *ctx, const struct store_result *r)
{
	trashing_over(ctx, r);
}

static void got_trash(void *ctx, const struct store_result *r, struct fold *trash);

static void on_made(void *ctx, const struct store_result *r)
{
	struct trashing *t = ctx;

	if (r->code == STORE_OK || r->code == STORE_EXISTS)
		fold_get(t->from->f.store, str_c(t->trash), false, got_trash, t);
	else
		trashing_over(t, r);
}

static void got_trash(void *ctx, const struct store_result *r, struct fold *trash)
{
	struct trashing *t = ctx;

	if (trash) {
		copy_to_trash(t->from, trash, t->uids, t->n, t->origin, on_moved, t);
		fold_put(trash);
	} else if (r->code == STORE_NONEXISTENT && !t->made) {
		t->made = true;
		store_create(t->from->f.store, str_c(t->trash), STR_NONE, on_made, t);
	} else {
		trashing_over(t, r);
	}
}

static bool any_deleted(const struct trashing *t)
{
	const struct folder *f = &t->from->f;

	for (size_t i = 0; !t->uids && i < f->msgs.n; i++)
		if (!(f->msgs.a[i].state & MSG_EXPUNGED) && f->msgs.a[i].flags & MSG_DELETED)
			return true;
	for (size_t i = 0; t->uids && i < t->n; i++) {
		const struct msg *m = fold_msg(t->from, t->uids[i]);
		if (m && m->flags & MSG_DELETED)
			return true;
	}
	return false;
}

static void nothing_run(struct job *j)
{
	(void)j;
}

static void nothing_done(struct job *j)
{
	struct store_result ok = {.code = STORE_OK};

	trashing_over(container_of(j, struct trashing, job), &ok);
}

void trash_expunge(struct fold *f, const uint32_t *uids, size_t n, const void *origin,
		   store_done_fn *done, void *ctx)
{
	struct trashing *t = xcalloc(1, sizeof *t);

	t->from = f;
	fold_ref(f);
	if (uids) {
		t->uids = xmalloc((n + 1) * sizeof *uids);
		memcpy(t->uids, uids, n * sizeof *uids);
		t->n = n;
	}
	t->origin = origin;
	t->trash = trash_name(f->f.store);
	t->done = done;
	t->ctx = ctx;
	if (any_deleted(t)) {
		fold_get(f->f.store, str_c(t->trash), false, got_trash, t);
		return;
	}
	t->job = (struct job){.run = nothing_run,
			      .done = nothing_done}; /* no trash is made for nothing */
	jobs_submit(f->f.store->o.jobs, &t->job);
}

/* ---- IMAP_EMPTYTRASH ------------------------------------------------------------------------------------------- */

enum { SLICE = 500 }; /* files looked at, and removed, in one go under the folder's lock */

struct purge { /* one folder of the list; lives as long as the store */
	struct job job;
	struct list link;
	struct store *st;
	char *folder;  /* canonical */
	int64_t age;   /* seconds */
	int64_t next;  /* nothing is due before; seconds since 1970 */
	int64_t first; /* the job's: earliest ctime that was seen; INT64_MAX: none */
	bool busy;
};

static void purge_over(struct purge *p)
{
	p->busy = false;
	store_later(p->st); /* store_close may wait for it */
}

static void look_at(struct purge *p, int at, const char *which)
{
	struct err e;
	struct dirent *de;
	struct stat sb;
	int fd = files_open_dir(at, which, &e);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((de = readdir(dir)))
		if (de->d_name[0] != '.' &&
		    fstatat(dirfd(dir), de->d_name, &sb, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISREG(sb.st_mode) && sb.st_ctime < p->first)
			p->first = sb.st_ctime;
	closedir(dir);
}

static void purge_look(struct job *j)
{
	struct purge *p = container_of(j, struct purge, job);
	char *disk;
	int fd = names_open(p->st, str_c(p->folder), &disk);

	p->first = INT64_MAX;
	free(disk);
	if (fd < 0)
		return;
	look_at(p, fd, "cur");
	look_at(p, fd, "new");
	close(fd);
}

struct purging {
	struct op op;
	struct purge *p;
	uint32_t from, next; /* UIDs: this slice begins, the next one does */
	bool more;
};

static void purging_free(struct op *op)
{
	free(container_of(op, struct purging, op));
}

/* 1 removed, 0 not due, -1 errno. */
static int purge_one(struct purging *q, const struct msg *m, int64_t before)
{
	struct fold *f = q->op.part[0].f;
	struct rec r = {.type = REC_EXPUNGE, .uid = m->uid};
	struct md_name now;
	struct stat sb;
	char name[256];
	bool in_new = fold_name(f, m, name);

	if (fstatat(files_fd(f->files, in_new), name, &sb, AT_SYMLINK_NOFOLLOW) < 0 ||
	    sb.st_ctime > before)
		return 0; /* one that was just renamed is young */
	int rc = expunge_file(f, m, false, &now, name);
	if (rc > 0)
		op_put(&q->op.part[0], &r);
	return rc;
}

static void purging_work(struct op *op)
{
	struct purging *q = container_of(op, struct purging, op);
	struct fold *f = op->part[0].f;
	int64_t before = (int64_t)clock_wall_s() - q->p->age;
	size_t looked = 0, i = folder_find(&f->f, q->from);
	int rc = 0;

	if (!op_lock(op))
		return;
	for (; i < f->f.msgs.n && looked < SLICE && rc >= 0; i++) {
		if (f->f.msgs.a[i].state & MSG_EXPUNGED)
			continue;
		rc = purge_one(q, &f->f.msgs.a[i], before);
		looked++;
	}
	if (rc < 0)
		result_sys(&op->res, f->disk_name);
	q->more = rc >= 0 && i < f->f.msgs.n;
	if (q->more)
		q->next = f->f.msgs.a[i].uid;
	struct store_result fault = op->res;
	if (op->part[0].own.n &&
	    (md_fsync_dir(f->files->cur) < 0 || md_fsync_dir(f->files->new) < 0))
		result_sys(&fault, f->disk_name);
	if (op_append(op, &op->part[0], true) == 0 && fault.code != STORE_OK)
		op->res = fault;
}

static void purging_start(struct purge *p, struct fold *f, uint32_t from);

static void purging_finish(struct op *op)
{
	struct purging *q = container_of(op, struct purging, op);
	struct purge *p = q->p;
	struct fold *f = op->part[0].f;

	if (op->res.code != STORE_OK)
		LOG(L_WARN, "purge_failed", L_C("user", p->st->user), L_C("folder", p->folder),
		    L_C("error", op->res.err.text));
	if (q->more && op->res.code == STORE_OK && !p->st->closing) {
		purging_start(p, f, q->next);
	} else {
		purge_over(p);
	}
	op_free(op);
}

static void purging_start(struct purge *p, struct fold *f, uint32_t from)
{
	struct purging *q = xcalloc(1, sizeof *q);

	q->p = p;
	q->from = from;
	op_init(&q->op, f, NULL);
	q->op.work = purging_work;
	q->op.finish = purging_finish;
	q->op.free = purging_free;
	q->op.counts = true;
	op_start(&q->op);
}

static void purge_got(void *ctx, const struct store_result *r, struct fold *f)
{
	struct purge *p = ctx;

	(void)r;
	if (!f) {
		purge_over(p);
		return;
	}
	purging_start(p, f, 0);
	fold_put(f);
}

static void purge_looked(struct job *j)
{
	struct purge *p = container_of(j, struct purge, job);
	int64_t now = (int64_t)clock_wall_s();

	if (p->first != INT64_MAX && p->first <= now - p->age && !p->st->closing) {
		fold_get(p->st, str_c(p->folder), true, purge_got, p);
		return;
	}
	purge_over(p);
	p->next = p->first == INT64_MAX ? now + p->age : p->first + p->age;
}

static void purge_add(struct store *st, struct str name, uint64_t days)
{
	struct purge *p = xcalloc(1, sizeof *p);
	struct buf full = BUF_INIT;
	struct err e;

	buf_printf(&full, "%s%.*s", str_starts(name, STR("INBOX.")) ? "" : "INBOX.", STR_ARG(name));
	p->st = st;
	p->folder = (char *)buf_cstr(&full);
	p->age = (int64_t)days * 86400;
	if (store_name_check(st, str_c(p->folder), &e) == STORE_OK) {
		list_append(&st->purges, &p->link);
		return;
	}
	LOG(L_WARN, "purge_unknown", L_C("setting", "IMAP_EMPTYTRASH"), L_C("folder", p->folder));
	free(p->folder);
	free(p);
}

void trash_init(struct store *st)
{
	struct str list = str_c(st->o.set->imap_emptytrash);

	list_init(&st->purges);
	while (list.p && list.n) {
		struct str days = str_trim(str_split(&list, ',')),
			   name = str_c(st->o.set->imap_trashfoldername);
		uint64_t n;

		if (str_find(days, ':') < days.n)
			name = str_trim(str_split(&days, ':'));
		if (str_u64(str_trim(days), &n) && n <= 36500)
			purge_add(st, name, n);
		else if (days.n)
			LOG(L_WARN, "purge_unknown", L_C("setting", "IMAP_EMPTYTRASH"),
			    L_S("days", days));
	}
}

void trash_free(struct store *st)
{
	while (!list_empty(&st->purges)) {
		struct purge *p = list_entry(st->purges.next, struct purge, link);
		list_remove(&p->link);
		free(p->folder);
		free(p);
	}
}

bool trash_busy(const struct store *st)
{
	list_foreach(e, &st->purges)
		if (list_entry(e, struct purge, link)->busy)
			return true;
	return false;
}

void store_purge(struct store *st)
{
	list_foreach(e, &st->purges) {
		struct purge *p = list_entry(e, struct purge, link);
		if (p->busy || st->closing || (int64_t)clock_wall_s() < p->next)
			continue;
		p->busy = true;
		p->job = (struct job){.run = purge_look, .done = purge_looked};
		jobs_submit(st->o.jobs, &p->job);
	}
}
