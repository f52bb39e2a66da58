/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "common/imap/flags.h"
#include "tests/unit/imap/parse.h"

static enum imap_flags_result take(const char *text, size_t max, size_t len, const char *want)
{
	struct arena arena = ARENA_INIT;
	struct buf out = BUF_INIT;
	struct imap_parser p;
	struct imap_flag_list l;
	const struct imap_arg *a = parse_args(&p, text);
	enum imap_flags_result r = imap_flags_take(&a, &arena, max, len, &l);

	if (r == IMAP_FLAGS_OK) {
		bool first = imap_flags_put(&out, l.flags, true);
		for (size_t i = 0; i < l.nkeywords; i++)
			first = imap_keyword_put(&out, l.keywords[i], first);
		assert_string_equal(buf_cstr(&out), want);
	}
	buf_deinit(&out);
	arena_deinit(&arena);
	imap_parser_deinit(&p);
	return r;
}

static void lists(void **state)
{
	assert_int_equal(take("()", 9, 9, ""), IMAP_FLAGS_OK);
	assert_int_equal(take("(\\Seen)", 9, 9, "\\Seen"), IMAP_FLAGS_OK);
	assert_int_equal(take("\\seen $x \\DRAFT", 9, 9, "\\Draft \\Seen $x"), IMAP_FLAGS_OK);
	assert_int_equal(take("(a b A \\Flagged B c)", 9, 9, "\\Flagged a b c"), IMAP_FLAGS_OK);
	assert_int_equal(take("(\\Answered \\Flagged \\Deleted \\Seen \\Draft)", 0, 9,
			      "\\Draft \\Answered \\Flagged \\Deleted \\Seen"),
			 IMAP_FLAGS_OK);
}

static void refuses(void **state)
{
	static const char *const bad[] = {"",	  "(\\Recent)", "\\*",	 "(\\Foo)",
					  "(\\)", "(\"a\")",	"((a))", "(a%b)",
					  "(a*)", "(a]b)",	"(a\\b)"};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (take(bad[i], 9, 9, "") != IMAP_FLAGS_BAD)
			fail_msg("not BAD: %s", bad[i]);
	assert_int_equal(take("(abcdefghij)", 9, 9, ""), IMAP_FLAGS_LIMIT);
	assert_int_equal(take("(a b c)", 2, 9, ""), IMAP_FLAGS_LIMIT);
	assert_int_equal(take("(a)", 0, 9, ""), IMAP_FLAGS_LIMIT);
}

/* B43 */
static void ten_thousand(void **state)
{
	struct buf text = BUF_INIT;

	buf_puts(&text, "(");
	for (unsigned i = 0; i < 10000; i++)
		buf_printf(&text, "%sk%u", i ? " " : "", i);
	buf_puts(&text, ")");
	assert_int_equal(take(buf_cstr(&text), 256, 9, ""), IMAP_FLAGS_LIMIT);
	buf_deinit(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists),
		cmocka_unit_test(refuses),
		cmocka_unit_test(ten_thousand),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
