/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/ensure.h"
#include "frontend/authd/username.h"

static void test_valid(void **state)
{
	char long_name[257];

	memset(long_name, 'a', sizeof(long_name));
	assert_true(username_valid(STR("a")));
	assert_true(username_valid(STR("bob@example.com")));
	assert_true(username_valid(STR("j\xc3\xb6rg")));
	assert_true(username_valid(STR("%n../\"quoted\""))); /* only a path cares */
	assert_true(username_valid(str_mem(long_name, 255)));
	assert_false(username_valid(str_mem(long_name, 256)));
	assert_false(username_valid(STR("")));
	assert_false(username_valid(STR("a\r\nb")));
	assert_false(username_valid(str_mem("a\0b", 3)));
	assert_false(username_valid(STR("a\x7f")));
	assert_false(username_valid(STR("a\xc2\x9b")));
	assert_false(username_valid(STR("a\xff")));
	assert_false(username_valid(STR("\xed\xa0\x80")));
	assert_false(username_valid(STR("\xc0\xaf")));
}

static void test_expand(void **state)
{
	static const struct {
		const char *pattern, *user, *want; /* NULL: refused */
	} cases[] = {
		{"/mail/%u", "bob", "/mail/bob"},
		{"/mail/%d/%n", "bob@example.com", "/mail/example.com/bob"},
		{"/mail/%u/%%x", "bob", "/mail/bob/%x"},
		{"/mail/%n", "a@b@c", "/mail/a"},
		{"/mail/%d", "a@b@c", "/mail/b@c"},
		{"/mail/fixed", "bob", "/mail/fixed"},
		{"/mail/%u", "%d%n", "/mail/%d%n"},
		{"/mail/%u", "a..b", "/mail/a..b"},
		{"/mail/%u", "..", NULL},
		{"/mail/%u", ".", NULL},
		{"/mail/.%u", ".", NULL},
		{"/mail/%n.", ".@x", NULL},
		{"/mail/%u", "../bob", NULL},
		{"/mail/%u", "a/b", NULL},
		{"/mail/%u", "/etc", NULL},
		{"/mail/%n", "../x@d", NULL},
		{"/mail/%d", "x@../d", NULL},
		{"/mail/%d/%n", "bob", NULL},
		{"/mail/%n", "@d", NULL},
		{"/mail/%d", "x@", NULL},
		{"/mail/%x", "bob", NULL},
		{"/mail/%", "bob", NULL},
		{"mail/%u", "bob", NULL},
		{"/", "bob", NULL},
	};
	struct buf b = BUF_INIT;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		bool ok = username_expand(&b, cases[i].pattern, str_c(cases[i].user));

		assert_int_equal(ok, cases[i].want != NULL);
		assert_string_equal(buf_cstr(&b), cases[i].want ? cases[i].want : "");
	}
	buf_deinit(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_valid),
		cmocka_unit_test(test_expand),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
