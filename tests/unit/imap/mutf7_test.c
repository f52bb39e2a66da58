/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "common/base/ensure.h"
#include "common/base/utf8.h"
#include "common/imap/mutf7.h"

static void pairs(void **state)
{
	static const char *const v[][2] = {
		{"", ""},
		{"INBOX.Sent", "INBOX.Sent"},
		{"&-", "&"},
		{"a&-b&-", "a&b&"},
		{"Entw&APw-rfe", "Entw\xc3\xbcrfe"},
		{"~peter/mail/&U,BTFw-/&ZeVnLIqe-",
		 "~peter/mail/\xe5\x8f\xb0\xe5\x8c\x97/\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e"},
		{"&2D3eAA-", "\xf0\x9f\x98\x80"},
		{"&AOk-&-", "\xc3\xa9&"},
		{"&-&AOk-", "&\xc3\xa9"},
		{"&AAE-", "\x01"},
		{"&AH8-", "\x7f"},
	};
	struct buf out = BUF_INIT;

	for (size_t i = 0; i < ARRAY_LEN(v); i++) {
		buf_reset(&out);
		assert_true(mutf7_decode(&out, str_c(v[i][0])));
		assert_string_equal(buf_cstr(&out), v[i][1]);
		buf_reset(&out);
		assert_true(mutf7_encode(&out, str_c(v[i][1])));
		assert_string_equal(buf_cstr(&out), v[i][0]);
	}
	buf_deinit(&out);
}

static void refuses(void **state)
{
	static const char *const bad[] = {
		"&",	    "&AAA",  "a&",     "&AGE-", /* encoded ASCII */
		"&2AA-",				/* lone high surrogate */
		"&3AA-",				/* lone low one */
		"&2D0A4Q-",				/* high, then no low */
		"&3gDYPQ-",				/* the wrong way round */
		"&AAA-",				/* NUL */
		"&AC8-",				/* encoded slash */
		"&ACY-",				/* encoded ampersand */
		"&AOl-",				/* pad bits that are not zero */
		"&AOkA-",				/* padding of a character too many */
		"&A-",	    "&AO-",  "&AOk=-", "&AO k-", "&A\xc3-",
		"\xc3\xa9", "a\x01", "\x7f",   "\n",	 "&AOk-&AOk-", /* one run would do */
		"&AOk/-",					       /* the alphabet of base64 */
	};
	struct buf out = BUF_INIT;

	buf_puts(&out, "kept");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (mutf7_decode(&out, str_c(bad[i])))
			fail_msg("accepted: %s", bad[i]);
	assert_false(mutf7_decode(&out, str_mem("a\0b", 3)));
	assert_false(mutf7_encode(&out, str_mem("a\0b", 3)));
	assert_false(mutf7_encode(&out, STR("a\xc3")));
	assert_false(mutf7_encode(&out, STR("\xed\xa0\x80")));
	assert_string_equal(buf_cstr(&out), "kept");
	buf_deinit(&out);
}

/* Every code point by itself and beside another goes there and back. */
static void every_code_point(void **state)
{
	struct buf utf8 = BUF_INIT, name = BUF_INIT, back = BUF_INIT;

	for (uint32_t cp = 1; cp <= 0x10ffff; cp += cp < 0x11000 ? 1 : 37) {
		if (cp >= 0xd800 && cp <= 0xdfff)
			continue;
		buf_reset(&utf8);
		buf_reset(&name);
		buf_reset(&back);
		utf8_put(&utf8, cp);
		buf_puts(&utf8, cp % 3 ? "\xc3\xa9" : "x");
		utf8_put(&utf8, cp);
		assert_true(mutf7_encode(&name, buf_str(&utf8)));
		assert_true(mutf7_decode(&back, buf_str(&name)));
		assert_true(str_eq(buf_str(&back), buf_str(&utf8)));
	}
	buf_deinit(&utf8);
	buf_deinit(&name);
	buf_deinit(&back);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pairs),
		cmocka_unit_test(refuses),
		cmocka_unit_test(every_code_point),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
