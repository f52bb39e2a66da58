/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/auth/saslprep.h"
#include "common/auth/scram_keys.h"
#include "common/base/base64.h"
#include "common/base/ensure.h"

/* By Dovecot 2.3.19: doveadm pw -p 'Täst 1' */
static const char sha1[] =
	"{SCRAM-SHA-1}4096,HC0qkN0JD7Em9Juba86Maw==,ZNTL6qq1R8rQXbWU1kZjgVgTL9g=,"
	"cV9XaVAdTAlJ6tscA8Q9uh82U80=";
static const char sha256[] =
	"{SCRAM-SHA-256}4096,8QkC1ovCJj344mu3ZyhiLQ==,+Rwsv6qdCGAOwGbknOqfV5ktq4fShqyIYSS8BpLZQKQ=,"
	"n/Yg5l0px0YNkyoqDijX39O0qUv8z+LAfErLywaPH2Q=";

static void test_derive(void **state)
{
	static const char *const both[] = {sha1, sha256};

	for (size_t i = 0; i < ARRAY_LEN(both); i++) {
		struct scram_keys k, again;
		struct buf b = BUF_INIT;

		assert_true(scram_keys_parse(&k, str_c(both[i])));
		assert_int_equal(k.iterations, 4096);
		assert_int_equal(k.salt_n, 16);
		again = k;
		memset(again.stored, 0, sizeof again.stored);
		memset(again.server, 0, sizeof again.server);
		scram_keys_derive(&again, STR("T\xc3\xa4st 1"));
		scram_keys_print(&b, &again);
		assert_true(str_eq(buf_str(&b), str_c(both[i])));
		assert_true(scram_keys_match(&k, STR("T\xc3\xa4st 1")));
		assert_true(scram_keys_match(&k, STR("Ta\xcc\x88st\xc2\xa0"
						     "1"))); /* prepared: the same */
		assert_false(scram_keys_match(&k, STR("Tast 1")));
		buf_deinit(&b);
	}
}

static void test_make(void **state)
{
	struct scram_keys a, b;

	scram_keys_make(&a, SCRAM_SHA_256, 1000, STR("secret"));
	scram_keys_make(&b, SCRAM_SHA_256, 1000, STR("secret"));
	assert_memory_not_equal(a.salt, b.salt, SCRAM_SALT_LEN);
	assert_true(scram_keys_match(&a, STR("secret")) && scram_keys_match(&b, STR("secret")));
}

static void test_forms(void **state)
{
	struct scram_keys a, b;
	enum scram_hash h;

	assert_true(scram_keys_parse(&a, str_c(sha256)));
	assert_true(scram_keys_parse(
		&b,
		STR("SCRAM-SHA-256$4096:8QkC1ovCJj344mu3ZyhiLQ==$+Rwsv6qdCGAOwGbknOqfV5ktq4fShqyIYSS8BpLZQKQ=:"
		    "n/Yg5l0px0YNkyoqDijX39O0qUv8z+LAfErLywaPH2Q=")));
	assert_memory_equal(a.salt, b.salt, a.salt_n);
	assert_memory_equal(a.stored, b.stored, 32);
	assert_memory_equal(a.server, b.server, 32);
	assert_true(scram_keys_is(STR("{scram-sha-1}x"), &h) && h == SCRAM_SHA_1);
	assert_false(scram_keys_is(STR("{SCRAM-SHA-512}x"), &h));
	assert_false(scram_keys_is(STR("{SCRAM-SHA-1"), &h));
	assert_false(scram_keys_is(STR("SCRAM-SHA-1}"), &h));
}

static void test_broken_forms(void **state)
{
	static const char *const bad[] = {
		"",
		"{SCRAM-SHA-1}",
		"{SCRAM-SHA-1}4096",
		"{SCRAM-SHA-1}4096,QQ==,QQ==,QQ==",
		"{SCRAM-SHA-1}0,HC0qkN0JD7Em9Juba86Maw==,ZNTL6qq1R8rQXbWU1kZjgVgTL9g=,cV9XaVAdTAlJ6tscA8Q9uh82U80=",
		"{SCRAM-SHA-1}1000000000,HC0qkN0JD7Em9Juba86Maw==,ZNTL6qq1R8rQXbWU1kZjgVgTL9g=,cV9XaVAdTAlJ6tscA8Q9uh82U80=",
		"{SCRAM-SHA-1}4096,,ZNTL6qq1R8rQXbWU1kZjgVgTL9g=,cV9XaVAdTAlJ6tscA8Q9uh82U80=",
		"{SCRAM-SHA-1}4096,HC0qkN0JD7Em9Juba86Maw==,ZNTL6qq1R8rQXbWU1kZjgVgTL9g=,cV9XaVAdTAlJ6tscA8Q9uh82U80=,",
		"{SCRAM-SHA-1}4096:HC0qkN0JD7Em9Juba86Maw==$ZNTL6qq1R8rQXbWU1kZjgVgTL9g=:cV9XaVAdTAlJ6tscA8Q9uh82U80=",
	};
	struct scram_keys k;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(scram_keys_parse(&k, str_c(bad[i])));
	for (size_t n = 0; n < sizeof sha1 - 1; n++)
		assert_false(scram_keys_parse(&k, str_mem(sha1, n)));
}

/* RFC 4013 3, and what else the RFC's tables say. */
static void test_saslprep(void **state)
{
	static const struct {
		const char *in, *out; /* NULL: refused */
	} cases[] = {
		{"", ""},
		{"I\xc2\xadX", "IX"},
		{"user", "user"},
		{"USER", "USER"},
		{"\xc2\xaa", "a"},
		{"\xe2\x85\xa8", "IX"},
		{"\x07", NULL},
		{"\xd8\xa7\x31", NULL}, /* right to left, and a digit at the end */
		{"\xd8\xa7\x31\xd8\xa8", "\xd8\xa7\x31\xd8\xa8"},
		{"\xd8\xa7"
		 "a\xd8\xa8",
		 NULL}, /* both directions */
		{"a\xc2\xa0"
		 "b\xe3\x80\x80"
		 "c",
		 "a b c"},
		{"a\xe2\x80\x8d"
		 "b",
		 "ab"},
		{"\xee\x80\x80", NULL},	    /* private use */
		{"\xef\xbf\xbd", NULL},	    /* replacement character */
		{"\xf0\x9f\xbf\xbe", NULL}, /* U+1FFFE */
		{"\xf3\xa0\x80\xa0", NULL}, /* tag */
		{"\xc3\xa4\x7f", NULL},
		{"a\xcc\x88", "\xc3\xa4"},
		{"\xff", NULL},
		{"\xc3", NULL},
	};
	struct buf b = BUF_INIT;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		buf_reset(&b);
		assert_int_equal(saslprep(&b, str_c(cases[i].in)), cases[i].out != NULL);
		assert_true(str_eq(buf_str(&b), str_c(cases[i].out)));
	}
	assert_false(saslprep(&b, str_mem("\xc3\xa4\0", 3)));
	buf_deinit(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_derive),	 cmocka_unit_test(test_make),
		cmocka_unit_test(test_forms),	 cmocka_unit_test(test_broken_forms),
		cmocka_unit_test(test_saslprep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
