/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "common/imap/args.h"
#include "tests/unit/imap/parse.h"

static void strings(void **state)
{
	struct imap_parser p;
	const struct imap_arg *a = parse_args(&p, "atom \"q\" {1+}\r\nl NIL \"NIL\" (x)");
	struct str s;

	assert_false(imap_arg_string(&a, &s));
	assert_true(imap_arg_astring(&a, &s) && str_eq(s, STR("atom")));
	assert_false(imap_arg_atom(&a, &s));
	assert_true(imap_arg_astring(&a, &s) && str_eq(s, STR("q")));
	assert_true(imap_arg_string(&a, &s) && str_eq(s, STR("l")));
	assert_true(imap_arg_nstring(&a, &s) && s.p == NULL);
	assert_true(imap_arg_nstring(&a, &s) && str_eq(s, STR("NIL")));
	assert_false(imap_arg_astring(&a, &s));
	assert_false(imap_arg_nstring(&a, &s));
	assert_false(imap_arg_end(a));
	imap_parser_deinit(&p);
}

static void at_the_end(void **state)
{
	const struct imap_arg *a = NULL, *list;
	struct str s;
	uint64_t n64;

	assert_true(imap_arg_end(a));
	assert_false(imap_arg_word(&a, "X") || imap_arg_atom(&a, &s) ||
		     imap_arg_astring(&a, &s) || imap_arg_nstring(&a, &s) ||
		     imap_arg_string(&a, &s) || imap_arg_mailbox(&a, &s) ||
		     imap_arg_pattern(&a, &s) ||
		     imap_arg_number64(&a, &n64) || imap_arg_list(&a, &list));
}

static void numbers(void **state)
{
	struct imap_parser p;
	const struct imap_arg *a = parse_args(
		&p, "0 4294967296 9223372036854775807 9223372036854775808 \"1\" -1");
	uint64_t n64;

	assert_true(imap_arg_number64(&a, &n64) && n64 == 0);
	assert_true(imap_arg_number64(&a, &n64) && n64 == 4294967296U);
	assert_true(imap_arg_number64(&a, &n64) && n64 == INT64_MAX);
	for (int left = 3; left > 0; left--, a = a->next)
		assert_false(imap_arg_number64(&a, &n64));
	assert_null(a);
	imap_parser_deinit(&p);
}

static void mailboxes(void **state)
{
	static const char *const v[][2] = {{"inbox", "INBOX"},	       {"InBoX.a", "INBOX.a"},
					   {"inboxer", "inboxer"},     {"\"inbox\"", "INBOX"},
					   {"{5+}\r\ninbox", "INBOX"}, {"a.inbox", "a.inbox"}};
	char longest[IMAP_MAILBOX_MAX + 2] = {0};
	const struct imap_arg *a;
	struct imap_parser p;
	struct str s;

	for (size_t i = 0; i < ARRAY_LEN(v); i++) {
		a = parse_args(&p, v[i][0]);
		assert_true(imap_arg_mailbox(&a, &s) && str_eq(s, str_c(v[i][1])));
		imap_parser_deinit(&p);
	}
	memset(longest, 'a', IMAP_MAILBOX_MAX);
	a = parse_args(&p, longest);
	assert_true(imap_arg_mailbox(&a, &s));
	imap_parser_deinit(&p);
	memset(longest, 'a', IMAP_MAILBOX_MAX + 1);
	a = parse_args(&p, longest);
	assert_false(imap_arg_mailbox(&a, &s));
	imap_parser_deinit(&p);
}

static void words_and_lists(void **state)
{
	struct imap_parser p;
	const struct imap_arg *list, *a = parse_args(&p, "Charset \"CHARSET\" () (x)");

	assert_false(imap_arg_word(&a, "CHAR"));
	assert_true(imap_arg_word(&a, "CHARSET"));
	assert_false(imap_arg_word(&a, "CHARSET"));
	a = a->next;
	assert_true(imap_arg_list(&a, &list) && list == NULL);
	assert_true(imap_arg_list(&a, &list) && imap_arg_word(&list, "X"));
	assert_true(imap_arg_end(a));
	imap_parser_deinit(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(strings),	   cmocka_unit_test(at_the_end),
		cmocka_unit_test(numbers),	   cmocka_unit_test(mailboxes),
		cmocka_unit_test(words_and_lists),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
