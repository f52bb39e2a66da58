/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "common/mail/maildirsize.h"
#include "common/base/ensure.h"

static void limits(void **state)
{
	static const struct {
		const char *text;
		bool ok;
		int64_t bytes, count;
	} rows[] = {
		{"10000000S,1000C", true, 10000000, 1000},
		{"1000C,10000000S", true, 10000000, 1000},
		{"200S50C", true, 200, 50},
		{"5000", true, 5000, 0},
		{"5C", true, 0, 5},
		{"", true, 0, 0},
		{"0S,0C", true, 0, 0},
		{"99999999999999999999S", true, INT64_MAX, 0},
		{"9223372036854775807S", true, INT64_MAX, 0},
		{"S", false, 0, 0},
		{",5S", false, 0, 0},
		{"5S,", false, 0, 0},
		{"-5S", false, 0, 0},
		{"5K", false, 0, 0},
		{"5s", false, 0, 0},
		{"5S 6C", false, 0, 0},
		{"NOQUOTA", false, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct quota_limit l = {-7, -7};
		bool ok = quota_limit_parse(str_c(rows[i].text), &l);
		assert_int_equal(ok, rows[i].ok);
		assert_int_equal(l.bytes, ok ? rows[i].bytes : -7); /* written on success only */
		assert_int_equal(l.count, ok ? rows[i].count : -7);
	}
}

static void over(void **state)
{
	struct quota_limit none = {0, 0}, both = {100, 5};

	(void)state;
	assert_false(quota_limit_any(&none));
	assert_false(quota_limit_over(&none, INT64_MAX, INT64_MAX));
	assert_false(quota_limit_over(&both, 100, 5));
	assert_true(quota_limit_over(&both, 101, 5));
	assert_true(quota_limit_over(&both, 100, 6));
}

static void files(void **state)
{
	static const struct {
		const char *text;
		bool ok;
		int64_t bytes, count;
		size_t lines;
	} rows[] = {
		{"100S,5C\n", true, 0, 0, 0},
		{"100S\n          10            1\n          -4           -1\n", true, 6, 0, 2},
		{"100S\n10 1\n", true, 10, 1, 1},
		{"100S\n\t10\t1 \r\n", true, 10, 1, 1},
		{"100S\r\n10 1\n", true, 10, 1, 1},
		{"\n10 1\n", true, 10, 1, 1},
		{"", false, 0, 0, 0},
		{"100S", false, 0, 0, 0},
		{"100S\n10 1", false, 0, 0, 0},
		{"100S\n10\n", false, 0, 0, 0},
		{"100S\n10 1 1\n", false, 0, 0, 0},
		{"100S\n\n10 1\n", false, 0, 0, 0},
		{"100S\n-10 -1\n", false, 0, 0, 0},
		{"100S\n- 1\n", false, 0, 0, 0},
		{"100S\n+1 1\n", false, 0, 0, 0},
		{"100S\n9223372036854775807 1\n1 1\n", false, 0, 0, 0},
		{"100S\n9223372036854775808 1\n", false, 0, 0, 0},
		{"what\n10 1\n", false, 0, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct maildirsize m;
		assert_int_equal(maildirsize_parse(str_c(rows[i].text), &m), rows[i].ok);
		if (!rows[i].ok)
			continue;
		assert_int_equal(m.bytes, rows[i].bytes);
		assert_int_equal(m.count, rows[i].count);
		assert_int_equal(m.lines, rows[i].lines);
	}
}

/* A damaged file still says what it is the quota of. */
static void limit_of_a_damaged_file(void **state)
{
	struct maildirsize m;

	(void)state;
	assert_false(maildirsize_parse(STR("100S,5C\nhalf a"), &m));
	assert_int_equal(m.limit.bytes, 100);
	assert_false(maildirsize_parse(STR("100S,5C\nx y\n"), &m));
	assert_int_equal(m.limit.count, 5);
	assert_false(maildirsize_parse(STR("100S,5C"), &m));
	assert_int_equal(m.limit.bytes, 0); /* perhaps only its beginning */
}

static void written(void **state)
{
	struct buf b = BUF_INIT;

	(void)state;
	quota_limit_put(&b, &(struct quota_limit){10000000, 1000});
	buf_putc(&b, '\n');
	maildirsize_put_line(&b, 4000, 1);
	maildirsize_put_line(&b, -4000, -1);
	assert_string_equal(buf_cstr(&b), "10000000S,1000C\n        4000            1\n"
					  "       -4000           -1\n");
	buf_reset(&b);
	quota_limit_put(&b, &(struct quota_limit){0, 7});
	assert_string_equal(buf_cstr(&b), "7C");
	buf_deinit(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(limits),  cmocka_unit_test(over),
		cmocka_unit_test(files),   cmocka_unit_test(limit_of_a_damaged_file),
		cmocka_unit_test(written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
