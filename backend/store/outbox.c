/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/store/outbox.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "backend/store/outbox_int.h"
#include "common/base/clock.h"
#include "common/base/crc32c.h"
#include "common/mail/lfcrlf.h"

#define ATTEMPT "posthouse/outbox."
#define MESSAGE "posthouse/outmsg."
enum { KEYWORDS_SIZE_MAX = 1 << 20, ORPHAN_S = 36 * 3600, SCAN_MAX = 10000 };

void outbox_attempt_name(char out[300], const char *base)
{
	snprintf(out, 300, ATTEMPT "%s", base);
}

void outbox_message_name(char out[300], const char *base)
{
	snprintf(out, 300, MESSAGE "%s", base);
}

struct outbox_item *outbox_item_new(const char *folder, const char *base)
{
	struct outbox_item *it = xcalloc(1, sizeof *it);

	it->folder = xstrdup(folder);
	snprintf(it->base, sizeof it->base, "%s", base);
	it->message = it->attempt = -1;
	return it;
}

void outbox_item_free(struct outbox_item **itp)
{
	struct outbox_item *it = *itp;

	*itp = NULL;
	if (!it)
		return;
	if (it->message >= 0)
		close(it->message);
	if (it->attempt >= 0)
		close(it->attempt);
	vec_foreach(k, &it->keywords)
		free(*k);
	vec_free(&it->keywords);
	buf_deinit(&it->head);
	free(it->folder);
	free(it);
}

bool outbox_is(struct str folder, const char *value)
{
	return *value && str_istarts(folder, STR("INBOX")) &&
	       str_eq(str_from(folder, 5), str_c(value));
}

/* ---- holding: I/O thread ------------------------------------------------------------------------- */

static void put_attempt(struct buf *b, const struct outbox_item *it, uint64_t deadline)
{
	struct buf more = BUF_INIT;
	char area[MAILER_AREA];

	mailer_area_new(area, deadline);
	buf_put(b, area, sizeof area);
	wire_u8(&more, it->flags);
	wire_u32(&more, (uint32_t)it->keywords.n);
	for (size_t i = 0; i < it->keywords.n; i++)
		wire_str(&more, str_c(it->keywords.a[i]));
	wire_u32(b, crc32c(0, more.p, more.n));
	wire_str(b, buf_str(&more));
	buf_deinit(&more);
}

static int write_attempt(int dir, const char *name, struct outbox_item *it, uint64_t deadline)
{
	struct buf b = BUF_INIT;
	ssize_t n;

	it->attempt = openat(dir, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (it->attempt < 0)
		return -1;
	put_attempt(&b, it, deadline);
	n = pwrite(it->attempt, buf_str(&b).p, b.n, 0);
	if (n >= 0 && (size_t)n < b.n)
		errno = ENOSPC;
	int rc = n == (ssize_t)b.n ? fsync(it->attempt) : -1;
	buf_deinit(&b);
	return rc;
}

static void read_head(struct outbox_item *it)
{
	ssize_t n = pread(it->message, buf_reserve(&it->head, OUTBOX_HEAD_MAX), OUTBOX_HEAD_MAX, 0);

	if (n > 0)
		buf_added(&it->head, (size_t)n);
}

static int sync_own_dir(int dir)
{
	int fd = openat(dir, "posthouse", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int rc = fd < 0 ? -1 : md_fsync_dir(fd);

	if (fd >= 0)
		close(fd);
	return rc;
}

int outbox_hold_file(struct store *st, int dir, const char *tmp, struct outbox_item *it)
{
	uint64_t deadline = (uint64_t)clock_wall_s() + st->o.set->outbox_wait;
	char message[300], attempt[300];
	int saved;

	outbox_message_name(message, it->base);
	outbox_attempt_name(attempt, it->base);
	if (mkdirat(dir, "posthouse", 0700) < 0 && errno != EEXIST)
		return -1;
	if (files_rename_new(dir, tmp, dir, message) < 0)
		return -1;
	it->message = openat(dir, message, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (it->message >= 0 && write_attempt(dir, attempt, it, deadline) == 0 &&
	    sync_own_dir(dir) == 0) {
		it->area.deadline = deadline;
		read_head(it);
		return 0;
	}
	saved = errno;
	unlinkat(dir, attempt, 0);
	unlinkat(dir, message, 0);
	errno = saved;
	return -1;
}

/* ---- a copy --------------------------------------------------------------------------------------- */

struct hold_copy {
	struct job job;
	struct store *st;
	struct folder_files *files;
	struct msg_ref ref;
	struct outbox_item *it;
	struct store_result res;
	outbox_held_fn *done;
	void *ctx;
};

static int copy_out(int from, int to, uint64_t *size, uint64_t *wire)
{
	char chunk[65536];
	struct lfcrlf count = {.keep_nul = true};
	ssize_t n;

	while ((n = read(from, chunk, sizeof chunk)) > 0) {
		for (ssize_t put = 0, k; put < n; put += k) {
			k = write(to, chunk + put, (size_t)(n - put));
			if (k < 0)
				return -1;
		}
		*size += (uint64_t)n;
		*wire += lfcrlf_count(&count, str_mem(chunk, (size_t)n));
	}
	return n < 0 ? -1 : 0;
}

/* tmp/NAME is a synced copy of the message, with its date. */
static int make_copy(int from, int dir, char tmp[300], int64_t mtime, struct outbox_item *it)
{
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = mtime}};
	uint64_t size = 0, wire = 0;
	char base[256];
	int fd, rc;

	md_name_new(base, 0, 0);
	base[strcspn(base, ",")] = 0;
	snprintf(tmp, 300, "tmp/%s", base);
	if (mkdirat(dir, "tmp", 0700) < 0 && errno != EEXIST)
		return -1;
	fd = openat(dir, tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -1;
	rc = copy_out(from, fd, &size, &wire);
	if (rc == 0 && (futimens(fd, times) < 0 || fsync(fd) < 0))
		rc = -1;
	if (close(fd) < 0)
		rc = -1;
	md_name_new(base, size, wire);
	snprintf(it->base, sizeof it->base, "%.229s", base);
	return rc;
}

static void copy_run(struct job *j)
{
	struct hold_copy *h = container_of(j, struct hold_copy, job);
	char *disk = NULL, tmp[300] = "";
	uint64_t size;
	int64_t mtime;
	int from = -1, dir = names_open(h->st, str_c(h->it->folder), &disk);

	if (dir < 0) {
		result_sys(&h->res, h->it->folder);
	} else if ((from = msg_open(&h->ref, &size, &mtime)) < 0) {
		result_sys(&h->res, h->ref.name);
		h->res.code = errno == ENOENT ? STORE_EXPUNGED : h->res.code;
	} else if (size > h->st->o.set->outbox_size_max) {
		result_set(&h->res, STORE_TOOBIG, "The message is too large to be sent.");
	} else if (make_copy(from, dir, tmp, mtime, h->it) < 0 ||
		   outbox_hold_file(h->st, dir, tmp, h->it) < 0) {
		result_sys(&h->res, "a message for the Outbox");
		if (*tmp)
			unlinkat(dir, tmp, 0);
	}
	if (from >= 0)
		close(from);
	if (dir >= 0)
		close(dir);
	free(disk);
}

static void copy_done(struct job *j)
{
	struct hold_copy *h = container_of(j, struct hold_copy, job);

	folder_files_put(&h->files);
	if (h->res.code != STORE_OK)
		outbox_item_free(&h->it);
	h->done(h->ctx, &h->res, h->it);
	free(h);
}

void outbox_hold_copy(struct folder *f, const struct msg *m, struct str to, outbox_held_fn *done,
		      void *ctx)
{
	struct hold_copy *h = xcalloc(1, sizeof *h);
	char *folder = names_canonical(to);

	h->st = f->store;
	h->files = folder_files_get(f);
	msg_ref_fill(f, m, h->files, &h->ref);
	h->it = outbox_item_new(folder, "");
	free(folder);
	h->it->flags = m->flags & (MSG_FLAGS_ALL & ~MSG_DELETED);
	for (uint16_t i = 0; m->kw && i < m->kw->n; i++)
		*vec_push(&h->it->keywords) = xstrdup(f->keywords.a[m->kw->kw[i]]);
	h->done = done;
	h->ctx = ctx;
	h->job = (struct job){.run = copy_run, .done = copy_done};
	jobs_submit(h->st->o.jobs, &h->job);
}

/* ---- dropping, reading ----------------------------------------------------------------------------- */

struct item_job {
	struct job job;
	struct store *st;
	struct outbox_item *it; /* NULL: drop folder, base */
	char *folder;
	char base[230];
	struct store_result res;
	store_done_fn *done;
	void *ctx;
};

static void item_done(struct job *j)
{
	struct item_job *d = container_of(j, struct item_job, job);

	if (d->done)
		d->done(d->ctx, &d->res);
	free(d->folder);
	free(d);
}

static void drop_run(struct job *j)
{
	struct item_job *d = container_of(j, struct item_job, job);
	char *disk = NULL, name[300];
	int dir = names_open(d->st, str_c(d->folder), &disk);

	free(disk);
	if (dir < 0) {
		result_sys(&d->res, d->folder);
		return;
	}
	outbox_attempt_name(name, d->base);
	if (unlinkat(dir, name, 0) < 0 && errno != ENOENT)
		result_sys(&d->res, name);
	outbox_message_name(name, d->base);
	unlinkat(dir, name, 0);
	sync_own_dir(dir);
	close(dir);
}

static void read_run(struct job *j)
{
	struct item_job *d = container_of(j, struct item_job, job);

	if (mailer_area_read(d->it->attempt, &d->it->area) < 0)
		result_sys(&d->res, d->it->base);
}

static void item_start(struct store *st, job_fn *run, struct outbox_item *it,
		       const struct outbox_item *drop, store_done_fn *done, void *ctx)
{
	struct item_job *d = xcalloc(1, sizeof *d);

	d->st = st;
	d->it = it;
	if (drop) {
		d->folder = xstrdup(drop->folder);
		snprintf(d->base, sizeof d->base, "%s", drop->base);
	}
	d->done = done;
	d->ctx = ctx;
	d->job = (struct job){.run = run, .done = item_done};
	jobs_submit(st->o.jobs, &d->job);
}

void outbox_drop(struct store *st, const struct outbox_item *it, store_done_fn *done, void *ctx)
{
	item_start(st, drop_run, NULL, it, done, ctx);
}

void outbox_read(struct store *st, struct outbox_item *it, store_done_fn *done, void *ctx)
{
	item_start(st, read_run, it, NULL, done, ctx);
}

/* ---- what was left --------------------------------------------------------------------------------- */

struct scan {
	struct store_op op;
	char *folder;
	VEC(struct outbox_item *) items;
	outbox_scan_fn *done;
	void *ctx;
};

static bool read_more(struct outbox_item *it, struct str s)
{
	struct wire w = wire_reader(s), in;
	uint32_t crc = wire_get_u32(&w), n;
	struct str body = wire_get_str(&w, KEYWORDS_SIZE_MAX);

	if (!wire_end(&w) || crc32c(0, body.p, body.n) != crc)
		return false;
	in = wire_reader(body);
	it->flags = wire_get_u8(&in) & MSG_FLAGS_ALL;
	n = wire_get_u32(&in);
	for (uint32_t i = 0; i < n && !in.bad; i++)
		*vec_push(&it->keywords) = str_dup(wire_get_str(&in, 1024));
	return wire_end(&in);
}

/* What can't be read is taken for an attempt that nobody knows the end of. */
static void look_at(struct scan *s, int dir, const char *base)
{
	struct outbox_item *it = outbox_item_new(s->folder, base);
	struct buf b = BUF_INIT;
	struct stat st;
	char name[300];
	ssize_t n;

	outbox_message_name(name, base);
	it->message = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	outbox_attempt_name(name, base);
	it->attempt = openat(dir, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (it->attempt < 0 || fstat(it->attempt, &st) < 0 || !S_ISREG(st.st_mode)) {
		outbox_item_free(&it);
		return;
	}
	if (mailer_area_read(it->attempt, &it->area) <
	    0) /* short: it was being made, nobody was asked to send */
		it->area = (struct mailer_area){.started = st.st_size >= MAILER_AREA,
						.deadline = (uint64_t)st.st_mtime +
							    s->op.st->o.set->outbox_wait};
	n = pread(it->attempt, buf_reserve(&b, KEYWORDS_SIZE_MAX), KEYWORDS_SIZE_MAX, MAILER_AREA);
	if (n > 0)
		buf_added(&b, (size_t)n);
	(void)read_more(it, buf_str(&b));
	buf_deinit(&b);
	if (it->message >= 0)
		read_head(it);
	*vec_push(&s->items) = it;
}

/* A message without its attempt: an imapd died before anything was to be sent. */
static void remove_orphan(int dir, const char *base)
{
	char name[300];
	struct stat st;

	outbox_attempt_name(name, base);
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return;
	outbox_message_name(name, base);
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    st.st_ctime < time(NULL) - ORPHAN_S)
		unlinkat(dir, name, 0);
}

static void find_attempts(struct store_op *op)
{
	struct scan *s = container_of(op, struct scan, op);
	char *disk = NULL;
	int dir = names_open(op->st, str_c(s->folder), &disk);
	int own =
		dir < 0 ? -1
			: openat(dir, "posthouse", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *d = own < 0 ? NULL : fdopendir(own);
	struct dirent *de;

	free(disk);
	while (d && (de = readdir(d)) && s->items.n < SCAN_MAX) {
		struct str name = str_c(de->d_name);

		if (str_starts(name, STR("outbox.")) && name.n > 7 && name.n < 7 + 230)
			look_at(s, dir, name.p + 7);
		else if (str_starts(name, STR("outmsg.")) && name.n > 7 && name.n < 7 + 230)
			remove_orphan(dir, name.p + 7);
	}
	if (d)
		closedir(d);
	if (dir >= 0)
		close(dir);
}

static void scan_finish(struct store_op *op)
{
	struct scan *s = container_of(op, struct scan, op);

	s->done(s->ctx, &op->res, s->items.a, s->items.n);
	vec_free(&s->items);
	free(s->folder);
	free(s);
}

void outbox_scan(struct store *st, struct str folder, outbox_scan_fn *done, void *ctx)
{
	struct scan *s = xcalloc(1, sizeof *s);

	s->folder = names_canonical(folder);
	s->done = done;
	s->ctx = ctx;
	s->op.work = find_attempts;
	s->op.finish = scan_finish;
	store_op_start(st, &s->op);
}
