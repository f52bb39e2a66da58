/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/mail/mailtest.h"
#include "common/mail/charset.h"
#include "common/mail/needle.h"

static bool found(struct str key, struct str text, struct cuts cuts)
{
	struct needle k;
	bool yes;

	needle_init(&k, key);
	while (text.n) {
		size_t n = cut_next(&cuts, text.n);

		needle_push(&k, str_sub(text, 0, n));
		text = str_from(text, n);
	}
	yes = needle_end(&k);
	needle_deinit(&k);
	return yes;
}

static void test_vectors(void **state)
{
	static const struct {
		struct str key, text;
		bool yes;
	} v[] = {
		{STR(""), STR(""), true},
		{STR("a"), STR(""), false},
		{STR("A"), STR("xxa"), true},
		{STR("abc"), STR("xxABxABC"), true},
		{STR("abc"), STR("ab"), false},
		{STR("abc"), STR("ababab abab abababababab ab"), false},
		{STR("lo w"), STR("Hello World, this is text of some length"), true},
		{STR("length"), STR("Hello World, this is text of some LENGTH"), true},
		{STR("\xc3\xa9t\xc3\xa9"), STR("L'\xc3\x89T\xc3\x89 indien"), true},
		{STR("e\xcc\x81t"), STR("\xc3\x89T"), true},
		{STR("kelvin"),
		 STR("\xe2\x84\xaa"
		     "ELVIN"),
		 true},
		{STR("fine"), STR("a \xef\xac\x81ne thing"), true},
		{STR("\xef\xbf\xbd"), STR("x\xc3"), true},
		{STR("\xe2\x82\xac"), STR("xxxxxxxxxxxxxxxxxx\xe2\x82\xac"), true},
		{STR("a\0b"), STR("xA\0By"), true},
	};

	for (size_t i = 0; i < ARRAY_LEN(v); i++) {
		for (size_t size = 0; size < 6; size++)
			assert_int_equal(found(v[i].key, v[i].text, (struct cuts){size, 0}),
					 v[i].yes);
		for (unsigned seed = 1; seed < 20; seed++)
			assert_int_equal(found(v[i].key, v[i].text, (struct cuts){0, seed}),
					 v[i].yes);
	}
}

/* Against memmem, over a small alphabet so that near misses are many, and across pieces. */
static void test_random(void **state)
{
	struct buf text = BUF_INIT;
	unsigned seed = 9;

	for (int round = 0; round < 600; round++) {
		size_t n = round % 10 == 0 ? 70000 : (size_t)round % 300,
		       key = 1 + (size_t)round % 19;
		struct str k;

		buf_reset(&text);
		while (text.n < n)
			buf_putc(&text, "aab"[((seed = seed * 1103515245u + 12345u) >> 16) % 3]);
		k = str_sub(STR("abaabababbabaaabbab"), (size_t)round % 5, key);
		assert_int_equal(found(k, buf_str(&text), (struct cuts){0, (unsigned)round}),
				 memmem(buf_str(&text).p, n, k.p, k.n) != NULL);
	}
	/* across the border of two pieces */
	for (size_t at = 32768 - 5; at < 32768 + 5; at++) {
		buf_reset(&text);
		while (text.n < at)
			buf_putc(&text, '.');
		buf_puts(&text, "needle");
		while (text.n < 100000)
			buf_putc(&text, '.');
		assert_true(found(STR("NEEDLE"), buf_str(&text), WHOLE));
		assert_true(found(STR("NEEDLE"), buf_str(&text), (struct cuts){4096, 0}));
	}
	buf_deinit(&text);
}

static void test_reuse(void **state)
{
	struct needle k;

	needle_init(&k, STR("x"));
	assert_true(needle_in(&k, STR("aXb")));
	assert_false(needle_in(&k, STR("ab")));
	assert_true(needle_in(&k, STR("x")));
	needle_deinit(&k);
}

/* A key that nearly fits everywhere: a minute if each place cost its length. */
static void test_hostile(void **state)
{
	struct buf key = BUF_INIT, text = BUF_INIT;
	size_t sizes[] = {10, 200, 5000, 60000};

	while (text.n < 8000000)
		buf_puts(&text, "aaaaaaaaaaaaaaaa");
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		buf_reset(&key);
		while (key.n < sizes[i])
			buf_putc(&key, key.n == sizes[i] / 2 ? 'b' : 'a');
		assert_false(found(buf_str(&key), buf_str(&text), (struct cuts){4096, 0}));
	}
	assert_false(found(buf_str(&key), str_sub(buf_str(&text), 0, 500000), (struct cuts){1, 0}));
	buf_deinit(&key);
	buf_deinit(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_reuse),
		cmocka_unit_test(test_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
