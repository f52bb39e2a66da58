/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ctl/pwfile.c"

static void edits_one_line(void **state)
{
	static const struct {
		const char *old, *new;
		bool added;
	} cases[] = {
		{"", "u:H::::::\n", true},
		{"u:old:1:2:g:/h:s:o\n", "u:H:1:2:g:/h:s:o\n", false},
		{"u:old\n", "u:H::::::\n", false},
		{"u\n", "u\nu:H::::::\n", true}, /* no account, left alone */
		{"# u:old\nuu:x:1:2:::s:o\nu:old:1::::s:", "# u:old\nuu:x:1:2:::s:o\nu:H:1::::s:\n", false},
		{"u:a:1\nu:b:2\n", "u:H:1\nu:b:2\n", false}, /* the first one counts */
		{"v:x\n\n", "v:x\n\nu:H::::::\n", true},
	};
	struct buf out = BUF_INIT;
	bool added;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		pwfile_edit(str_c(cases[i].old), STR("u"), STR("H"), &out, &added);
		assert_string_equal(buf_cstr(&out), cases[i].new);
		assert_int_equal(added, cases[i].added);
		buf_reset(&out);
	}
	buf_deinit(&out);
}

static void replaces_the_file(void **state)
{
	char dir[] = "/tmp/pwfile-test.XXXXXX";
	char path[64], link[64];
	struct stat st;
	bool added;
	struct err e;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/passwd", dir);
	snprintf(link, sizeof link, "%s/link", dir);
	assert_int_equal(pwfile_set(path, STR("a"), STR("1"), &added, &e), 0);
	assert_true(added);
	assert_int_equal(chmod(path, 0640), 0);
	assert_int_equal(symlink(path, link), 0);
	assert_int_equal(pwfile_set(link, STR("a"), STR("2"), &added, &e), 0);
	assert_false(added);
	assert_int_equal(lstat(link, &st), 0);
	assert_true(S_ISLNK(st.st_mode)); /* the link stays a link */
	assert_int_equal(lstat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	assert_int_equal(pwfile_set("/nonexistent/dir/passwd", STR("a"), STR("2"), &added, &e), -1);
	assert_int_equal(unlink(link), 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(dir), 0); /* nothing was left behind */
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(edits_one_line), cmocka_unit_test(replaces_the_file)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
