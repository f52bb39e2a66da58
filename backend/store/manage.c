/* SPDX-License-Identifier: Apache-2.0 */
/* manage: CREATE, DELETE, RENAME of folders. */
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "backend/store/store_int.h"
#include "common/base/rand.h"

struct manage {
	struct store_op op;
	char *name, *to, *use;
	char hidden[64];       /* a deleted folder's name below posthouse/ */
	void (*change)(struct store_op *op); /* what changes the quota: run by counted_work */
	struct quota_use quota;
	VEC(char *) moved;     /* canonical names, old and new in turn */
	store_done_fn *done;
	void *ctx;
};

static struct manage *manage_new(struct store *st, struct str name, store_done_fn *done, void *ctx)
{
	struct manage *q = xcalloc(1, sizeof *q);

	q->op.res.code = store_name_check(st, name, &q->op.res.err);
	q->name = q->op.res.code == STORE_OK ? names_canonical(name) : xstrdup("");
	q->done = done;
	q->ctx = ctx;
	return q;
}

static void manage_finish(struct store_op *op)
{
	struct manage *q = container_of(op, struct manage, op);

	if (q->done)
		q->done(q->ctx, &op->res);
	vec_foreach(m, &q->moved)
		free(*m);
	vec_free(&q->moved);
	free(q->name);
	free(q->to);
	free(q->use);
	free(q);
}

static void counted_work(struct store_op *op)
{
	struct manage *q = container_of(op, struct manage, op);

	quota_change_begin(op->st);
	q->change(op);
	quota_change_end(op->st, &q->quota);
}

/* ---- CREATE --------------------------------------------------------------------------------------------- */

static int make_parts(int dir)
{
	static const char *const parts[] = {"tmp", "new", "cur"};

	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		if (mkdirat(dir, parts[i], 0700) < 0 && errno != EEXIST)
			return -1;
	int fd = openat(dir, "maildirfolder", O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -1;
	close(fd);
	return fsync(dir);
}

struct counting {
	const char *below; /* NULL: all */
	uint64_t n;
};

static void count_folders(struct store *st, struct counting *c)
{
	struct err e;
	struct dirent *de;
	int fd = files_open_dir(st->o.maildir_fd, ".", &e);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct str below = str_c(c->below);

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((de = readdir(dir))) {
		struct str name = str_c(de->d_name);
		if (name.n < 2 || name.p[0] != '.' || !strcmp(name.p, ".."))
			continue;
		c->n += !below.n || (str_starts(name, below) && name.n > below.n && name.p[below.n] == '.');
	}
	closedir(dir);
}

static int make_folder(struct store *st, const char *name, struct store_result *r)
{
	struct err e;
	char *disk;
	int at = st->o.maildir_fd, fd = names_open(st, str_c(name), &disk);

	if (fd >= 0) {
		close(fd);
		free(disk);
		return result_set(r, STORE_EXISTS, "The folder exists already.");
	}
	if (!disk || errno != ENOENT) {
		free(disk);
		return result_sys(r, name);
	}
	struct counting all = {0};
	count_folders(st, &all);
	if (all.n >= st->o.set->imap_folders_max) {
		free(disk);
		return result_set(r, STORE_LIMIT, "Too many folders.");
	}
	/* Whoever's mkdir succeeds is the one that made it. */
	if (mkdirat(at, disk, 0700) < 0) {
		result_sys(r, name);
		free(disk);
		return -1;
	}
	fd = files_open_dir(at, disk, &e);
	if (fd < 0 || make_parts(fd) < 0 || fsync(at) < 0) {
		result_sys(r, name);
		files_remove_tree(at, disk);
	}
	if (fd >= 0)
		close(fd);
	free(disk);
	return r->code == STORE_OK ? 0 : -1;
}

static void create_work(struct store_op *op)
{
	struct manage *q = container_of(op, struct manage, op);
	struct err e;

	if (make_folder(op->st, q->name, &op->res) < 0)
		return;
	op->folders_changed = true;
	if (q->use && specialuse_set(op->st, str_c(q->name), str_c(q->use), &e) < 0)
		result_fail(&op->res, &e);
}

void store_create(struct store *st, struct str name, struct str special_use, store_done_fn *done, void *ctx)
{
	struct manage *q = manage_new(st, name, done, ctx);

	if (special_use.n)
		q->use = str_dup(special_use);
	q->op.work = create_work;
	q->op.finish = manage_finish;
	store_op_start(st, &q->op);
}

/* ---- DELETE --------------------------------------------------------------------------------------------- */

static bool has_children(struct store *st, const char *disk)
{
	struct counting c = {.below = disk};

	count_folders(st, &c);
	return c.n > 0;
}

/* Out of sight at once; what is in it goes afterwards. */
static void delete_work(struct store_op *op)
{
	struct manage *q = container_of(op, struct manage, op);
	struct store *st = op->st;
	struct err e;
	struct quota_use use = {0};
	char *disk;
	int ph, fd = names_open(st, str_c(q->name), &disk);

	if (fd < 0) {
		result_sys(&op->res, q->name);
		if (op->res.code == STORE_NONEXISTENT && disk && has_children(st, disk))
			result_set(&op->res, STORE_HASCHILDREN, "The name is only a level of other folders.");
		free(disk);
		return;
	}
	if (quota_counts_folder(st, disk))
		quota_count_folder(st, fd, &use);
	close(fd);
	if (mkdirat(st->o.maildir_fd, "posthouse", 0700) < 0 && errno != EEXIST) {
		result_sys(&op->res, "posthouse");
		free(disk);
		return;
	}
	ph = files_open_dir(st->o.maildir_fd, "posthouse", &e);
	snprintf(q->hidden, sizeof q->hidden, "gone.%016llx", (unsigned long long)rand_u64());
	if (ph < 0)
		result_fail(&op->res, &e);
	else if (renameat(st->o.maildir_fd, disk, ph, q->hidden) < 0 || fsync(st->o.maildir_fd) < 0)
		result_sys(&op->res, q->name);
	else
		op->folders_changed = true;
	if (op->folders_changed)
		q->quota = (struct quota_use){.bytes = -use.bytes, .count = -use.count};
	if (op->folders_changed)
		specialuse_set(st, str_c(q->name), STR_NONE, &e); /* a leftover line names no folder: harmless */
	if (ph >= 0)
		close(ph);
	free(disk);
}

struct removal {
	struct job job;
	int fd; /* posthouse/ of the Maildir */
	char hidden[64];
};

static void removal_run(struct job *j)
{
	struct removal *r = container_of(j, struct removal, job);

	files_remove_tree(r->fd, r->hidden);
	close(r->fd);
}

static void removal_done(struct job *j)
{
	free(container_of(j, struct removal, job));
}

static void remove_hidden(struct store *st, const char *hidden)
{
	struct removal *r = xcalloc(1, sizeof *r);

	r->fd = openat(st->o.maildir_fd, "posthouse", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	snprintf(r->hidden, sizeof r->hidden, "%s", hidden);
	if (r->fd < 0) {
		free(r);
		return;
	}
	r->job = (struct job){.run = removal_run, .done = removal_done};
	jobs_submit(st->o.jobs, &r->job);
}

static void delete_finish(struct store_op *op)
{
	struct manage *q = container_of(op, struct manage, op);
	struct fold *f = op->folders_changed ? fold_by_name(op->st, str_c(q->name)) : NULL;

	if (f) {
		fold_ref(f);
		fold_dead(f, "deleted");
		fold_put(f);
	}
	if (op->folders_changed)
		remove_hidden(op->st, q->hidden);
	manage_finish(op);
}

void store_delete(struct store *st, struct str name, store_done_fn *done, void *ctx)
{
	struct manage *q = manage_new(st, name, done, ctx);

	if (q->op.res.code == STORE_OK && str_eq(str_c(q->name), STR("INBOX")))
		result_set(&q->op.res, STORE_BADNAME, "INBOX can't be deleted.");
	q->op.work = counted_work;
	q->change = delete_work;
	q->op.finish = delete_finish;
	store_op_start(st, &q->op);
}

/* ---- RENAME ----------------------------------------------------------------------------------------------- */

static bool in_tree(struct str name, struct str top)
{
	return str_starts(name, top) && (name.n == top.n || name.p[top.n] == '.');
}

static int collect(struct manage *q)
{
	struct store *st = q->op.st;
	struct err e;
	struct dirent *de;
	struct buf name = BUF_INIT;
	int fd = files_open_dir(st->o.maildir_fd, ".", &e);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return result_sys(&q->op.res, "the Maildir");
	}
	while ((de = readdir(dir))) {
		buf_reset(&name);
		if (de->d_name[0] != '.' || !names_client(st->mutf7, str_c(de->d_name), &name) ||
		    !in_tree(buf_str(&name), str_c(q->name)))
			continue;
		*vec_push(&q->moved) = str_dup(buf_str(&name));
		struct buf to = BUF_INIT;
		buf_puts(&to, q->to);
		buf_str_put(&to, str_from(buf_str(&name), strlen(q->name)));
		*vec_push(&q->moved) = str_dup(buf_str(&to));
		buf_deinit(&to);
	}
	closedir(dir);
	buf_deinit(&name);
	return 0;
}

static int rename_one(struct manage *q, const char *from, const char *to)
{
	struct store *st = q->op.st;
	int at = st->o.maildir_fd, rc;
	char *a = names_disk(st->mutf7, str_c(from)), *b = names_disk(st->mutf7, str_c(to));

	if (a && b) {
		rc = files_rename_new(at, a, at, b);
	} else {
		rc = -1;
		errno = ENAMETOOLONG;
	}
	free(a);
	free(b);
	return rc;
}

/* A folder that becomes the trash no longer counts, and one that was it does again. */
static void trash_renamed(struct manage *q)
{
	struct store *st = q->op.st;

	for (size_t i = 0; i < q->moved.n; i += 2) {
		struct quota_use use = {0};
		char *from = names_disk(st->mutf7, str_c(q->moved.a[i])), *to;
		int fd = names_open(st, str_c(q->moved.a[i + 1]), &to);
		bool counted = from && quota_counts_folder(st, from), counts = to && quota_counts_folder(st, to);

		if (fd >= 0 && counted != counts) {
			quota_count_folder(st, fd, &use);
			q->quota.bytes += counts ? use.bytes : -use.bytes;
			q->quota.count += counts ? use.count : -use.count;
		}
		if (fd >= 0)
			close(fd);
		free(from);
		free(to);
	}
}

/* All or none: what was moved before a fault is moved back. */
static void rename_work(struct store_op *op)
{
	struct manage *q = container_of(op, struct manage, op);
	struct store *st = op->st;
	struct err e;
	char *disk;
	int fd;

	fd = names_open(st, str_c(q->to), &disk);
	free(disk);
	if (fd >= 0) {
		close(fd);
		result_set(&op->res, STORE_EXISTS, "The folder exists already.");
		return;
	}
	if (collect(q) < 0)
		return;
	if (!q->moved.n) {
		result_set(&op->res, STORE_NONEXISTENT, "No such folder.");
		return;
	}
	for (size_t i = 0; i < q->moved.n; i += 2) {
		if (store_name_check(st, str_c(q->moved.a[i + 1]), &op->res.err) != STORE_OK)
			op->res.code = STORE_BADNAME;
		else if (rename_one(q, q->moved.a[i], q->moved.a[i + 1]) < 0)
			result_sys(&op->res, q->moved.a[i]);
		if (op->res.code == STORE_OK)
			continue;
		while (i >= 2) {
			i -= 2;
			rename_one(q, q->moved.a[i + 1], q->moved.a[i]);
		}
		return;
	}
	op->folders_changed = true;
	trash_renamed(q);
	if (specialuse_rename(st, str_c(q->name), str_c(q->to), &e) < 0 || fsync(st->o.maildir_fd) < 0)
		result_sys(&op->res, q->name);
}

/* Folders in memory go on under their new names. */
static void rename_finish(struct store_op *op)
{
	struct manage *q = container_of(op, struct manage, op);

	for (size_t i = 0; op->folders_changed && i < q->moved.n; i += 2) {
		struct fold *f = fold_by_name(op->st, str_c(q->moved.a[i]));
		if (!f)
			continue;
		*vec_push(&f->old_names) = f->f.name; /* a job may be looking at it */
		f->f.name = xstrdup(q->moved.a[i + 1]);
		*vec_push(&f->old_names) = f->disk_name;
		f->disk_name = names_disk(op->st->mutf7, str_c(f->f.name));
	}
	manage_finish(op);
}

/* ---- RENAME of INBOX: its messages move, it stays (RFC 3501 6.3.5) ------------------------------------------ */

struct rename_inbox {
	struct store *st;
	char *to;
	struct fold *from;
	store_done_fn *done;
	void *ctx;
};

static void inbox_over(struct rename_inbox *q, const struct store_result *r)
{
	q->done(q->ctx, r);
	if (q->from)
		fold_put(q->from);
	free(q->to);
	free(q);
}

static void inbox_moved(void *ctx, const struct store_result *r)
{
	inbox_over(ctx, r);
}

static void inbox_target(void *ctx, const struct store_result *r, struct fold *to)
{
	struct rename_inbox *q = ctx;

	if (!to) {
		inbox_over(q, r);
		return;
	}
	copy_all(q->from, to, inbox_moved, q);
	fold_put(to);
}

static void inbox_source(void *ctx, const struct store_result *r, struct fold *from)
{
	struct rename_inbox *q = ctx;

	q->from = from;
	if (from)
		fold_get(q->st, str_c(q->to), false, inbox_target, q);
	else
		inbox_over(q, r);
}

static void inbox_created(void *ctx, const struct store_result *r)
{
	struct rename_inbox *q = ctx;

	if (r->code == STORE_OK)
		fold_get(q->st, STR("INBOX"), true, inbox_source, q);
	else
		inbox_over(q, r);
}

void store_rename(struct store *st, struct str from, struct str to, store_done_fn *done, void *ctx)
{
	struct err e;

	if (str_ieq(from, STR("INBOX"))) {
		struct rename_inbox *r = xcalloc(1, sizeof *r);
		r->st = st;
		r->to = str_dup(to);
		r->done = done;
		r->ctx = ctx;
		store_create(st, to, STR_NONE, inbox_created, r);
		return;
	}
	struct manage *q = manage_new(st, from, done, ctx);
	enum store_code code = store_name_check(st, to, &e);
	q->to = code == STORE_OK ? names_canonical(to) : xstrdup("");
	if (q->op.res.code == STORE_OK && code != STORE_OK) {
		q->op.res.code = code;
		q->op.res.err = e;
	} else if (q->op.res.code == STORE_OK && in_tree(str_c(q->to), str_c(q->name))) {
		result_set(&q->op.res, strcmp(q->to, q->name) ? STORE_BADNAME : STORE_EXISTS,
			   "A folder can't be renamed to itself or below itself.");
	}
	q->op.work = counted_work;
	q->change = rename_work;
	q->op.finish = rename_finish;
	store_op_start(st, &q->op);
}
