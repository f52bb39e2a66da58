/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "common/base/ensure.h"
#include "common/imap/acl.h"

static void is(const struct acl *a, const char *text)
{
	struct buf b = BUF_INIT;

	acl_put(a, &b);
	assert_string_equal(buf_cstr(&b), text);
	buf_deinit(&b);
}

static void may(const struct acl *a, const char *id, const char *other, const char *rights)
{
	struct str ids[] = {str_c(id), str_c(other)};
	struct buf b = BUF_INIT;

	acl_rights_put(acl_compute(a, ids, other ? 2 : 1), &b);
	assert_string_equal(buf_cstr(&b), rights);
	buf_deinit(&b);
}

static void changes(void **state)
{
	struct acl a;
	struct err e;

	acl_default(&a);
	assert_int_equal(acl_set(&a, STR("user=a"), STR("lrlr"), &e), 0);
	assert_int_equal(acl_set(&a, STR("user=a"), STR("+wd"), &e), 0);
	is(&a, "owner aceilrstwx\nadministrators aceilrstwx\nuser=a elrtwx\n");
	assert_int_equal(acl_set(&a, STR("user=a"), STR("-detxw"), &e), 0);
	assert_int_equal(acl_set(&a, STR("-user=a"), STR("r"), &e), 0);
	is(&a, "owner aceilrstwx\nadministrators aceilrstwx\nuser=a lr\n-user=a r\n");
	assert_int_equal(acl_delete(&a, STR("user=a"), &e), 0);
	assert_int_equal(acl_delete(&a, STR("user=nobody"), &e), 0);
	assert_int_equal(acl_set(&a, STR("-user=a"), STR(""), &e), 0);
	is(&a, "owner aceilrstwx\nadministrators aceilrstwx\n-user=a \n");
	acl_free(&a);
}

static void kept_rights(void **state)
{
	static const char *const refused[][2] = {
		{"owner", "lr"},
		{"owner", "-a"},
		{"-owner", "l"},
		{"-anyone", "a"},
		{"administrators", "lr"},
		{"-administrators", "r"},
		{"group=administrators", "l"},
		{"user=a", "q"},
		{"user=a", "l r"},
		{"user=a", "++l"},
		{"bob", "l"},
		{"user=", "l"},
		{"", "l"},
		{"-", "l"},
		{"--owner", "l"},
		{"user=a b", "l"},
		{"user=a\nx", "l"},
		{"user=\xff", "l"},
	};
	struct acl a;
	struct err e;

	acl_default(&a);
	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		assert_int_equal(acl_set(&a, str_c(refused[i][0]), str_c(refused[i][1]), &e), -1);
		is(&a, "owner aceilrstwx\nadministrators aceilrstwx\n");
	}
	assert_int_equal(acl_delete(&a, STR("owner"), &e), -1);
	is(&a, "administrators aceilrstwx\nowner aceilrstwx\n");
	for (int i = 0; i < ACL_ENTRIES_MAX - 2; i++) {
		char id[32];

		snprintf(id, sizeof id, "user=u%d", i);
		assert_int_equal(acl_set(&a, str_c(id), STR("l"), &e), 0);
	}
	assert_int_equal(acl_set(&a, STR("user=more"), STR("l"), &e), -1);
	acl_free(&a);
}

static void union_less_what_is_denied(void **state)
{
	struct acl a;
	struct err e;

	assert_int_equal(
		acl_parse(
			STR("owner aceilrstwx\nuser=bob lrw\n-user=bob r\nanyone dlrs\ngroup=g i\n"),
			&a, &e),
		0);
	may(&a, "user=bob", NULL, "elstwx");
	may(&a, "owner", "user=bob", "aceilstwx");
	may(&a, "user=zoe", "group=g", "eilrstx");
	may(&a, "user=zoe", "administrators", "aceilrstwx");
	may(&a, "nobody", NULL, "elrstx");
	acl_free(&a);
}

static void damaged_files(void **state)
{
	static const char *const bad[] = {"owner",	 "owner a\nx",	 " a",	    "owner a b",
					  "owner a\r\n", "owner \x01\n", "\xff a\n"};
	struct acl a;
	struct err e;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(acl_parse(str_c(bad[i]), &a, &e), -1);
		assert_int_equal(a.entries.n, 0);
	}
	assert_int_equal(acl_parse(STR("owner a\0b\n"), &a, &e), -1);
	assert_int_equal(acl_parse(STR("\nowner aZ\nowner l"), &a, &e), 0);
	is(&a, "owner l\n");
	acl_free(&a);
	assert_int_equal(acl_parse(STR(""), &a, &e), 0);
	acl_free(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(changes),
		cmocka_unit_test(kept_rights),
		cmocka_unit_test(union_less_what_is_denied),
		cmocka_unit_test(damaged_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
