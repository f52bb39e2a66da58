/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "common/imap/section.h"
#include "tests/unit/imap/parse.h"

static void good(void **state)
{
	static const char *const v[][2] = {
		{"flags", "FLAGS"},
		{"RFC822.SIZE", "RFC822.SIZE"},
		{"RFC822.HEADER", "RFC822.HEADER"},
		{"BODY", "BODY"},
		{"BODY[]", "BODY[]"},
		{"body.peek[]<0.10>", "BODY[]<0>"},
		{"BODY[]<4294967295.4294967295>", "BODY[]<4294967295>"},
		{"BODY[header]", "BODY[HEADER]"},
		{"BODY[TEXT]", "BODY[TEXT]"},
		{"BODY[1]", "BODY[1]"},
		{"BODY[1.2.3]", "BODY[1.2.3]"},
		{"BODY[4294967295]", "BODY[4294967295]"},
		{"BODY[1.mime]", "BODY[1.MIME]"},
		{"BODY[1.2.TEXT]<5.6>", "BODY[1.2.TEXT]<5>"},
		{"BODY[1.HEADER.FIELDS (From \"to\")]", "BODY[1.HEADER.FIELDS (From to)]"},
		{"BODY[HEADER.FIELDS.NOT ({1+}\r\nA \"b c\")]<0.9>",
		 "BODY[HEADER.FIELDS.NOT (A \"b c\")]<0>"},
	};

	for (size_t i = 0; i < ARRAY_LEN(v); i++) {
		struct imap_parser p;
		struct imap_section s;
		struct buf out = BUF_INIT;
		const struct imap_arg *a = parse_args(&p, v[i][0]);
		if (imap_section_take(&a, &s) != IMAP_SECTION_OK || a)
			fail_msg("refused: %s", v[i][0]);
		imap_section_put(&out, &s);
		assert_string_equal(buf_cstr(&out), v[i][1]);
		buf_deinit(&out);
		imap_parser_deinit(&p);
	}
}

static void bad(void **state)
{
	static const char *const v[] = {
		"BODY[",
		"BODY]",
		"BODY[]x",
		"[]",
		"BODY[]]",
		"BODY[0]",
		"BODY[01]",
		"BODY[4294967296]",
		"BODY[1.]",
		"BODY[.1]",
		"BODY[1..2]",
		"BODY[1.0]",
		"BODY[MIME]",
		"BODY[1.MIME.1]",
		"BODY[HEADER.1]",
		"BODY[FOO]",
		"BODY[TEXT.1]",
		"BODY[HEADER.FIELDS]",
		"BODY[HEADER.FIELDS ()]",
		"BODY[HEADER.FIELDS (a)",
		"BODY[HEADER.FIELDS (a) ]",
		"BODY[HEADER.FIELDS a]",
		"BODY[HEADER (a)]",
		"BODY[HEADER.FIELDS ((a))]",
		"BODY[HEADER.FIELDS",
		"BODY[HEADER.FIELDS (a)]x",
		"BODY[]<>",
		"BODY[]<0>",
		"BODY[]<0.0>",
		"BODY[]<.1>",
		"BODY[]<1.>",
		"BODY[]<0.4294967296>",
		"BODY[]<4294967296.1>",
		"BODY[]<0.18446744073709551616>",
		"BODY[]<-1.1>",
		"BODY[]<0.1",
		"BODY[]<0.1>x",
		"BODY[]<0.1.2>",
		"BODY[]<1>2.3>",
		"\"BODY\"",
		"(BODY)",
		"BODY[1TEXT]",
		"BODY[1.TEXT.MIME]",
	};

	for (size_t i = 0; i < ARRAY_LEN(v); i++) {
		struct imap_parser p;
		struct imap_section s;
		const struct imap_arg *first = parse_args(&p, v[i]), *a = first;
		if (imap_section_take(&a, &s) == IMAP_SECTION_OK && a == NULL)
			fail_msg("accepted: %s", v[i]);
		imap_parser_deinit(&p);
	}
}

static void depth(void **state)
{
	struct buf text = BUF_INIT;

	for (unsigned n = IMAP_SECTION_DEPTH; n <= IMAP_SECTION_DEPTH * 20;
	     n += IMAP_SECTION_DEPTH) {
		struct imap_parser p;
		struct imap_section s;
		const struct imap_arg *a;
		buf_reset(&text);
		buf_puts(&text, "BODY[1");
		for (unsigned i = 1; i < n; i++)
			buf_puts(&text, ".1");
		buf_puts(&text, "]");
		a = parse_args(&p, buf_cstr(&text));
		assert_int_equal(imap_section_take(&a, &s),
				 n == IMAP_SECTION_DEPTH ? IMAP_SECTION_OK : IMAP_SECTION_BAD);
		imap_parser_deinit(&p);
	}
	buf_deinit(&text);
}

static void in_a_list(void **state)
{
	struct imap_parser p;
	struct imap_section s;
	const struct imap_arg *list,
		*a = parse_args(&p, "(UID BODY.PEEK[2.HEADER.FIELDS (A B)]<3.4> FLAGS)");

	assert_true(imap_arg_list(&a, &list));
	assert_int_equal(imap_section_take(&list, &s), IMAP_SECTION_OK);
	assert_true(str_eq(s.item, STR("UID")) && !s.bracket);
	assert_int_equal(imap_section_take(&list, &s), IMAP_SECTION_OK);
	assert_true(str_eq(s.item, STR("BODY.PEEK")) && s.bracket && s.partial);
	assert_true(s.nparts == 1 && s.part[0] == 2 && s.text == IMAP_SECTION_FIELDS);
	assert_true(s.offset == 3 && s.length == 4 && str_eq(s.fields->next->s, STR("B")));
	assert_int_equal(imap_section_take(&list, &s), IMAP_SECTION_OK);
	assert_true(str_eq(s.item, STR("FLAGS")) && imap_arg_end(list));
	imap_parser_deinit(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good),
		cmocka_unit_test(bad),
		cmocka_unit_test(depth),
		cmocka_unit_test(in_a_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
