/* SPDX-License-Identifier: Apache-2.0 */
/* base64, utf8, crc32c, secret. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/base64.h"
#include "common/base/crc32c.h"
#include "common/base/ensure.h"
#include "common/base/secret.h"
#include "common/base/utf8.h"

static void test_base64(void **state)
{
	static const char *const pairs[][2] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"},
					       {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"},
					       {"\xff\xfe\xfd", "//79"}, {"\xfb\xef\xbe", "++++"}};
	static const char *const bad[] = {"Z", "Zg", "Zg=", "Zh==", "Zm9=", "Zm8=Zm8=", "Zg==Zg==", "====", "Z===",
					  "Zm 9", "Zm9v\n", "Zm9-", "Zm9_", "=m9v", "Zm=v", "Zm9v="};
	struct buf b = BUF_INIT;

	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		buf_reset(&b);
		base64_encode(&b, str_c(pairs[i][0]));
		assert_true(str_eq(buf_str(&b), str_c(pairs[i][1])));
		buf_reset(&b);
		assert_int_equal(base64_decode(&b, str_c(pairs[i][1])), 0);
		assert_true(str_eq(buf_str(&b), str_c(pairs[i][0])));
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		buf_reset(&b);
		buf_puts(&b, "kept");
		assert_int_equal(base64_decode(&b, str_c(bad[i])), -1);
		assert_true(str_eq(buf_str(&b), STR("kept")));
	}
	assert_int_equal(base64_decode(&b, str_mem("Zm\0v", 4)), -1);
	buf_deinit(&b);
}

static void test_utf8(void **state)
{
	static const char *const good[] = {"", "abc", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf",
					   "\xee\x80\x80", "\xef\xbf\xbf", "\xf0\x90\x80\x80",
					   "\xf4\x8f\xbf\xbf"};
	static const char *const bad[] = {"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc2", "\xc2\x61", "\xe0\x80\x80",
					  "\xe0\x9f\xbf", "\xed\xa0\x80", "\xed\xbf\xbf", "\xe2\x82",
					  "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff",
					  "\xfe", "\xf0\x90\x80"};
	struct buf b = BUF_INIT;
	uint32_t cp;

	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_true(utf8_valid(str_c(good[i])));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(utf8_valid(str_c(bad[i])));
	assert_true(utf8_valid(str_mem("\0", 1)));
	for (uint32_t c = 0; c <= 0x10ffff; c += c < 0x11000 ? 1 : 61) {
		size_t at = 0;

		if (c >= 0xd800 && c < 0xe000)
			continue;
		buf_reset(&b);
		utf8_put(&b, c);
		assert_true(utf8_next(buf_str(&b), &at, &cp));
		assert_int_equal(cp, c);
		assert_int_equal(at, b.n);
	}
	buf_deinit(&b);
}

static void test_crc32c(void **state)
{
	char zeros[32] = {0}, ones[32], mixed[100];
	uint32_t whole;

	memset(ones, 0xff, sizeof ones);
	assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283);
	assert_int_equal(crc32c(0, zeros, 32), 0x8a9136aa); /* RFC 3720 B.4 */
	assert_int_equal(crc32c(0, ones, 32), 0x62a8ab43);
	assert_int_equal(crc32c(0, "", 0), 0);
	for (size_t i = 0; i < sizeof mixed; i++)
		mixed[i] = (char)(i * 37);
	whole = crc32c(0, mixed, sizeof mixed);
	for (size_t i = 0; i <= sizeof mixed; i++)
		assert_int_equal(crc32c(crc32c(0, mixed, i), mixed + i, sizeof mixed - i), whole);
}

static void test_secret(void **state)
{
	struct secret s = {NULL, 0};

	secret_set(&s, STR("pass"));
	secret_set(&s, str_from(secret_str(&s), 1));
	assert_true(secret_equal(secret_str(&s), STR("ass")));
	assert_false(secret_equal(STR("abc"), STR("abd")));
	assert_false(secret_equal(STR("abc"), STR("ab")));
	assert_true(secret_equal(STR_NONE, STR("")));
	secret_wipe(&s);
	secret_wipe(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_base64),
		cmocka_unit_test(test_utf8),
		cmocka_unit_test(test_crc32c),
		cmocka_unit_test(test_secret),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
