/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/mail/mailtest.h"
#include "common/mail/addr.h"

static const struct mime_limits limits = MIME_LIMITS_DEFAULT;

static void check(struct str header, const char *expected)
{
	struct buf out = BUF_INIT;

	mime_put_envelope(&out, header, &limits);
	assert_string_equal(buf_cstr(&out), expected);
	buf_deinit(&out);
}

static void check_to(struct str value, const char *expected)
{
	struct buf header = BUF_INIT, envelope = BUF_INIT;

	buf_puts(&header, "To: ");
	buf_str_put(&header, value);
	buf_puts(&header, "\n\n");
	buf_printf(&envelope, "(NIL NIL NIL NIL NIL %s NIL NIL NIL NIL)", expected);
	check(buf_str(&header), buf_cstr(&envelope));
	buf_deinit(&header);
	buf_deinit(&envelope);
}

#define A(name, route, mailbox, host) "(" name " " route " \"" mailbox "\" \"" host "\")"
#define P(mailbox, host)	      A("NIL", "NIL", mailbox, host)
#define G(name)			      "(NIL NIL \"" name "\" NIL)"
#define E			      "(NIL NIL NIL NIL)"

static void test_addresses(void **state)
{
	static const struct {
		struct str value;
		const char *list;
	} v[] = {
		{STR("a@b"), "(" P("a", "b") ")"},
		{STR("\"q r\" <x@y>"), "(" A("\"q r\"", "NIL", "x", "y") ")"},
		{STR("q. r <x@y>"), "(" A("\"q. r\"", "NIL", "x", "y") ")"},
		{STR("x@y (com)"), "(" A("\"com\"", "NIL", "x", "y") ")"},
		{STR("(c) x@y"), "(" A("\"c\"", "NIL", "x", "y") ")"},
		{STR("n <a@b> (m)"), "(" A("\"n\"", "NIL", "a", "b") ")"},
		{STR("a@b (x (y) z)"), "(" A("\"x (y) z\"", "NIL", "a", "b") ")"},
		{STR("<@r,@s:x@y>"), "(" A("NIL", "\"@r,@s\"", "x", "y") ")"},
		{STR("\"a b\"@c"), "(" P("a b", "c") ")"},
		{STR("a . b @ c . d"), "(" P("a.b", "c.d") ")"},
		{STR("\"a\".\"b\"@c"), "(" P("a.b", "c") ")"},
		{STR("x@[1.2.3.4]"), "(" P("x", "[1.2.3.4]") ")"},
		{STR("=?utf-8?q?a_b?= <a@b>"), "(" A("\"=?utf-8?q?a_b?=\"", "NIL", "a", "b") ")"},
		{STR("\"x\\\"y\\\\\" <a@b>"), "(" A("\"x\\\"y\\\\\"", "NIL", "a", "b") ")"},
		{STR("\xc3\xa9 <a@b>"), "(" A("{2}\r\n\xc3\xa9", "NIL", "a", "b") ")"},
		{STR("\"x\n y\" <a@b>"), "(" A("\"x y\"", "NIL", "a", "b") ")"},
		/* groups */
		{STR("g:;"), "(" G("g") E ")"},
		{STR("g h: n <a@b>, c@d; e@f"),
		 "(" G("g h") A("\"n\"", "NIL", "a", "b") P("c", "d") E P("e", "f") ")"},
		{STR("g: a@b"), "(" G("g") P("a", "b") E ")"},
		{STR(":;"), "(" G("") E ")"}, /* CVE-2019-19722 */
		{STR("g: h: a@b; c@d;;"), "(" G("g") E G("h") P("a", "b") E P("c", "d") ")"},
		/* broken */
		{STR("a"), "(" P("a", "MISSING_DOMAIN") ")"},
		{STR("<>"), "(" P("MISSING_MAILBOX", "MISSING_DOMAIN") ")"},
		{STR("@y"), "(" P("MISSING_MAILBOX", "y") ")"},
		{STR("\"\"@b"), "(" P("", "b") ")"},
		{STR("n <x@y"), "(" A("\"n\"", "NIL", "x", "y") ")"},
		{STR("n <a, b@c>"), "(" A("\"n\"", "NIL", "a", "MISSING_DOMAIN") P("b", "c") ")"},
		{STR("a@b.c <a@b.c>"), "(" A("\"a@b.c\"", "NIL", "a", "b.c") ")"},
		{STR("<a@b> noise, c@d"), "(" P("a", "b") P("c", "d") ")"},
		{STR("a@b c@d"), "(" P("a", "b") P("c", "d") ")"},
		{STR(",,a@b,,"), "(" P("a", "b") ")"},
		{STR(","), "NIL"},
		{STR(""), "NIL"},
		{STR("]"), "NIL"},
		/* B58: nothing behind a backslash, no end */
		{STR("\"a\\"), "(" P("a", "MISSING_DOMAIN") ")"},
		{STR("(abc\\"), "NIL"},
		{STR("x@[1\\"), "(" P("x", "[1\\\\") ")"},
		{STR("\"a\0b\"@c"), "((NIL NIL {3}\r\na\x80"
				    "b \"c\"))"},
	};

	for (size_t i = 0; i < ARRAY_LEN(v); i++)
		check_to(v[i].value, v[i].list);
}

/* Value at the very end of an allocation, so that ASan sees a read past it. */
static void test_every_prefix(void **state)
{
	static const char text[] = "g: \"a\\\\\" (c\\)(d)) <@r,@s:x.y@[z\\]>, k@l (m\\";

	for (size_t n = 0; n < sizeof text; n++) {
		char *p = xmalloc(n);
		struct arena a = ARENA_INIT;
		struct addr_list list;

		memcpy(p, text, n);
		ADDR_LIST_INIT(&list, 100);
		addr_parse(&a, &list, str_mem(p, n));
		arena_deinit(&a);
		free(p);
	}
}

static void test_fields(void **state)
{
	check(STR("Subject: a\nsubject: b\nDate: x\nTo: a@b\nTo: c@d\nFrom: \nFrom: z@z\n"
		  "Message-ID: <1>\nIn-Reply-To:  <2>\n\t<3>\n\nSubject: body\n"),
	      "(\"x\" \"a\" (" P("z", "z") ") (" P("z", "z") ") (" P("z", "z") ") (" P("a", "b")
		      P("c", "d") ") NIL NIL \"<2>\t<3>\" \"<1>\")");
	check(STR("Sender: s@s\r\nFrom: f@f\r\nReply-To: r@r\r\nCc: c@c\r\nBcc: g:;\r\n"),
	      "(NIL NIL (" P("f", "f") ") (" P("s", "s") ") (" P("r", "r") ") NIL (" P(
		      "c", "c") ") (" G("g") E ") NIL NIL)");
	check(STR("Subject:\n\n"), "(NIL \"\" NIL NIL NIL NIL NIL NIL NIL NIL)");
	check(STR(""), "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)");
	check(STR("Subject: \xe9\0\r\n"), "(NIL {2}\r\n\xe9\x80 NIL NIL NIL NIL NIL NIL NIL NIL)");
}

/* B55: each of these takes minutes where one address costs a walk over those before it. */
static void test_hostile(void **state)
{
	struct buf h = BUF_INIT, out = BUF_INIT;
	struct mime_limits many = limits;
	uint64_t commas = 0;

	many.addresses = 1000000;
	for (int i = 0; i < 500000; i++)
		buf_puts(&h, "To: a@b\n");
	mime_put_envelope(&out, buf_str(&h), &many);
	assert_true(out.n > 500000 * 17);
	buf_reset(&out);
	mime_put_envelope(&out, buf_str(&h), &limits);
	for (size_t i = 0; i < out.n; i++)
		commas += buf_str(&out).p[i] == '"';
	assert_int_equal(commas, 4 * limits.addresses);

	buf_reset(&h);
	buf_puts(&h, "To: ");
	while (h.n < 10000000)
		buf_puts(&h, "a b <c@d>, ");
	mime_put_envelope(&out, buf_str(&h), &many);

	static const char *const units[] = {"(", "\"", "\\", "<", "a:", "<@",
					    "@", "a ", "()", "[", ","};
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		buf_reset(&h);
		buf_reset(&out);
		buf_puts(&h, "To: ");
		while (h.n < 2000000)
			buf_puts(&h, units[i]);
		mime_put_envelope(&out, buf_str(&h), &many);
	}
	buf_deinit(&h);
	buf_deinit(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_every_prefix),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
