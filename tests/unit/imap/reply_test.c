/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "common/base/ensure.h"
#include "common/imap/reply.h"

typedef void put_fn(struct buf *out, struct str s);

static void check(put_fn *put, struct str s, const char *want)
{
	struct buf out = BUF_INIT;

	put(&out, s);
	assert_int_equal(out.n, strlen(want));
	assert_memory_equal(buf_cstr(&out), want, out.n);
	buf_deinit(&out);
}

static void strings(void **state)
{
	check(imap_put_string, STR(""), "\"\"");
	check(imap_put_string, STR("a b"), "\"a b\"");
	check(imap_put_string, STR("\"a\\\\b\""), "\"\\\"a\\\\\\\\b\\\"\"");
	check(imap_put_string, STR("a\r\nb"), "{4}\r\na\r\nb");
	check(imap_put_string, STR("\xc3\xbc"), "{2}\r\n\xc3\xbc");
	check(imap_put_string, STR("\x7f"), "{1}\r\n\x7f");
	check(imap_put_astring, STR("abc]"), "abc]");
	check(imap_put_astring, STR("nil"), "\"nil\"");
	check(imap_put_astring, STR(""), "\"\"");
	check(imap_put_astring, STR("a%"), "\"a%\"");
	check(imap_put_astring, STR("a\n* BYE"), "{7}\r\na\n* BYE");
	check(imap_put_mailbox, STR("INBOX"), "\"INBOX\"");
}

static void nul_is_counted(void **state)
{
	struct buf out = BUF_INIT;

	imap_put_string(&out, str_mem("a\0b", 3));
	assert_true(str_eq(buf_str(&out), str_mem("{3}\r\na\0b", 8)));
	buf_deinit(&out);
}

static void long_ones_are_literals(void **state)
{
	char text[IMAP_QUOTED_MAX + 1];
	struct buf out = BUF_INIT;

	memset(text, 'a', sizeof text);
	imap_put_string(&out, str_mem(text, IMAP_QUOTED_MAX));
	assert_int_equal(out.n, IMAP_QUOTED_MAX + 2);
	buf_reset(&out);
	imap_put_string(&out, str_mem(text, IMAP_QUOTED_MAX + 1));
	assert_int_equal(out.p[0], '{');
	buf_deinit(&out);
}

/* B53: text from a peer stays inside of its line. */
static void nothing_is_injected(void **state)
{
	struct buf out = BUF_INIT;
	char text[2000];

	imap_put_tagged(&out, STR("a1"), "NO %s", "x\r\n* BYE\x7f\xff");
	assert_string_equal(buf_cstr(&out), "a1 NO x??* BYE??\r\n");
	buf_reset(&out);
	imap_put_tagged(&out, STR_NONE, "BAD %d", 1);
	assert_string_equal(buf_cstr(&out), "* BAD 1\r\n");
	buf_reset(&out);
	memset(text, 'a', sizeof text);
	text[sizeof text - 1] = 0;
	imap_put_tagged(&out, STR("a"), "NO %s", text);
	assert_int_equal(out.n, 2 + IMAP_CODE_TEXT_MAX + 2);
	buf_reset(&out);
	imap_put_text(&out, str_c(text));
	assert_int_equal(out.n, IMAP_CODE_TEXT_MAX);
	buf_reset(&out);
	imap_put_untagged(&out, "%u EXISTS", 3U);
	imap_put_continue(&out, "OK");
	imap_put_literal_head(&out, 5, true);
	assert_string_equal(buf_cstr(&out), "* 3 EXISTS\r\n+ OK\r\n~{5}\r\n");
	buf_deinit(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(strings),
		cmocka_unit_test(nul_is_counted),
		cmocka_unit_test(long_ones_are_literals),
		cmocka_unit_test(nothing_is_injected),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
