/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/ensure.h"
#include "common/io/redis_wire.h"

enum { MAX = 65536 };

static void arguments_keep_their_bytes(void **state)
{
	struct buf b = BUF_INIT;

	redis_format(&b,
		     (struct str[]){STR("GET"), STR("a\r\n*1\r\n$8\r\nFLUSHALL\r\n"), STR("%s \0x"),
				    STR_NONE},
		     4);
	assert_true(str_eq(buf_str(&b),
			   STR("*4\r\n$3\r\nGET\r\n$21\r\na\r\n*1\r\n$8\r\nFLUSHALL\r\n\r\n"
			       "$5\r\n%s \0x\r\n$0\r\n\r\n")));
	buf_deinit(&b);
}

static const char all_kinds[] =
	"+OK\r\n-ERR no\r\n:-42\r\n$-1\r\n$0\r\n\r\n*-1\r\n*0\r\n*3\r\n$4\r\na\r\nb\r\n*2\r\n:1\r\n$-1\r\n+x\r\n";

static void check_all_kinds(struct redis_reader *r, unsigned at, const struct redis_value *v)
{
	static const enum redis_kind kinds[] = {REDIS_TEXT, REDIS_FAULT, REDIS_NUMBER, REDIS_NIL,
						REDIS_TEXT, REDIS_NIL,	 REDIS_LIST,   REDIS_LIST};

	assert_int_equal(v->kind, kinds[at]);
	if (at == 1)
		assert_true(str_eq(v->text, STR("ERR no")));
	if (at == 2)
		assert_int_equal(v->number, -42);
	if (at == 6)
		assert_int_equal(v->n, 0);
	if (at == 7) {
		assert_int_equal(v->n, 3);
		assert_true(str_eq(v->list[0]->text, STR("a\r\nb")));
		assert_int_equal(v->list[1]->n, 2);
		assert_int_equal(v->list[1]->list[1]->kind, REDIS_NIL);
		assert_true(str_eq(v->list[2]->text, STR("x")));
	}
}

static void in_pieces(void **state)
{
	struct str all = STR(all_kinds);

	for (size_t piece = 1; piece <= all.n; piece++) {
		struct redis_reader *r = redis_reader_new(MAX);
		const struct redis_value *v;
		struct err e;
		unsigned seen = 0;

		for (size_t i = 0; i < all.n; i += piece) {
			assert_int_equal(redis_reader_feed(r, str_sub(all, i, piece), &e), 0);
			while (redis_reader_next(r, &v, &e) == 1)
				check_all_kinds(r, seen++, v);
		}
		assert_int_equal(seen, 8);
		redis_reader_free(&r);
	}
}

/* Feeds text; whether the reader gives up before `answers` answers. */
static bool gives_up(const char *text, size_t n, size_t max)
{
	struct redis_reader *r = redis_reader_new(max);
	const struct redis_value *v;
	struct err e = {.text = ""};
	int rc = redis_reader_feed(r, str_mem(text, n), &e);

	while (rc == 0 || rc == 1) {
		rc = redis_reader_next(r, &v, &e);
		if (rc == 0)
			break;
	}
	redis_reader_free(&r);
	assert_true(rc == 0 || e.text[0]);
	return rc < 0;
}

static void what_is_no_redis(void **state)
{
	static const char *const bad[] = {
		"HTTP/1.1 400 Bad Request\r\n\r\n",
		"\x16\x03\x01",
		"*2147483647\r\n",
		"*1000000\r\n",
		"*9999999999999999999\r\n",
		"$99999999999999999999\r\n",
		"$-2\r\n",
		"*-2\r\n",
		":x\r\n",
		"\r\n",
		"*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n",
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (!gives_up(bad[i], strlen(bad[i]), MAX))
			fail_msg("taken: %s", bad[i]);
}

static void size_has_a_limit(void **state)
{
	struct buf b = BUF_INIT;

	buf_printf(&b, "$%d\r\n", MAX);
	for (int i = 0; i < MAX; i++)
		buf_putc(&b, 'x');
	buf_puts(&b, "\r\n");
	assert_true(gives_up(buf_str(&b).p, b.n, MAX));
	assert_false(gives_up(buf_str(&b).p, b.n, 2 * MAX));
	buf_reset(&b);
	/* many small parts cost more than their bytes */
	buf_puts(&b, "*1000\r\n");
	for (int i = 0; i < 1000; i++)
		buf_puts(&b, "*0\r\n");
	assert_true(b.n < 8192 && gives_up(buf_str(&b).p, b.n, 8192));
	assert_false(gives_up(buf_str(&b).p, b.n, MAX * 4));
	/* the limit is for one answer, not for all */
	buf_reset(&b);
	for (int i = 0; i < 1000; i++)
		buf_puts(&b, "+OK\r\n");
	assert_false(gives_up(buf_str(&b).p, b.n, 8192));
	buf_deinit(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arguments_keep_their_bytes),
		cmocka_unit_test(in_pieces),
		cmocka_unit_test(what_is_no_redis),
		cmocka_unit_test(size_has_a_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
