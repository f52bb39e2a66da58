/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/ensure.h"
#include "common/base/str.h"

static void test_numbers(void **state)
{
	static const struct {
		const char *text;
		int ok;
		uint64_t v;
	} u64[] = {
		{"0", 1, 0},
		{"007", 1, 7},
		{"18446744073709551615", 1, UINT64_MAX},
		{"18446744073709551616", 0, 0},
		{"18446744073709551625", 0, 0},
		{"99999999999999999999999", 0, 0},
		{"", 0, 0},
		{"-1", 0, 0},
		{"+1", 0, 0},
		{" 1", 0, 0},
		{"1 ", 0, 0},
		{"1x", 0, 0},
		{"0x10", 0, 0},
	};
	uint64_t v;
	uint32_t w;

	for (size_t k = 0; k < ARRAY_LEN(u64); k++) {
		v = 42;
		assert_int_equal(str_u64(str_c(u64[k].text), &v), u64[k].ok);
		assert_true(v == (u64[k].ok ? u64[k].v : 42));
	}
	assert_false(str_u64(str_mem("1\0", 2), &v));
	assert_true(str_u32(STR("4294967295"), &w) && w == UINT32_MAX);
	assert_false(str_u32(STR("4294967296"), &w));
}

static void test_compare(void **state)
{
	assert_true(str_eq(STR_NONE, STR("")));
	assert_true(str_ieq(STR("InBoX"), STR("inbox")));
	assert_false(str_ieq(STR("[abc"), STR("{abc"))); /* only letters fold */
	assert_false(str_ieq(STR("\xc4"), STR("\xe4")));
	assert_true(str_cmp(STR("a"), STR("ab")) < 0);
	assert_true(str_cmp(STR("b"), STR("ab")) > 0);
	assert_true(str_cmp(STR("\xff"), STR("a")) > 0);
	assert_true(str_cmp(STR_NONE, STR("")) == 0);
	assert_true(str_starts(STR("abc"), STR("ab")) && !str_starts(STR("a"), STR("ab")));
	assert_true(str_istarts(STR("ABC"), STR("ab")));
	assert_true(str_ends(STR("abc"), STR("bc")) && !str_ends(STR("c"), STR("bc")));
}

static void test_slices(void **state)
{
	struct str rest = STR("a,,b");
	struct str s = STR(" \t x y \r\n");

	assert_true(str_eq(str_split(&rest, ','), STR("a")));
	assert_true(str_eq(str_split(&rest, ','), STR("")) && rest.p != NULL);
	assert_true(str_eq(str_split(&rest, ','), STR("b")) && rest.p == NULL);
	rest = STR("a,");
	str_split(&rest, ',');
	assert_true(rest.p != NULL && rest.n == 0);
	assert_true(str_eq(str_split(&rest, ','), STR("")) && rest.p == NULL);
	assert_true(str_eq(str_trim(s), STR("x y")));
	assert_int_equal(str_trim(STR(" \n")).n, 0);
	assert_int_equal(str_from(STR("abc"), 9).n, 0);
	assert_true(str_eq(str_sub(STR("abc"), 1, SIZE_MAX), STR("bc")));
	assert_int_equal(str_find(STR("abc"), 'x'), 3);
	assert_int_equal(str_rfind(STR("abca"), 'a'), 3);
	assert_true(str_has_nul(str_mem("a\0b", 3)) && !str_has_nul(STR("ab")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_compare),
		cmocka_unit_test(test_slices),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
