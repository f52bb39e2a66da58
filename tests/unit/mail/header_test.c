/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/mail/mailtest.h"
#include "common/mail/header.h"

static void test_next(void **state)
{
	struct str rest = STR("A: b\nC :d\r\n e\n\tf\nnone\n g\n: x\nE:\r\n\r\nbody: x\n");
	static const struct {
		struct str name, value;
	} want[] = {
		{STR("A"), STR(" b")},	    {STR("C"), STR("d\r\n e\n\tf")},
		{STR(""), STR("none\n g")}, {STR(""), STR(" x")},
		{STR("E"), STR("")},
	};
	struct header_field f;

	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		assert_true(header_next(&rest, &f));
		assert_true(str_eq(f.name, want[i].name));
		assert_true(str_eq(f.value, want[i].value));
	}
	assert_false(header_next(&rest, &f));
	assert_true(str_eq(rest, STR("body: x\n")));
}

static void test_unfold_and_find(void **state)
{
	struct arena a = ARENA_INIT;
	struct str v;

	assert_true(str_eq(header_unfold(&a, STR(" a\r\n\tb\n  c\rd \r\n")), STR("a\tb  c\rd")));
	assert_true(str_eq(header_unfold(&a, STR(" ")), STR("")));
	assert_true(header_find(STR("X: 1\nsubject: 2\nSubject: 3\n"), STR("Subject"), &v));
	assert_true(str_eq(v, STR(" 2")));
	assert_false(header_find(STR("X: 1\n\nSubject: 3\n"), STR("Subject"), &v));
	arena_deinit(&a);
}

static void check_fields(struct str header, struct str name, bool invert, struct str expected)
{
	const struct str names[] = {STR("nothing"), name, STR("X-None")};
	struct buf out = BUF_INIT;

	header_fields_put(&out, header, names, 3, invert);
	assert_true(str_eq(buf_str(&out), expected));
	buf_deinit(&out);
}

static void test_fields_put(void **state)
{
	struct str h = STR("A: b\nC: d\r\n e\n\tf\nA : g\nnone\nlast: \0\n\nbody: x\n");

	check_fields(h, STR("a"), false, STR("A: b\r\nA : g\r\n\r\n"));
	check_fields(h, STR("C"), false, STR("C: d\r\n e\r\n\tf\r\n\r\n"));
	check_fields(h, STR("LAST"), false, STR("last: \x80\r\n\r\n"));
	check_fields(h, STR("body"), false, STR("\r\n"));
	check_fields(h, STR("c"), true, STR("A: b\r\nA : g\r\nnone\r\nlast: \x80\r\n\r\n"));
	check_fields(STR("A: cut"), STR("A"), false, STR("A: cut\r\n\r\n"));
	check_fields(STR(""), STR("A"), true, STR("\r\n"));
}

static void decoded(struct str value, const char *expected)
{
	struct buf out = BUF_INIT;

	header_decode_words(&out, value);
	assert_string_equal(buf_cstr(&out), expected);
	buf_deinit(&out);
}

static void test_words(void **state)
{
	/* RFC 2047 8 */
	decoded(STR("=?ISO-8859-1?Q?a?="), "a");
	decoded(STR("=?ISO-8859-1?Q?a?= b"), "a b");
	decoded(STR("=?ISO-8859-1?Q?a?=  =?ISO-8859-1?Q?b?="), "ab");
	decoded(STR("=?ISO-8859-1?Q?a?=\r\n  =?ISO-8859-1?q?b?="), "ab");
	decoded(STR("=?ISO-8859-1?Q?a_b?="), "a b");
	decoded(STR("=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?="), "a b");
	decoded(STR("(=?ISO-8859-1?Q?a?=)"), "(a)");
	decoded(STR("x =?utf-8*en?B?w6k=?= y"), "x \xc3\xa9 y");
	decoded(STR(" a\n b "), "a b");
	/* one character over two words */
	decoded(STR("=?utf-8?B?w?= =?utf-8?Q?=C3?= =?utf-8?Q?=A9?="), "\xc3\xa9");
	/* B59: no end, no such charset, bad bytes, bad text */
	decoded(STR("=?utf-8?Q?=C3?= x"), "\xef\xbf\xbd x");
	decoded(STR("=?utf-8?Q?abc"), "=?utf-8?Q?abc");
	decoded(STR("=?utf-8?Q?abc?"), "=?utf-8?Q?abc?");
	decoded(STR("=?utf-8?Z?abc?="), "=?utf-8?Z?abc?=");
	decoded(STR("=?no-such?Q?abc?= =?utf-8?q?d?="), "=?no-such?Q?abc?= d");
	decoded(STR("=?/../../x?Q?abc?="), "=?/../../x?Q?abc?=");
	decoded(STR("=?"
		    "?Q?abc?="),
		"=?"
		"?Q?abc?=");
	decoded(STR("=?=?=?"), "=?=?=?");
	decoded(STR("=?"), "=?");
	decoded(STR("=?utf-8?Q?"
		    "?="),
		"");
	decoded(STR("\xc3\xa9 \xe9"), "\xc3\xa9 \xef\xbf\xbd");
	decoded(STR(""), "");
}

/* Minutes if any of it were quadratic. */
static void test_hostile(void **state)
{
	static const char *const units[] = {
		"=?", "=?a?q?", "=?utf-8?q?a?= ", "=?utf-8?q?a", "=?koi8-r?q?a?= =?big5?q?b?= ",
		" ",  "\n ",
	};
	struct buf b = BUF_INIT, out = BUF_INIT;
	struct str names[2000], rest;
	struct header_field f;
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		buf_reset(&b);
		buf_reset(&out);
		while (b.n < 2000000)
			buf_puts(&b, units[i]);
		header_decode_words(&out, buf_str(&b));
	}
	buf_reset(&b);
	for (int i = 0; i < 1000000; i++)
		buf_printf(&b, "X%d: y\n", i % 5000);
	for (rest = buf_str(&b); header_next(&rest, &f);)
		n++;
	assert_int_equal(n, 1000000);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char name[16];

		snprintf(name, sizeof name, "x%zu", i);
		names[i] = (struct str){xstrdup(name), strlen(name)};
	}
	buf_reset(&out);
	header_fields_put(&out, buf_str(&b), names, ARRAY_LEN(names), false);
	assert_true(out.n > 400000 * 5);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		free((char *)(uintptr_t)names[i].p);
	buf_deinit(&b);
	buf_deinit(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_next),	   cmocka_unit_test(test_unfold_and_find),
		cmocka_unit_test(test_fields_put), cmocka_unit_test(test_words),
		cmocka_unit_test(test_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
