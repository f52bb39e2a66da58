/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/mail/mailtest.h"
#include "common/base/utf8.h"
#include "common/mail/charset.h"

static bool known(struct str name)
{
	struct charset *c = charset_new(name);
	bool is = c != NULL;

	charset_free(&c);
	return is;
}

static void check(struct str name, struct str in, struct str expected)
{
	struct buf out = BUF_INIT;

	for (unsigned i = 0; i < 30; i++) {
		struct cuts cuts = {i < 8 ? i : 0, i < 8 ? 0 : i};
		struct charset *c = charset_new(name);
		struct str rest = in;

		assert_non_null(c);
		buf_reset(&out);
		while (rest.n) {
			size_t n = cut_next(&cuts, rest.n);

			charset_push(c, str_sub(rest, 0, n), &out);
			rest = str_from(rest, n);
		}
		charset_end(c, &out);
		charset_free(&c);
		assert_true(str_eq(buf_str(&out), expected));
	}
	buf_deinit(&out);
}

#define BAD "\xef\xbf\xbd"

static void test_conversions(void **state)
{
	check(STR("UTF-8"), STR("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"),
	      STR("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"));
	check(STR("utf-8"), STR("\x80x\xc3\xc3\xa9\xe2\x82y\xed\xa0\x80\xf8"),
	      STR(BAD "x" BAD "\xc3\xa9" BAD BAD "y" BAD BAD BAD BAD));
	check(STR("us-ascii"), STR("\xe2\x82"), STR(BAD BAD));
	check(STR("ISO-8859-1"), STR("a\xe9\x80"), STR("a\xc3\xa9\xc2\x80"));
	check(STR("windows-1252"), STR("\x80\x81\xe9"), STR("\xe2\x82\xac" BAD "\xc3\xa9"));
	check(STR("ISO-8859-2"), STR("\xb1"), STR("\xc4\x85"));
	check(STR("koi8-r"), STR("\xc1"), STR("\xd0\xb0"));
	check(STR("gb2312"), STR("\xc4\xe3"), STR("\xe4\xbd\xa0"));
	check(STR("iso-2022-jp"), STR("\x1b$B$\"\x1b(Ba"),
	      STR("\xe3\x81\x82"
		  "a"));
	check(STR("shift_jis"), STR("\x82\xa0z\xfdx"), STR("\xe3\x81\x82z" BAD "x"));
	check(STR("euc-kr"), STR("\xb0\xa1"), STR("\xea\xb0\x80"));
	check(STR("UTF-16BE"), STR("\0a\xd8"), STR("a" BAD));
	check(STR("utf-7"), STR("a+AOk-b"),
	      STR("a\xc3\xa9"
		  "b"));
}

static void test_names(void **state)
{
	static const char *const unknown[] = {
		"",	"no-such-charset", "../x",     "utf-8//translit", "a b", "wchar_t",
		"CHAR", "internal",	   "latin1\n", "utf-8,x",
	};

	for (size_t i = 0; i < ARRAY_LEN(unknown); i++)
		assert_false(known(str_c(unknown[i])));
	assert_false(known(STR("utf-8\0")));
	assert_true(known(STR("iso-8859-15")));
	assert_true(known(STR("UTF8")));
	assert_false(known(STR("0123456789012345678901234567890123456789"
					    "0123456789012345678901234")));
	assert_true(charset_preload() >= 10);
}

static void test_always_utf8(void **state)
{
	static const char *const names[] = {"utf-8",  "iso-2022-jp", "gb18030", "big5",
					    "utf-16", "utf-7",	     "euc-jp",	"windows-1251",
					    "hz",     "iso-2022-kr"};
	char junk[4096];
	unsigned seed = 5;

	for (size_t i = 0; i < ARRAY_LEN(names) * 20; i++) {
		struct charset *c = charset_new(str_c(names[i % ARRAY_LEN(names)]));
		struct buf out = BUF_INIT;

		if (c == NULL)
			continue;
		for (size_t k = 0; k < sizeof junk; k++)
			junk[k] = (char)((seed = seed * 1103515245u + 12345u) >> 16);
		for (size_t k = 0; k < sizeof junk; k += 64)
			charset_push(c, str_mem(junk + k, 64), &out);
		charset_end(c, &out);
		assert_true(utf8_valid(buf_str(&out)));
		charset_free(&c);
		buf_deinit(&out);
	}
}

static void folds(struct str in, struct str expected)
{
	struct buf out = BUF_INIT;

	charset_fold(&out, in);
	assert_true(str_eq(buf_str(&out), expected));
	buf_deinit(&out);
}

static void test_fold(void **state)
{
	folds(STR("Hello, WORLD [\\]^_`{|}~@AZ 0123456789 long enough"),
	      STR("hello, world [\\]^_`{|}~@az 0123456789 long enough"));
	folds(STR("\xc3\x89"), STR("e\xcc\x81")); /* E acute, both ways */
	folds(STR("E\xcc\x81"), STR("e\xcc\x81"));
	folds(STR("STRASSE"), STR("strasse"));
	folds(STR("Stra\xc3\x9f"
		  "e"),
	      STR("strasse"));
	folds(STR("\xef\xac\x81"), STR("fi"));
	folds(STR("\xe2\x84\xaa"), STR("k"));
	folds(STR("\xd0\x9f\xd0\xa0"), STR("\xd0\xbf\xd1\x80"));
	folds(STR("\xff"), STR(BAD));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_conversions),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_always_utf8),
		cmocka_unit_test(test_fold),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
