/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>
#include "backend/store/expect.h"

static void each_is_taken_once(void **state)
{
	struct expect *x = expect_new();

	assert_false(expect_take(x, 1, 0, 0, STR("a")));
	expect_add(x, 1000, 1, 0, 0, STR("a"));
	assert_false(expect_take(x, 2, 0, 0, STR("a")));
	assert_false(expect_take(x, 1, 1, 0, STR("a")));
	assert_false(expect_take(x, 1, 0, 1, STR("a")));
	assert_false(expect_take(x, 1, 0, 0, STR("b")));
	assert_true(expect_take(x, 1, 0, 0, STR("a")));
	assert_false(expect_take(x, 1, 0, 0, STR("a")));
	expect_add(x, 1000, 1, 0, 0, STR("a"));
	expect_add(x, 1000, 1, 0, 0, STR("a"));
	assert_true(expect_take(x, 1, 0, 0, STR("a")));
	assert_true(expect_take(x, 1, 0, 0, STR("a")));
	assert_false(expect_take(x, 1, 0, 0, STR("a")));
	expect_free(&x);
	assert_null(x);
}

static void old_ones_are_forgotten(void **state)
{
	struct expect *x = expect_new();

	expect_add(x, 100000, 1, 0, 0, STR("a"));
	expect_add(x, 100000 + EXPECT_MS - 1, 1, 0, 0, STR("b"));
	expect_add(x, 100000 + EXPECT_MS, 1, 0, 0, STR("c")); /* a and b are the older generation now */
	assert_true(expect_take(x, 1, 0, 0, STR("b")));
	expect_add(x, 100000 + 2 * EXPECT_MS, 1, 0, 0, STR("d"));
	assert_false(expect_take(x, 1, 0, 0, STR("a")));
	assert_true(expect_take(x, 1, 0, 0, STR("c")));
	expect_add(x, 100000 + 9 * EXPECT_MS, 1, 0, 0, STR("e"));
	assert_false(expect_take(x, 1, 0, 0, STR("d")));
	assert_true(expect_take(x, 1, 0, 0, STR("e")));
	expect_free(&x);
}

static void number_is_bounded(void **state)
{
	struct expect *x = expect_new();
	unsigned taken = 0;

	for (uint32_t i = 0; i < EXPECT_MAX + 1000; i++)
		expect_add(x, 5, i, 0, 0, STR("a"));
	for (uint32_t i = 0; i < EXPECT_MAX + 1000; i++)
		taken += expect_take(x, i, 0, 0, STR("a"));
	assert_int_equal(taken, EXPECT_MAX);
	expect_free(&x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_is_taken_once),
		cmocka_unit_test(old_ones_are_forgotten),
		cmocka_unit_test(number_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
