/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ctl/foldername.c"

static void names(void **state)
{
	static const char *const bad[] = {"",	 ".",	 "a.",	 ".a",	 "a..b",
					  "a/b", "a\tb", "\x7f", "\xff", "\xc2\x85"};
	char longest[300];

	assert_true(foldername_ok(STR("a b.R\xc3\xa9sum\xc3\xa9")));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(foldername_ok(str_c(bad[i])));
	assert_false(foldername_ok(str_mem("a\0b", 3)));
	memset(longest, 'x', sizeof longest);
	assert_true(foldername_ok(str_mem(longest, 249)));
	assert_false(foldername_ok(str_mem(longest, 250)));
}

static void directories(void **state)
{
	static const char *const bad[] = {"",	       "Work",	"INBOX.", "INBOX..",
					  "INBOX.a/b", "inbox", "INBOXa"};
	struct buf out = BUF_INIT;

	assert_true(foldername_dir(STR("INBOX"), &out));
	assert_string_equal(buf_cstr(&out), ".");
	assert_true(foldername_dir(STR("INBOX.a.b"), &out));
	assert_string_equal(buf_cstr(&out), ".a.b");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(foldername_dir(str_c(bad[i]), &out));
	buf_deinit(&out);
}

static void forms(void **state)
{
	static const struct {
		const char *dir, *other;
		enum foldername_form form;
	} v[] = {
		{".Sent", "", FOLDERNAME_PLAIN},
		{".R&AOk-", ".R\xc3\xa9", FOLDERNAME_MUTF7},
		{".a.R&AOk-.b", ".a.R\xc3\xa9.b", FOLDERNAME_MUTF7},
		{".R\xc3\xa9", ".R&AOk-", FOLDERNAME_UTF8},
		{".R&D", ".R&-D", FOLDERNAME_UTF8},
		{".R&-D", ".R&D", FOLDERNAME_MUTF7},
		{".R&AC4-x", ".R&-AC4-x", FOLDERNAME_UTF8}, /* no coded dot */
		{".&AC8-x", ".&-AC8-x", FOLDERNAME_UTF8},   /* nor slash */
		{".\xff", "", FOLDERNAME_NEITHER},
		{".a..b", "", FOLDERNAME_NEITHER},
		{"a", "", FOLDERNAME_NEITHER},
		{".", "", FOLDERNAME_NEITHER},
	};
	struct buf other = BUF_INIT;

	for (size_t i = 0; i < ARRAY_LEN(v); i++) {
		assert_int_equal(foldername_form(str_c(v[i].dir), &other), v[i].form);
		assert_string_equal(buf_cstr(&other), v[i].other);
	}
	buf_deinit(&other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(directories),
		cmocka_unit_test(forms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
