/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "backend/store/maildir.h"
#include "backend/store/store.h"

static void names_are_taken_apart(void **state)
{
	struct md_name n;

	assert_true(md_name_parse(STR("1.M2P3.h,S=10,W=12:2,FSab"), &n));
	assert_true(str_eq(n.base, STR("1.M2P3.h,S=10,W=12")));
	assert_int_equal(n.flags, MSG_FLAGGED | MSG_SEEN);
	assert_true(str_eq(n.extra, STR("ab")));
	assert_int_equal(n.size, 10);
	assert_int_equal(n.wire, 12);
	assert_true(md_name_parse(STR("x:2,"), &n) && n.flags == 0);
	assert_true(md_name_parse(STR("x:1,S"), &n) && str_eq(n.base, STR("x:1,S")));
	assert_true(md_name_parse(STR("x:2,S:2,T"), &n) && str_eq(n.base, STR("x")));
	assert_true(md_name_parse(STR("x,S=99999999999999999999"), &n) && n.size == 0);
	assert_false(md_name_parse(STR(""), &n));
	assert_false(md_name_parse(STR(".x"), &n));
	assert_false(md_name_parse(STR(":2,S"), &n));
	assert_false(md_name_parse(STR("a\nb"), &n));
	assert_false(md_name_parse(STR("a/b"), &n));
	char big[300];
	memset(big, 'a', sizeof big);
	assert_true(md_name_parse(str_mem(big, 255), &n));
	assert_false(md_name_parse(str_mem(big, 256), &n));
}

static void names_are_made(void **state)
{
	char out[256], big[256];

	assert_true(md_name_make(STR("x"), 0, STR_NONE, true, out));
	assert_string_equal(out, "x");
	assert_true(md_name_make(STR("x"), 0, STR_NONE, false, out));
	assert_string_equal(out, "x:2,");
	assert_true(md_name_make(STR("x"), MSG_FLAGS_ALL, STR("bSa"), true, out));
	assert_string_equal(out, "x:2,DFRSTab");
	/* A letter of ours between foreign ones isn't kept against the flags. */
	assert_true(md_name_make(STR("x"), 0, STR("aSb"), false, out));
	assert_string_equal(out, "x:2,ab");
	memset(big, 'a', sizeof big);
	assert_true(md_name_make(str_mem(big, 252), 0, STR_NONE, false, out));
	assert_false(md_name_make(str_mem(big, 252), MSG_SEEN, STR_NONE, false, out));
	assert_false(md_name_make(str_mem(big, 253), 0, STR_NONE, false, out));
}

static void names_are_unique_and_parse(void **state)
{
	char a[256], b[256];
	struct md_name n;

	md_name_new(a, 5, 7);
	md_name_new(b, 5, 7);
	assert_string_not_equal(a, b);
	assert_true(md_name_parse(str_c(a), &n));
	assert_int_equal(n.size, 5);
	assert_int_equal(n.wire, 7);
}

static void order_is_by_time_then_bytes(void **state)
{
	assert_true(md_name_cmp(STR("9.a"), STR("10.a")) < 0);
	assert_true(md_name_cmp(STR("10.a"), STR("10.b")) < 0);
	assert_true(md_name_cmp(STR("a"), STR("1")) < 0);
	assert_int_equal(md_name_cmp(STR("1.a"), STR("1.a")), 0);
}

static void only_files_of_the_account_count(void **state)
{
	const char *why;
	struct stat st = {.st_mode = S_IFREG | 0600, .st_uid = geteuid(), .st_nlink = 3};

	assert_true(md_file_ok(&st, &why));
	st.st_mode = S_IFIFO | 0600;
	assert_false(md_file_ok(&st, &why));
	st = (struct stat){.st_mode = S_IFREG | 0644, .st_uid = geteuid() + 1, .st_nlink = 1};
	assert_false(md_file_ok(&st, &why));
	if (geteuid() == 0)
		return;
	st.st_uid = 0;
	assert_true(md_file_ok(&st, &why));
	st.st_nlink = 2;
	assert_false(md_file_ok(&st, &why));
	st = (struct stat){.st_mode = S_IFREG | 0600, .st_uid = 0, .st_nlink = 1};
	assert_false(md_file_ok(&st, &why));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_taken_apart),
		cmocka_unit_test(names_are_made),
		cmocka_unit_test(names_are_unique_and_parse),
		cmocka_unit_test(order_is_by_time_then_bytes),
		cmocka_unit_test(only_files_of_the_account_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
