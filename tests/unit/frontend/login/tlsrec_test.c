/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/ensure.h"
#include "frontend/login/tlsrec.h"

static size_t whole(const char *p, size_t n, unsigned *records, bool *bad)
{
	return tlsrec_whole((const uint8_t *)p, n, records, bad);
}

static void test_every_cut(void **state)
{
	static const char two[] = "\x17\x03\x03\x00\x03" "abc" "\x16\x03\x01\x00\x00" "\x15\x03\x03\x00\x02zz";
	static const size_t ends[] = {0, 8, 13, 20};
	unsigned records;
	bool bad;

	for (size_t n = 0; n < sizeof(two); n++) {
		size_t k = 0;

		while (k + 1 < ARRAY_LEN(ends) && ends[k + 1] <= n)
			k++;
		assert_int_equal(whole(two, n, &records, &bad), ends[k]);
		assert_int_equal(records, k);
		assert_false(bad);
	}
}

static void test_bad(void **state)
{
	static const struct {
		const char *p;
		size_t n;
	} cases[] = {
		{"a LOGIN x y\r\n", 13},     {"\x80\x2e\x01\x03\x01", 5}, {"\x18\x03\x03\x00\x01z", 6},
		{"\x17\x02\x03\x00\x01z", 6}, {"\x17\x03\x03\x48\x01", 5}, {"\x17\x03\x03\xff\xff", 5},
		{"\x00", 1},		     {"\x17\x04", 2},
	};
	unsigned records;
	bool bad;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(whole(cases[i].p, cases[i].n, &records, &bad), 0);
		assert_true(bad);
	}
	/* What is whole in front of it counts. */
	assert_int_equal(whole("\x17\x03\x03\x00\x01zGET /", 11, &records, &bad), 6);
	assert_int_equal(records, 1);
	assert_true(bad);
	assert_int_equal(whole("\x17\x03\x03\x48\x00", 5, &records, &bad), 0);
	assert_false(bad);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_cut),
		cmocka_unit_test(test_bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
