/* SPDX-License-Identifier: Apache-2.0 */
/*
 * quota: how full the account is, by the Maildir's maildirsize. Delivery agents and other servers append to the
 * same file, so nothing is kept in memory: a change is one line appended, and a count goes into a new file
 * that is renamed over it, unless somebody appended meanwhile.
 */
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "backend/store/store_int.h"
#include "common/base/clock.h"
#include "common/base/log.h"

#define FILE_NAME "maildirsize"
enum { COUNT_TRIES = 3 };

enum form {
	NONE, /* no file */
	WHOLE,
	DAMAGED, /* not to be understood, or as long as it may be */
	REFUSED, /* not a file: left alone */
};
struct look {
	enum form form;
	struct maildirsize m;
	struct stat sb;
};

void quota_init(struct store *st)
{
	struct quota_limit l;

	pthread_rwlock_init(&st->quota.counting, NULL);
	if (quota_limit_parse(str_c(st->o.quota), &l))
		st->quota.record = l;
	else
		LOG(L_WARN, "quota_unknown", L_C("user", st->user), L_C("quota", st->o.quota));
}

/* ---- what counts -------------------------------------------------------------------------------------------- */

/* The name is the one that is compiled into maildrop and Courier, whatever IMAP_TRASHFOLDERNAME says. */
bool quota_counts_folder(const struct store *st, const char *disk_name)
{
	return st->o.set->maildir_quota_trash || strcmp(disk_name, ".Trash") != 0;
}

static bool counts_flags(const struct store *st, uint8_t flags)
{
	return st->o.set->maildir_quota_trash || !(flags & MSG_DELETED);
}

static int64_t size_of(struct str name, uint64_t size)
{
	struct md_name n;

	if (md_name_parse(name, &n) && n.size && n.size <= INT64_MAX)
		return (int64_t)n.size;
	return size <= INT64_MAX ? (int64_t)size : INT64_MAX;
}

static void add_use(struct quota_use *u, int64_t bytes, int64_t count)
{
	if (__builtin_add_overflow(u->bytes, bytes, &u->bytes))
		u->bytes = bytes > 0 ? INT64_MAX : INT64_MIN;
	u->count += count;
}

static void count_cur_or_new(const struct store *st, int at, const char *which, struct quota_use *u)
{
	struct err e;
	struct dirent *de;
	struct stat sb;
	struct md_name n;
	int fd = files_open_dir(at, which, &e);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((de = readdir(dir))) {
		if (de->d_name[0] == '.' || !md_name_parse(str_c(de->d_name), &n) ||
		    !counts_flags(st, n.flags))
			continue;
		if (n.size && n.size <= INT64_MAX)
			add_use(u, (int64_t)n.size, 1);
		else if (fstatat(dirfd(dir), de->d_name, &sb, AT_SYMLINK_NOFOLLOW) == 0 &&
			 S_ISREG(sb.st_mode))
			add_use(u, sb.st_size, 1);
	}
	closedir(dir);
}

void quota_count_folder(const struct store *st, int dir_fd, struct quota_use *u)
{
	count_cur_or_new(st, dir_fd, "cur", u);
	count_cur_or_new(st, dir_fd, "new", u);
}

static int count_all(const struct store *st, struct quota_use *u, struct err *e)
{
	struct dirent *de;
	int fd = files_open_dir(st->o.maildir_fd, ".", e);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return -1;
	}
	quota_count_folder(st, st->o.maildir_fd, u);
	while ((de = readdir(dir))) {
		if (de->d_name[0] != '.' || !de->d_name[1] || !strcmp(de->d_name, "..") ||
		    !quota_counts_folder(st, de->d_name))
			continue;
		int folder = files_open_dir(st->o.maildir_fd, de->d_name, e);
		if (folder < 0)
			continue;
		quota_count_folder(st, folder, u);
		close(folder);
	}
	closedir(dir);
	return 0;
}

/* ---- the file ------------------------------------------------------------------------------------------------ */

static int open_file(const struct store *st, int how)
{
	return openat(st->o.maildir_fd, FILE_NAME,
		      how | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

static void look(const struct store *st, struct look *l)
{
	char text[MAILDIRSIZE_MAX];
	int fd = open_file(st, O_RDONLY);
	ssize_t n;

	*l = (struct look){.form = NONE};
	if (fd < 0) {
		if (errno != ENOENT)
			l->form = errno == ELOOP ? DAMAGED : REFUSED;
		return;
	}
	if (fstat(fd, &l->sb) < 0 || !S_ISREG(l->sb.st_mode)) {
		l->form = REFUSED;
	} else {
		n = pread(fd, text, sizeof text, 0);
		if (n < 0)
			l->form = REFUSED;
		else if (!maildirsize_parse(str_mem(text, (size_t)n), &l->m) ||
			 l->sb.st_size >= MAILDIRSIZE_MAX)
			l->form = DAMAGED;
		else
			l->form = WHOLE;
	}
	close(fd);
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static bool untouched(const struct store *st, const struct look *before)
{
	struct stat now;

	if (fstatat(st->o.maildir_fd, FILE_NAME, &now, AT_SYMLINK_NOFOLLOW) < 0)
		return before->form == NONE;
	return before->form == WHOLE || before->form == DAMAGED
		       ? before->sb.st_ino == 0 || same_file(&before->sb, &now)
		       : false;
}

static int write_count(const struct store *st, const char *tmp, const struct quota_limit *limit,
		       const struct quota_use *u, struct err *e)
{
	struct buf text = BUF_INIT;
	int fd = openat(st->o.maildir_fd, tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			0600),
	    rc = -1;

	quota_limit_put(&text, limit);
	buf_putc(&text, '\n');
	maildirsize_put_line(&text, u->bytes, u->count);
	if (fd >= 0 && write(fd, text.p, text.n) == (ssize_t)text.n && fsync(fd) == 0)
		rc = 0;
	else
		err_sys(e, "%s", tmp);
	if (fd >= 0)
		close(fd);
	buf_deinit(&text);
	return rc;
}

/* Counts, and says so in a new file. What others append meanwhile would be lost: then it is counted again. */
static int count_anew(struct store *st, struct look *l, const struct quota_limit *limit,
		      struct err *e)
{
	struct quota_use u = {0};
	char base[256], tmp[300];
	int rc = 0;

	md_name_new(base, 0, 0);
	base[strcspn(base, ",")] = 0;
	snprintf(tmp, sizeof tmp, "tmp/%.250s", base);
	for (int tries = 0; rc == 0; tries++) {
		u = (struct quota_use){0};
		if (count_all(st, &u, e) < 0 || write_count(st, tmp, limit, &u, e) < 0)
			rc = -1;
		else if (tries + 1 == COUNT_TRIES || untouched(st, l))
			break;
		unlinkat(st->o.maildir_fd, tmp, 0);
		look(st, l);
		if (rc == 0 && l->form == REFUSED)
			rc = err_set(e, EINVAL, FILE_NAME " is not a file");
	}
	if (rc == 0 && renameat(st->o.maildir_fd, tmp, st->o.maildir_fd, FILE_NAME) < 0) {
		rc = err_sys(e, FILE_NAME);
		unlinkat(st->o.maildir_fd, tmp, 0);
	}
	if (rc < 0)
		return -1;
	l->form = WHOLE;
	l->m = (struct maildirsize){
		.limit = *limit, .bytes = u.bytes, .count = u.count, .lines = 1};
	l->sb.st_mtime = (time_t)clock_wall_s();
	return 0;
}

static void quota_add(struct store *st, int64_t bytes, int64_t count)
{
	struct buf line = BUF_INIT;
	struct stat sb;
	int fd;

	if (!bytes && !count)
		return;
	fd = open_file(st, O_WRONLY | O_APPEND);
	if (fd < 0) {
		if (errno == ENOENT && quota_limit_any(&st->quota.record))
			__atomic_store_n(&st->quota.stale, true, __ATOMIC_RELAXED);
		return;
	}
	if (fstat(fd, &sb) == 0 && S_ISREG(sb.st_mode)) {
		maildirsize_put_line(&line, bytes, count);
		/* One write: lines of several writers stay whole. A full volume loses it until the next count. */
		if (write(fd, line.p, line.n) != (ssize_t)line.n ||
		    sb.st_size + (off_t)line.n >= MAILDIRSIZE_MAX)
			__atomic_store_n(&st->quota.stale, true, __ATOMIC_RELAXED);
	}
	close(fd);
	buf_deinit(&line);
}

void quota_change_begin(struct store *st)
{
	pthread_rwlock_rdlock(&st->quota.counting);
}

void quota_change_end(struct store *st, const struct quota_use *u)
{
	quota_add(st, u->bytes, u->count);
	pthread_rwlock_unlock(&st->quota.counting);
}

/* Never while a change of ours is between its files and its line: it would be counted twice. */
static int count_once(struct store *st, struct look *l, const struct quota_limit *limit,
		      struct err *e)
{
	pthread_rwlock_wrlock(&st->quota.counting);
	int rc = count_anew(st, l, limit, e);
	pthread_rwlock_unlock(&st->quota.counting);
	return rc;
}

static bool same_limit(const struct quota_limit *a, const struct quota_limit *b)
{
	return a->bytes == b->bytes && a->count == b->count;
}

/* What holds: the record's quota, else the file's own. */
static struct quota_limit limit_of(const struct store *st, const struct look *l)
{
	return quota_limit_any(&st->quota.record) ? st->quota.record : l->m.limit;
}

static bool needs_count(const struct store *st, const struct look *l)
{
	struct quota_limit limit = limit_of(st, l);

	return quota_limit_any(&limit) &&
	       (l->form != WHOLE || !l->m.lines || !same_limit(&limit, &l->m.limit));
}

/* l is what can be known. -1: nothing can, and why was logged. */
static int look_well(struct store *st, struct look *l)
{
	struct quota_limit limit;
	struct err e;

	look(st, l);
	limit = limit_of(st, l);
	if (!needs_count(st, l))
		return 0;
	if (l->form == REFUSED)
		err_set(&e, EINVAL, FILE_NAME " is not a file");
	else if (count_once(st, l, &limit, &e) == 0)
		return 0;
	if (!__atomic_exchange_n(&st->quota.complained, true, __ATOMIC_RELAXED))
		LOG(L_WARN, "quota_unkept", L_C("user", st->user), L_C("error", e.text));
	return -1;
}

/* ---- for others ---------------------------------------------------------------------------------------------- */

static bool over(const struct quota_limit *limit, const struct maildirsize *m, int64_t bytes, int64_t count)
{
	return __builtin_add_overflow(m->bytes, bytes, &bytes) || __builtin_add_overflow(m->count, count, &count) ||
	       quota_limit_over(limit, bytes, count);
}

static int exceeded(struct store_result *r)
{
	return result_set(r, STORE_QUOTA, "You exceeded your mail quota.");
}

int quota_check_again(struct store *st, int64_t bytes, int64_t count, struct store_result *r)
{
	struct look l;
	struct quota_limit limit;

	look(st, &l);
	limit = limit_of(st, &l);
	if (l.form == WHOLE && over(&limit, &l.m, bytes, count))
		return exceeded(r);
	return 0;
}

int quota_check(struct store *st, int64_t bytes, int64_t count, struct store_result *r)
{
	struct look l;
	struct quota_limit limit;
	struct err e;

	if (look_well(st, &l) < 0)
		return 0; /* a quota that can't be kept stops nobody's mail */
	limit = limit_of(st, &l);
	if (!quota_limit_any(&limit) || (bytes <= 0 && count <= 0) ||
	    !over(&limit, &l.m, bytes, count))
		return 0;
	if ((l.m.lines > 1 || l.sb.st_mtime + MAILDIRSIZE_AGE_S <= (time_t)clock_wall_s()) &&
	    count_once(st, &l, &limit, &e) == 0 &&
	    !over(&limit, &l.m, bytes, count))
		return 0;
	return exceeded(r);
}

static void flags_changed(const struct store *st, const struct fold *f, const struct rec *r,
			  struct quota_use *u)
{
	const struct msg *m = fold_msg(f, r->uid);
	int gone = !counts_flags(st, r->add), back = !counts_flags(st, r->del);

	if (m && gone != back)
		add_use(u, size_of(str_c(m->base), m->size) * (back - gone), back - gone);
}

void quota_of_records(const struct fold *f, struct str records, struct quota_use *u)
{
	const struct store *st = f->f.store;
	const struct msg *m;
	struct rec r;

	if (!quota_counts_folder(st, f->disk_name))
		return;
	while (rec_get(&records, &r) == 1) {
		if (r.type == REC_ADD && counts_flags(st, r.flags)) {
			add_use(u, size_of(r.base, r.size), 1);
		} else if (r.type == REC_EXPUNGE) {
			m = fold_msg(f, r.uid);
			if (m && counts_flags(st, m->flags))
				add_use(u, -size_of(str_c(m->base), m->size), -1);
		} else if (r.type == REC_FLAGS) {
			flags_changed(st, f, &r, u);
		}
	}
}

/* ---- requests -------------------------------------------------------------------------------------------------- */

struct ask {
	struct store_op op;
	struct quota_use use;
	store_quota_fn *done;
	void *ctx;
};

static void ask_work(struct store_op *op)
{
	struct ask *q = container_of(op, struct ask, op);
	struct look l;

	if (look_well(op->st, &l) < 0)
		return;
	struct quota_limit limit = limit_of(op->st, &l);
	q->use = (struct quota_use){l.m.bytes, l.m.count, limit.bytes, limit.count};
}

static void ask_finish(struct store_op *op)
{
	struct ask *q = container_of(op, struct ask, op);

	if (q->done)
		q->done(q->ctx, &op->res, &q->use);
	free(q);
}

void store_quota(struct store *st, store_quota_fn *done, void *ctx)
{
	struct ask *q = xcalloc(1, sizeof *q);

	q->op.work = ask_work;
	q->op.finish = ask_finish;
	q->done = done;
	q->ctx = ctx;
	store_op_start(st, &q->op);
}

static void stale_finish(struct store_op *op)
{
	op->st->quota.recount_queued = false;
	ask_finish(op);
}

void quota_look_later(struct store *st)
{
	if (!__atomic_exchange_n(&st->quota.stale, false, __ATOMIC_RELAXED) ||
	    st->quota.recount_queued)
		return;
	struct ask *q = xcalloc(1, sizeof *q);
	st->quota.recount_queued = true;
	q->op.work = ask_work;
	q->op.finish = stale_finish;
	store_op_start(st, &q->op);
}

struct room {
	struct job job;
	struct store *st;
	int64_t bytes, count;
	struct store_result res;
	store_done_fn *done;
	void *ctx;
};

static void room_run(struct job *j)
{
	struct room *q = container_of(j, struct room, job);

	quota_check(q->st, q->bytes, q->count, &q->res);
}

static void room_done(struct job *j)
{
	struct room *q = container_of(j, struct room, job);

	q->done(q->ctx, &q->res);
	free(q);
}

void quota_room(struct store *st, int64_t bytes, int64_t count, store_done_fn *done, void *ctx)
{
	struct room *q = xcalloc(1, sizeof *q);

	q->st = st;
	q->bytes = bytes;
	q->count = count;
	q->done = done;
	q->ctx = ctx;
	q->job = (struct job){.run = room_run, .done = room_done};
	jobs_submit(st->o.jobs, &q->job);
}
