/* SPDX-License-Identifier: Apache-2.0 */
/* fopen: a folder comes into memory: its directories, its journal. */
#include <fcntl.h>
#include <sys/stat.h>

#include "backend/store/store_int.h"
#include "common/base/log.h"

struct open_job {
	struct job job;
	struct fold *f;
	bool rebuilt;
};

/* cur, new and tmp of a folder that another program left half made. */
static int open_part(int dir, const char *name, struct store_result *r)
{
	struct err e;
	int fd = files_open_dir(dir, name, &e);

	if (fd < 0 && e.code == ENOENT && mkdirat(dir, name, 0700) == 0)
		fd = files_open_dir(dir, name, &e);
	if (fd < 0) {
		result_fail(r, &e);
		if (r->code == STORE_NONEXISTENT)
			r->code = STORE_UNAVAILABLE;
	}
	return fd;
}

static int open_dirs(struct fold *f)
{
	struct store_result *r = &f->open_res;
	struct stat sb;
	int cur = -1, new_fd = -1;
	int dir = names_open(f->f.store, str_c(f->f.name), &f->disk_name);

	if (dir < 0)
		return result_sys(r, f->f.name);
	if (fstat(dir, &sb) == 0) {
		f->dev = sb.st_dev;
		f->ino = sb.st_ino;
	}
	cur = open_part(dir, "cur", r);
	if (cur >= 0)
		new_fd = open_part(dir, "new", r);
	if (new_fd >= 0) {
		f->files = files_new(dir, cur, new_fd);
		return 0;
	}
	if (cur >= 0)
		close(cur);
	close(dir);
	return -1;
}

static void open_run(struct job *j)
{
	struct open_job *o = container_of(j, struct open_job, job);
	struct fold *f = o->f;
	struct store *st = f->f.store;
	struct buf records = BUF_INIT;
	struct apply_opts opts = {0};
	struct err e;

	if (open_dirs(f) < 0)
		return;
	struct disk_opts d = {.dir_fd = f->files->dir,
			      .dir_name = f->disk_name,
			      .use_locks = st->o.set->imap_uselocks,
			      .lock_timeout_ms = st->o.set->lock_timeout * 1000,
			      .lock_stale_ms = st->o.set->lock_stale * 1000,
			      .new_uidvalidity = uidvalidity_new,
			      .ctx = st,
			      .first = import_first,
			      .reserved = uidtrace_reserved,
			      .folder_ctx = f};
	if (disk_open(&d, &f->disk, &records, &o->rebuilt, &e) < 0) {
		result_fail(&f->open_res, &e);
		if (f->open_res.code == STORE_NONEXISTENT)
			f->open_res.code = STORE_UNAVAILABLE;
	} else {
		f->f.uidvalidity = disk_uidvalidity(f->disk);
		fold_apply(f, buf_str(&records), &opts); /* nobody else knows the table yet */
		f->marked = disk_was_clean(f->disk, &f->clean[WATCH_NEW], &f->clean[WATCH_CUR]);
		f->wrote = !f->marked;
		if (!f->marked)
			f->clean[WATCH_NEW] = f->clean[WATCH_CUR] = -1;
		if (st->o.import && !f->said[0] && import_again(f, &e) < 0)
			result_fail(&f->open_res, &e);
		fold_opened_ring(f);
	}
	buf_deinit(&records);
}

static void open_done(struct job *j)
{
	struct open_job *o = container_of(j, struct open_job, job);
	struct fold *f = o->f;
	struct store *st = f->f.store;

	if (o->rebuilt)
		LOG(L_ERROR, "folder_rebuilt", L_C("user", st->o.user), L_C("folder", f->f.name),
		    L_U("uidvalidity", f->f.uidvalidity));
	if (f->open_res.code != STORE_OK && f->open_res.code != STORE_NONEXISTENT)
		LOG(L_WARN, "folder_open_failed", L_C("user", st->o.user), L_C("folder", f->f.name),
		    L_C("error", f->open_res.err.text));
	free(o);
	fold_opened(f);
	fold_put(f);
}

void fold_open_start(struct fold *f)
{
	struct open_job *o = xcalloc(1, sizeof *o);

	o->f = f;
	o->job = (struct job){.run = open_run, .done = open_done};
	fold_ref(f);
	jobs_submit(f->f.store->o.jobs, &o->job);
}
