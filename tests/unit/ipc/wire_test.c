/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/ipc/wire.h"

static void put_all(struct buf *b)
{
	wire_u8(b, 0xfe);
	wire_u16(b, 0xfedc);
	wire_u32(b, 0xfedcba98);
	wire_u64(b, 0xfedcba9876543210);
	wire_i64(b, INT64_MIN);
	wire_str(b, STR("hello"));
	wire_str(b, STR_NONE);
	wire_u8(b, 1);
}

static bool get_all(struct wire *w)
{
	bool same = wire_get_u8(w) == 0xfe && wire_get_u16(w) == 0xfedc && wire_get_u32(w) == 0xfedcba98 &&
		    wire_get_u64(w) == 0xfedcba9876543210 && wire_get_i64(w) == INT64_MIN &&
		    str_eq(wire_get_str(w, 5), STR("hello")) && wire_get_str(w, 0).n == 0 && wire_get_bool(w);

	return same && !w->bad;
}

static void test_all(void **state)
{
	struct buf b = BUF_INIT;
	struct wire w;

	put_all(&b);
	w = wire_reader(buf_str(&b));
	assert_true(get_all(&w) && wire_end(&w));
	assert_memory_equal(buf_str(&b).p, "\xfe\xdc\xfe\x98\xba\xdc\xfe\x10\x32\x54\x76\x98\xba\xdc\xfe", 15);
	/* Every shorter message is a fault, and nothing beyond its end is read (ASan). */
	for (size_t n = 0; n < b.n; n++) {
		char *cut = str_dup(str_sub(buf_str(&b), 0, n));
		char *exact = realloc(cut, n ? n : 1);

		w = wire_reader(str_mem(exact, n));
		assert_false(get_all(&w));
		assert_true(w.bad && !wire_end(&w));
		assert_int_equal(wire_get_u64(&w), 0);
		assert_int_equal(wire_get_str(&w, 100).n, 0);
		free(exact);
	}
	buf_putc(&b, 0);
	w = wire_reader(buf_str(&b));
	assert_true(get_all(&w));
	assert_false(wire_end(&w)); /* left over */
	buf_deinit(&b);
}

static void test_hostile(void **state)
{
	struct wire w = wire_reader(str_mem("\xff\xff\xff\xffxyz", 7));

	assert_int_equal(wire_get_str(&w, SIZE_MAX).n, 0);
	assert_true(w.bad);
	w = wire_reader(str_mem("\x03\0\0\0xyz", 7));
	wire_get_str(&w, 2); /* there, but longer than allowed */
	assert_true(w.bad);
	w = wire_reader(STR("\x02"));
	assert_false(wire_get_bool(&w));
	assert_true(w.bad);
	w = wire_reader(STR_NONE);
	assert_true(wire_end(&w));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_hostile),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
