/* SPDX-License-Identifier: Apache-2.0 */
/* store: its beginning and end, and the requests that aren't one folder's. */
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "backend/store/store_int.h"

/* ---- requests of the whole store ------------------------------------------------------------- */

static void store_op_next(struct store *st);

static void store_op_run(struct job *j)
{
	struct store_op *op = container_of(j, struct store_op, job);

	if (op->res.code == STORE_OK)
		op->work(op);
}

static void store_op_done(struct job *j)
{
	struct store_op *op = container_of(j, struct store_op, job);
	struct store *st = op->st;

	st->store_op_busy = false;
	if (op->folders_changed && st->watcher)
		watcher_folders(st->watcher, st->dev, st->ino);
	op->finish(op);
	store_op_next(st);
	store_maybe_closed(st);
}

static void store_op_next(struct store *st)
{
	if (st->store_op_busy || list_empty(&st->store_ops))
		return;
	struct store_op *op = list_entry(st->store_ops.next, struct store_op, link);
	list_remove(&op->link);
	st->store_op_busy = true;
	op->job = (struct job){.run = store_op_run, .done = store_op_done};
	jobs_submit(st->o.jobs, &op->job);
}

void store_op_start(struct store *st, struct store_op *op)
{
	op->st = st;
	list_init(&op->link);
	list_append(&st->store_ops, &op->link);
	store_op_next(st);
}

/* ---- later in this turn --------------------------------------------------------------------------- */

static void deferred(void *ctx)
{
	struct store *st = ctx;

	op_ready(st);
	list_foreach(e, &st->folds) {
		struct fold *f = list_entry(e, struct fold, link);
		if (f->state == FOLD_OPEN && !f->busy && (f->reap_wanted || f->events.n))
			fold_kick(f);
	}
	store_maybe_closed(st);
}

void store_later(struct store *st)
{
	loop_defer_set(st->defer);
}

/* ---- beginning ----------------------------------------------------------------------------------- */

static void cache_tick(void *ctx);

static void read_opaque(struct store *st, struct str names)
{
	st->opaque_text = str_dup(names);
	struct str rest = str_mem(st->opaque_text, names.n);
	while (rest.p && rest.n) {
		struct str name = str_split(&rest, 0);
		if (!name.n)
			continue;
		if (!st->opaque)
			st->opaque = hmap_new();
		hmap_put(st->opaque, name, st);
	}
}

struct store *store_new(const struct store_opts *o)
{
	struct store *st = xcalloc(1, sizeof *st);
	struct stat sb;

	st->o = *o;
	st->user = xstrdup(o->user ? o->user : "");
	st->o.user = st->user;
	list_init(&st->folds);
	list_init(&st->waits);
	list_init(&st->store_ops);
	list_init(&st->ready);
	read_opaque(st, o->opaque);
	st->defer = loop_defer_new(o->loop, deferred, st);
	st->cache_timer = loop_timer_new(o->loop, cache_tick, st);
	if (fstat(o->maildir_fd, &sb) == 0) {
		st->dev = sb.st_dev;
		st->ino = sb.st_ino;
	}
	st->watcher = watcher_new(o->loop, &fold_watcher_ops, st);
	return st;
}

void store_set_notify_link(struct store *st, int fd)
{
	watcher_set_link(st->watcher, fd);
}

struct open_op {
	struct store_op op;
	store_done_fn *done;
	void *ctx;
	bool mutf7;
};

/* auto keeps the form of the first folder that tells: an 8-bit name, or a coded one. */
static bool uses_mutf7(int maildir_fd)
{
	int f = openat(maildir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = f < 0 ? NULL : fdopendir(f);
	struct dirent *de;
	bool utf8 = false, mutf7 = false;

	if (!dir) {
		if (f >= 0)
			close(f);
		return false;
	}
	while (!utf8 && (de = readdir(dir))) {
		struct buf b = BUF_INIT;
		if (de->d_name[0] != '.')
			continue;
		for (const char *p = de->d_name; *p; p++)
			utf8 |= (unsigned char)*p >= 0x80;
		mutf7 |= strchr(de->d_name, '&') && names_client(true, str_c(de->d_name), &b);
		buf_deinit(&b);
	}
	closedir(dir);
	return mutf7 && !utf8;
}

static void open_work(struct store_op *op)
{
	static const char *const parts[] = {"tmp", "new", "cur"};
	struct open_op *o = container_of(op, struct open_op, op);
	int at = op->st->o.maildir_fd;
	struct stat sb;

	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		if (mkdirat(at, parts[i], 0700) == 0)
			continue;
		if (errno != EEXIST) {
			result_sys(&op->res, parts[i]);
			return;
		}
		if (fstatat(at, parts[i], &sb, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(sb.st_mode)) {
			errno = ENOTDIR;
			result_sys(&op->res, parts[i]);
			op->res.code = STORE_UNAVAILABLE;
			return;
		}
	}
	const char *form = op->st->o.set->maildir_names;
	o->mutf7 = !strcmp(form, "mutf7") || (!strcmp(form, "auto") && uses_mutf7(at));
	import_subscriptions(op->st);
	files_purge_tmp(at);
	files_remove_gone(at);
}

static void open_finish(struct store_op *op)
{
	struct open_op *o = container_of(op, struct open_op, op);

	op->st->mutf7 = o->mutf7;
	o->done(o->ctx, &op->res);
	free(o);
}

void store_open(struct store *st, store_done_fn *done, void *ctx)
{
	struct open_op *o = xcalloc(1, sizeof *o);

	o->op.work = open_work;
	o->op.finish = open_finish;
	o->done = done;
	o->ctx = ctx;
	store_op_start(st, &o->op);
}

/* ---- the cache of folders, the end ------------------------------------------------------------------- */

static void cache_tick(void *ctx)
{
	struct store *st = ctx;
	uint64_t now = loop_now(st->o.loop), next = UINT64_MAX;
	unsigned idle = 0;

	list_foreach(e, &st->folds)
		idle += list_entry(e, struct fold, link)->refs == 0;
	list_foreach(e, &st->folds) { /* the one that was put back first comes first */
		struct fold *f = list_entry(e, struct fold, link);
		if (f->refs || f->state != FOLD_OPEN)
			continue;
		uint64_t end = f->idle_since + FOLD_CACHE_MS;
		if (st->closing || idle > FOLD_CACHE_MAX || now >= end) {
			idle--;
			fold_evict(f);
		} else if (end < next) {
			next = end;
		}
	}
	if (next != UINT64_MAX)
		loop_timer_set(st->cache_timer, next - now);
}

void store_cache_look(struct store *st)
{
	if (!loop_timer_active(st->cache_timer) || st->closing)
		loop_timer_set(st->cache_timer, 0);
}

void store_close(struct store *st, store_done_fn *done, void *ctx)
{
	st->closing = true;
	st->close_done = done;
	st->close_ctx = ctx;
	cache_tick(st);
	store_later(st);
}

void store_maybe_closed(struct store *st)
{
	struct store_result ok = {.code = STORE_OK};
	store_done_fn *done = st->close_done;

	if (!st->closing || !done || !list_empty(&st->folds) || st->store_op_busy ||
	    !list_empty(&st->store_ops) || !list_empty(&st->ready))
		return;
	st->close_done = NULL;
	done(st->close_ctx, &ok);
}

/* Where folders are still at work, their memory stays theirs: the process is about to end. */
void store_free(struct store **stp)
{
	struct store *st = *stp;

	*stp = NULL;
	if (!st || !list_empty(&st->folds) || st->store_op_busy)
		return;
	watcher_unsubscribe(&st->sub);
	watcher_free(&st->watcher);
	loop_defer_free(&st->defer);
	loop_timer_free(&st->cache_timer);
	hmap_free(&st->opaque);
	close(st->o.maildir_fd);
	free(st->opaque_text);
	free(st->user);
	free(st);
}
