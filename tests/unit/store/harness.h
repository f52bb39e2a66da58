/* SPDX-License-Identifier: Apache-2.0 */
/* harness: a real store with a real loop in a temporary directory; requests that wait for their end. */
#pragma once
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "backend/store/store.h"
#include "common/base/buf.h"
#include "common/base/ensure.h"
#include "common/base/rand.h"
#include "common/io/jobs.h"
#include "common/io/loop.h"

#undef UNUSED
#define UNUSED __attribute__((unused))

static struct loop *loop;
static struct jobs *jobs;
static struct store *st;
static struct settings set;
static char top[64];
static int dir_fd = -1;
static bool done;
static struct store_result result;
static char listing[4096];
static struct str opaque;
static void *crash_page;

struct box { /* a session */
	struct folder_listener l;
	struct folder *f;
	struct store_result last;
	unsigned added, flags_told, expunged, gone;
	const void *origin; /* of the last change */
	bool silent;
	uint32_t map_from[64], map_to[64];
	size_t nmap;
};

static void too_long(void *ctx)
{
	fprintf(stderr, "nothing happened for 30 s\n");
	abort();
}

static void wait_flag(bool *flag)
{
	struct loop_timer *t = loop_timer_new(loop, too_long, NULL);

	loop_timer_set(t, 30000);
	while (!*flag)
		loop_run(loop);
	loop_timer_free(&t);
}

static UNUSED void on_done(void *ctx, const struct store_result *r)
{
	result = *r;
	done = true;
	loop_stop(loop);
}

static enum store_code wait_done(void)
{
	wait_flag(&done);
	done = false;
	return result.code;
}

static void tick(void *ctx)
{
	done = true;
	loop_stop(loop);
}

static UNUSED void pause_ms(unsigned ms)
{
	struct loop_timer *t = loop_timer_new(loop, tick, NULL);

	loop_timer_set(t, ms);
	wait_done();
	loop_timer_free(&t);
}

static UNUSED void settle(void) /* until no job is under way */
{
	do
		pause_ms(20);
	while (jobs_pending(jobs));
}

static void store_start(void)
{
	struct store_opts o = {.loop = loop, .jobs = jobs, .set = &set, .user = "test", .opaque = opaque,
			       .crash_page = crash_page};

	o.maildir_fd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	st = store_new(&o);
	store_open(st, on_done, NULL);
	if (wait_done() != STORE_OK)
		fail_msg("store_open: %s", result.err.text);
}

static void store_end(void)
{
	store_close(st, on_done, NULL);
	assert_int_equal(wait_done(), STORE_OK);
	settle();
	store_free(&st);
}

static UNUSED void store_restart(void)
{
	store_end();
	store_start();
}

static void world_start(void)
{
	loop = loop_new();
	jobs = jobs_new(loop, 2);
	store_start();
}

static void remove_top(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		execl("/bin/rm", "rm", "-rf", top, (char *)NULL);
		_exit(127);
	}
	waitpid(pid, NULL, 0);
}

static void load_settings(void)
{
	struct settings_opts so = {.file = "/dev/null", .no_env = true};
	struct err e = {0};

	if (settings_load(&set, &so, NULL, &e) < 0)
		fail_msg("settings: %s", e.text);
	set.lock_timeout = 5;
}

static UNUSED int setup(void **state)
{
	load_settings();
	snprintf(top, sizeof top, "/tmp/store_test.XXXXXX");
	assert_non_null(mkdtemp(top));
	dir_fd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	world_start();
	return 0;
}

struct box;
static struct box *boxes[16]; /* open ones: a test that failed has left some */
static void box_close(struct box **x);

static UNUSED int teardown(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(boxes); i++)
		if (boxes[i])
			box_close(&(struct box *){boxes[i]});
	store_end();
	jobs_free(&jobs);
	loop_free(&loop);
	close(dir_fd);
	remove_top();
	settings_free(&set);
	return 0;
}

/* ---- sessions ----------------------------------------------------------------------------------- */

static void box_change(void *ctx, const struct folder_change *ch)
{
	struct box *x = ctx;

	x->origin = ch->origin;
	x->silent = ch->silent;
	x->added += ch->kind == FOLDER_ADDED;
	x->flags_told += ch->kind == FOLDER_FLAGS;
	x->expunged += ch->kind == FOLDER_EXPUNGE;
	x->gone += ch->kind == FOLDER_GONE;
}

static void box_opened(void *ctx, const struct store_result *r, struct folder *f)
{
	((struct box *)ctx)->f = f;
	on_done(NULL, r);
}

static UNUSED struct box *box_open(const char *name, bool writable)
{
	struct box *x = xcalloc(1, sizeof *x);

	for (size_t i = 0; i < ARRAY_LEN(boxes); i++)
		if (!boxes[i]) {
			boxes[i] = x;
			break;
		}
	x->l = (struct folder_listener){.on_change = box_change, .ctx = x, .writable = writable};
	folder_open(st, str_c(name), &x->l, box_opened, x);
	if (wait_done() != STORE_OK)
		fail_msg("open %s: %d %s", name, result.code, result.err.text);
	return x;
}

static UNUSED void box_close(struct box **x)
{
	for (size_t i = 0; i < ARRAY_LEN(boxes); i++)
		if (boxes[i] == *x)
			boxes[i] = NULL;
	if ((*x)->f)
		folder_close((*x)->f, &(*x)->l);
	free(*x);
	*x = NULL;
}

static UNUSED void box_sync(struct box *x)
{
	folder_sync(x->f, on_done, NULL);
	if (wait_done() != STORE_OK)
		fail_msg("folder_sync: %s", result.err.text);
}

static UNUSED void box_flags(struct box *x, const uint32_t *uids, size_t n, enum flags_mode mode, uint8_t flags,
			     const struct str *kws, size_t nkws)
{
	struct flags_request q = {.uids = uids,
				  .n = n,
				  .mode = mode,
				  .flags = flags,
				  .keywords = kws,
				  .nkeywords = nkws,
				  .origin = x};

	folder_flags(x->f, &q, on_done, NULL);
	wait_done();
	x->last = result;
}

static UNUSED void box_expunge(struct box *x, const uint32_t *uids, size_t n)
{
	folder_expunge(x->f, uids, n, x, on_done, NULL);
	assert_int_equal(wait_done(), STORE_OK);
}

static void copied(void *ctx, const struct store_result *r, const struct uid_map *m)
{
	struct box *x = ctx;

	x->nmap = m ? m->n : 0;
	for (size_t i = 0; i < x->nmap && i < 64; i++) {
		x->map_from[i] = m->from[i];
		x->map_to[i] = m->to[i];
	}
	on_done(NULL, r);
}

static UNUSED void box_copy(struct box *x, const uint32_t *uids, size_t n, const char *to, bool move)
{
	folder_copy(x->f, uids, n, str_c(to), move, x, copied, x);
	wait_done();
	x->last = result;
}

static uint32_t appended_uid;
static void appended(void *ctx, const struct store_result *r, uint32_t uidvalidity, const uint32_t *uids, size_t n)
{
	appended_uid = n ? uids[n - 1] : 0;
	on_done(NULL, r);
}

/* 0: failed, result says why */
static UNUSED uint32_t put_msg(const char *folder, const char *text, uint8_t flags)
{
	struct append_opts o = {.folder = str_c(folder), .flags = flags, .internaldate = -1, .size = strlen(text)};
	struct append *a = append_begin(st, &o, on_done, NULL);

	if (wait_done() != STORE_OK) {
		append_abort(&a);
		return 0;
	}
	append_write(a, str_c(text), on_done, NULL);
	append_commit(a, appended, NULL);
	wait_done();
	return appended_uid;
}

/* ---- folders ------------------------------------------------------------------------------------- */

static UNUSED enum store_code make(const char *name)
{
	store_create(st, str_c(name), STR_NONE, on_done, NULL);
	return wait_done();
}

static UNUSED enum store_code delete_box(const char *name)
{
	store_delete(st, str_c(name), on_done, NULL);
	return wait_done();
}

static UNUSED enum store_code rename_box(const char *from, const char *to)
{
	store_rename(st, str_c(from), str_c(to), on_done, NULL);
	return wait_done();
}

static UNUSED void set_subscribed(const char *name, bool on)
{
	store_subscribe(st, str_c(name), on, on_done, NULL);
	assert_int_equal(wait_done(), STORE_OK);
}

static void listed(void *ctx, const struct store_result *r, const struct folder_list *l)
{
	struct buf b = BUF_INIT;

	for (size_t i = 0; l && i < l->n; i++) {
		unsigned bits = l->a[i].bits;
		buf_printf(&b, "%.*s(%s%s%s%s)%.*s ", STR_ARG(l->a[i].name), bits & FOLDER_SUBSCRIBED ? "s" : "",
			   bits & FOLDER_NOSELECT ? "n" : "", bits & FOLDER_HASCHILDREN ? "c" : "",
			   bits & FOLDER_NONEXISTENT ? "x" : "", STR_ARG(l->a[i].special_use));
	}
	snprintf(listing, sizeof listing, "%s", buf_cstr(&b));
	buf_deinit(&b);
	on_done(NULL, r);
}

static UNUSED void list_all(void)
{
	store_list(st, listed, NULL);
	assert_int_equal(wait_done(), STORE_OK);
}

static struct folder_status the_status;
static void got_status(void *ctx, const struct store_result *r, const struct folder_status *s)
{
	if (s)
		the_status = *s;
	on_done(NULL, r);
}

static UNUSED struct folder_status status_of(const char *name)
{
	store_status(st, str_c(name), got_status, NULL);
	assert_int_equal(wait_done(), STORE_OK);
	return the_status;
}

static void count_one(void *ctx, size_t index)
{
	++*(unsigned *)ctx;
}

static UNUSED unsigned count_changed(struct folder *f, uint64_t since)
{
	unsigned n = 0;

	folder_changed_since(f, since, count_one, &n);
	return n;
}

/* ---- another program ------------------------------------------------------------------------------- */

static UNUSED void deliver(const char *name, const char *text)
{
	int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static UNUSED void move(const char *from, const char *to)
{
	assert_int_equal(renameat(dir_fd, from, dir_fd, to), 0);
}

static UNUSED void gone(const char *name)
{
	assert_int_equal(unlinkat(dir_fd, name, 0), 0);
}

static UNUSED bool there(const char *name)
{
	struct stat sb;

	return fstatat(dir_fd, name, &sb, AT_SYMLINK_NOFOLLOW) == 0;
}

static UNUSED unsigned count_files(const char *name)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY);
	DIR *d = fdopendir(fd);
	struct dirent *de;
	unsigned n = 0;

	assert_non_null(d);
	while ((de = readdir(d)))
		n += de->d_name[0] != '.';
	closedir(d);
	return n;
}
