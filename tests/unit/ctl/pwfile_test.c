/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ctl/pwedit.c"
#include "ctl/pwfile.c"

static void replaces_the_file(void **state)
{
	char dir[] = "/tmp/pwfile-test.XXXXXX";
	char path[64], link[64];
	struct stat st;
	struct pwedit edit = {.act = PWEDIT_SET, .user = STR("a"), .hash = STR("1")};
	struct buf text = BUF_INIT;
	enum pwedit_result result;
	struct err e;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/passwd", dir);
	snprintf(link, sizeof link, "%s/link", dir);
	assert_int_equal(pwfile_change(path, &edit, &result, &e), 0);
	assert_int_equal(result, PWEDIT_ADDED);
	assert_int_equal(chmod(path, 0640), 0);
	assert_int_equal(symlink(path, link), 0);
	edit.hash = STR("2");
	assert_int_equal(pwfile_change(link, &edit, &result, &e), 0);
	assert_int_equal(result, PWEDIT_CHANGED);
	assert_int_equal(pwfile_read(path, &text, &e), 0);
	assert_string_equal(buf_cstr(&text), "a:2::::::\n");
	buf_deinit(&text);
	assert_int_equal(lstat(link, &st), 0);
	assert_true(S_ISLNK(st.st_mode)); /* the link stays a link */
	assert_int_equal(lstat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	assert_int_equal(pwfile_change("/nonexistent/dir/passwd", &edit, &result, &e), -1);
	assert_int_equal(unlink(link), 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(dir), 0); /* nothing was left behind */
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(replaces_the_file)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
