/* SPDX-License-Identifier: Apache-2.0 */
/* Which volume a path lies on, and what a Maildir may be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ftw.h>

#include "backend/master/maildir.c"
#include "backend/master/mkhome.c"
#include "backend/master/volume.c"

static const char mounts[] =
	"22 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n"
	"30 22 0:25 / /mail rw - tmpfs tmpfs rw\n"
	"31 30 0:26 / /mail/slow rw shared:3 - fuse.slow slow rw\n"
	"32 22 0:27 / /with\\040blank\\134 rw - nfs x rw\n"
	"broken line\n"
	"\n";

static void volume_by_text(void **state)
{
	static const char *const cases[][2] = {
		{"/mail/u/Maildir", "/mail"}, {"/mail/slow/u", "/mail/slow"}, {"/mail/slow", "/mail/slow"},
		{"/mail/slower/u", "/mail"},  {"/mailbox/u", "/"},            {"/home/u", "/"},
		{"/with blank\\/u", "/with blank\\"},
	};
	struct buf out = BUF_INIT;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		assert_true(str_eq(volumes_match(str_c(mounts), str_c(cases[i][0]), &out), str_c(cases[i][1])));
	assert_true(str_eq(volumes_match(STR_NONE, STR("/x"), &out), STR("/")));
	buf_deinit(&out);
}

struct fixture {
	char dir[64];
	char home[128];
};

static int setup(void **state)
{
	static struct fixture f;

	snprintf(f.dir, sizeof f.dir, "/tmp/maildir-test.XXXXXX");
	assert_non_null(mkdtemp(f.dir));
	snprintf(f.home, sizeof f.home, "%s/a/home", f.dir);
	*state = &f;
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	return remove(path);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	return nftw(f->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static int open_one(const struct fixture *f, const char *maildir, uint32_t uid, struct maildir_found *out,
		    struct err *e)
{
	struct maildir_want w = {.become = false, .uid = uid, .gid = getegid(), .home = f->home, .maildir = maildir, .sanity = true};
	int rc = maildir_open_or_make(&w, out, e);

	if (rc == 0)
		close(out->fd);
	return rc;
}

static void made_and_found_again(void **state)
{
	struct fixture *f = *state;
	struct maildir_found a, b;
	struct err e;
	char path[200];
	struct stat st;

	assert_int_equal(open_one(f, "Maildir", geteuid(), &a, &e), 0);
	assert_true(a.made);
	assert_int_equal(open_one(f, "./Maildir", geteuid(), &b, &e), 0);
	assert_false(b.made);
	assert_true(a.dev == b.dev && a.ino == b.ino);
	snprintf(path, sizeof path, "%s/Maildir/new", f->home);
	assert_int_equal(stat(path, &st), 0);
	assert_true(S_ISDIR(st.st_mode));
	assert_int_equal(open_one(f, path, geteuid(), &b, &e), 0); /* absolute */
	/* Another's */
	assert_int_equal(open_one(f, "Maildir", geteuid() + 1, &a, &e), -1);
	assert_int_equal(e.code, EPERM);
	assert_non_null(strstr(e.text, "belongs to uid"));
}

static void links_and_files_are_refused(void **state)
{
	struct fixture *f = *state;
	struct maildir_found a;
	char target[200], path[200];
	struct err e;
	FILE *file;

	snprintf(target, sizeof target, "%s/Maildir", f->home);
	snprintf(path, sizeof path, "%s/link", f->home);
	assert_int_equal(symlink(target, path), 0);
	assert_int_equal(open_one(f, "link", geteuid(), &a, &e), -1);
	assert_int_equal(e.code, ELOOP);
	assert_int_equal(open_one(f, "link/new", geteuid(), &a, &e), -1);
	assert_int_equal(open_one(f, path, geteuid(), &a, &e), -1); /* absolute */
	snprintf(path, sizeof path, "%s/dangling", f->home);
	assert_int_equal(symlink("/nonexistent/x", path), 0);
	assert_int_equal(open_one(f, "dangling", geteuid(), &a, &e), -1);
	snprintf(path, sizeof path, "%s/file", f->home);
	file = fopen(path, "w");
	assert_non_null(file);
	fclose(file);
	assert_int_equal(open_one(f, "file", geteuid(), &a, &e), -1);
	assert_int_equal(e.code, ENOTDIR);
	snprintf(path, sizeof path, "%s/fifo", f->home);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(open_one(f, "fifo", geteuid(), &a, &e), -1); /* and at once */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(volume_by_text),
		cmocka_unit_test(made_and_found_again),
		cmocka_unit_test(links_and_files_are_refused),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
