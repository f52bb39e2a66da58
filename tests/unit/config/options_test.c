/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/config/options.h"

static void test_next(void **state)
{
	struct str rest = STR(",a=1,, b ,c = 2=3 ,=x, ,group=g,group=h"), name, value;
	static const char *const want[][2] = {
		{"a", "1"}, {"b", ""}, {"c", "2=3"}, {"group", "g"}, {"group", "h"}};

	for (size_t i = 0; i < 5; i++) {
		assert_true(options_next(&rest, &name, &value));
		assert_true(str_eq(name, str_c(want[i][0])) && str_eq(value, str_c(want[i][1])));
	}
	assert_false(options_next(&rest, &name, &value));
	rest = STR_NONE;
	assert_false(options_next(&rest, &name, &value));
}

static void test_set(void **state)
{
	static const char *const cases[][3] = {
		{"", "1", "x=1"},  {"a=2", "1", "a=2,x=1"},	{"X=3,a,x", "1", "a,x=1"},
		{"x=1", NULL, ""}, {"a, x = 1,b", NULL, "a,b"}, {",,a", NULL, "a"},
	};
	struct buf b = BUF_INIT;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		buf_reset(&b);
		options_set(&b, str_c(cases[i][0]), "x",
			    cases[i][1] ? str_c(cases[i][1]) : STR_NONE);
		assert_string_equal(buf_cstr(&b), cases[i][2]);
	}
	buf_deinit(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_next), cmocka_unit_test(test_set)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
