/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/ensure.h"
#include "common/base/hmap.h"

static void test_strings(void **state)
{
	struct hmap *m = hmap_new();
	int a, b;

	assert_null(hmap_get(m, STR("x")));
	assert_null(hmap_del(m, STR("x")));
	assert_null(hmap_put(m, STR("x"), &a));
	assert_null(hmap_put(m, STR(""), &b));
	assert_null(hmap_put(m, str_mem("x\0y", 3), &b));
	assert_ptr_equal(hmap_put(m, STR("x"), &b), &a);
	assert_int_equal(hmap_count(m), 3);
	assert_ptr_equal(hmap_get(m, STR("")), &b);
	assert_ptr_equal(hmap_del(m, STR("x")), &b);
	assert_null(hmap_get(m, STR("x")));
	assert_ptr_equal(hmap_get(m, str_mem("x\0y", 3)), &b);
	hmap_free(&m);
	assert_null(m);
	hmap_free(&m);
}

/* Random puts and deletions against an array. */
static void test_model(void **state)
{
	enum { KEYS = 3000 };
	static char have[KEYS], mark[KEYS];
	struct hmap *m = hmap_new();
	unsigned seed = 7;
	size_t count = 0;

	for (int i = 0; i < 200000; i++) {
		seed = seed * 1103515245 + 12345;
		/* Grows for a while, then shrinks, and so on: all sizes are passed. */
		bool add = (seed >> 28) + (i / 20000 % 2 ? 0 : 6) > 10;
		unsigned k = (seed >> 8) % KEYS;

		if (add) {
			assert_ptr_equal(hmap_put_u64(m, k * 64, &mark[k]), have[k] ? &mark[k] : NULL);
			count += !have[k];
		} else {
			assert_ptr_equal(hmap_del_u64(m, k * 64), have[k] ? &mark[k] : NULL);
			count -= have[k];
		}
		have[k] = add;
		assert_int_equal(hmap_count(m), count);
	}
	for (unsigned k = 0; k < KEYS; k++)
		assert_ptr_equal(hmap_get_u64(m, k * 64), have[k] ? &mark[k] : NULL);
	hmap_free(&m);
}

static void test_walk(void **state)
{
	struct hmap *m = hmap_new();
	size_t it = 0, n = 0;
	struct str key;
	void *value;
	int x[100];

	for (int i = 0; i < 100; i++) {
		x[i] = 0;
		hmap_put_u64(m, (uint64_t)i, &x[i]);
	}
	while (hmap_next(m, &it, &key, &value)) {
		uint64_t k;

		assert_int_equal(key.n, 8);
		memcpy(&k, key.p, 8);
		assert_ptr_equal(value, &x[k]);
		++*(int *)value;
		n++;
	}
	assert_int_equal(n, 100);
	for (int i = 0; i < 100; i++)
		assert_int_equal(x[i], 1);
	hmap_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_walk),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
