/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/base/vec.h"

static void expect(struct buf *b, const char *text)
{
	assert_true(str_eq(buf_str(b), str_c(text)));
}

static void test_edits(void **state)
{
	struct buf b = BUF_INIT, c = BUF_INIT;

	expect(&b, "");
	buf_put(&b, NULL, 0);
	buf_puts(&b, "hello");
	buf_insert(&b, 0, ">", 1);
	buf_insert(&b, 6, "<", 1);
	buf_insert(&b, 3, "--", 2);
	expect(&b, ">he--llo<");
	buf_consume(&b, 3);
	buf_cut(&b, 4);
	expect(&b, "--ll");
	buf_insert(&b, 1, "x", 1);
	expect(&b, "-x-ll");
	assert_string_equal(buf_cstr(&b), "-x-ll");
	assert_int_equal(b.n, 5);
	buf_puts(&c, "old");
	buf_move(&c, &b);
	expect(&b, "");
	expect(&c, "-x-ll");
	buf_consume(&c, 5);
	buf_trim(&c);
	assert_null(c.p);
	buf_u64(&c, 0);
	buf_u64(&c, UINT64_MAX);
	expect(&c, "018446744073709551615");
	buf_wipe(&c);
}

static void test_printf_grows(void **state)
{
	struct buf b = BUF_INIT;

	for (int width = 0; width < 400; width += 7) {
		buf_reset(&b);
		buf_puts(&b, "ab");
		buf_printf(&b, "%*d", width, 7);
		assert_int_equal(b.n, 2 + (width ? width : 1));
		assert_int_equal(buf_str(&b).p[b.n - 1], '7');
	}
	buf_deinit(&b);
}

/* A queue against a model: bytes come out as they went in, whatever the pattern. */
static void test_queue(void **state)
{
	struct buf b = BUF_INIT;
	unsigned char in = 0, out = 0;
	unsigned seed = 1;

	for (int i = 0; i < 20000; i++) {
		seed = seed * 1103515245 + 12345;
		for (unsigned k = seed >> 16 & 63; k; k--)
			buf_putc(&b, (char)in++);
		seed = seed * 1103515245 + 12345;
		size_t n = seed >> 16 & 63;
		if (n > b.n)
			n = b.n;
		for (size_t k = 0; k < n; k++)
			assert_int_equal((unsigned char)buf_str(&b).p[k], out++);
		buf_consume(&b, n);
	}
	assert_true(b.cap < 1 << 20);
	buf_deinit(&b);
}

static void test_arena(void **state)
{
	struct arena a = ARENA_INIT;

	for (int round = 0; round < 3; round++) {
		char *last = NULL;

		for (size_t n = 0; n < 500; n++) {
			char *p = arena_alloc(&a, n);

			assert_int_equal((uintptr_t)p % 16, 0);
			assert_ptr_not_equal(p, last);
			for (size_t k = 0; k < n; k++)
				assert_int_equal(p[k], 0);
			memset(p, 0xaa, n);
			last = p;
		}
		arena_reset(&a);
		assert_string_equal(arena_cstr(&a, STR("abc")), "abc");
		assert_string_equal(arena_printf(&a, "%d-%s", 5, "x"), "5-x");
	}
	memset(arena_alloc(&a, 10 << 20), 1, 10 << 20);
	arena_deinit(&a);
	assert_null(a.head);
}

static void test_vec(void **state)
{
	VEC(int) v = {0};

	for (int i = 0; i < 1000; i++)
		*vec_push(&v) = i;
	vec_remove(&v, 0);
	vec_remove(&v, 998);
	assert_int_equal(v.n, 998);
	assert_int_equal(v.a[0], 1);
	assert_int_equal(v.a[997], 998);
	vec_free(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_edits), cmocka_unit_test(test_printf_grows), cmocka_unit_test(test_queue),
		cmocka_unit_test(test_arena), cmocka_unit_test(test_vec),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
