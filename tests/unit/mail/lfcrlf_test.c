/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/mail/mailtest.h"

/* What lfcrlf_put should make, byte by byte. */
static void plainly(struct buf *out, struct str s, bool keep_nul)
{
	char before = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\n' && before != '\r')
			buf_putc(out, '\r');
		buf_putc(out, s.p[i] || keep_nul ? s.p[i] : (char)0x80);
		before = s.p[i];
	}
}

static unsigned next_random(unsigned *seed)
{
	*seed = *seed * 1103515245u + 12345u;
	return *seed >> 16;
}

/* Text with many line ends of all kinds, of every length around the vector width. */
static void random_text(struct buf *b, unsigned *seed, size_t n)
{
	buf_reset(b);
	while (b->n < n)
		buf_putc(b, "\n\r\n\rabc\0-\nxyz=.d"[next_random(seed) % 16]);
}

static void test_random(void **state)
{
	struct buf text = BUF_INIT, want = BUF_INIT, got = BUF_INIT;
	unsigned seed = 1;

	for (int round = 0; round < 4000; round++) {
		struct cuts cuts = {0, round % 3 ? seed : 0};
		struct lfcrlf put = {.keep_nul = round % 2}, count = {0};
		uint64_t wire = 0;
		struct str rest;

		random_text(&text, &seed, (size_t)round % 97);
		buf_reset(&want);
		buf_reset(&got);
		plainly(&want, buf_str(&text), put.keep_nul);
		for (rest = buf_str(&text); rest.n;) {
			size_t n = cut_next(&cuts, rest.n);

			lfcrlf_put(&put, &got, str_sub(rest, 0, n));
			wire += lfcrlf_count(&count, str_sub(rest, 0, n));
			rest = str_from(rest, n);
		}
		assert_true(str_eq(buf_str(&got), buf_str(&want)));
		assert_int_equal(wire, want.n);
	}
	buf_deinit(&text);
	buf_deinit(&want);
	buf_deinit(&got);
}

static void test_long(void **state)
{
	struct buf text = BUF_INIT, want = BUF_INIT, got = BUF_INIT;
	struct lfcrlf put = {0}, count = {0};
	unsigned seed = 7;

	random_text(&text, &seed, 300000); /* beyond what a byte lane can count */
	plainly(&want, buf_str(&text), false);
	lfcrlf_put(&put, &got, buf_str(&text));
	assert_true(str_eq(buf_str(&got), buf_str(&want)));
	assert_int_equal(lfcrlf_count(&count, buf_str(&text)), want.n);
	buf_reset(&text);
	for (int i = 0; i < 100000; i++)
		buf_putc(&text, '\n');
	count.cr = true;
	assert_int_equal(lfcrlf_count(&count, buf_str(&text)), 199999);
	buf_deinit(&text);
	buf_deinit(&want);
	buf_deinit(&got);
}

static void window(struct str text, uint64_t skip, uint64_t take, struct cuts cuts, struct buf *got)
{
	struct lfcrlf_window w = {.skip = skip, .take = take};

	buf_reset(got);
	while (text.n) {
		size_t n = cut_next(&cuts, text.n);

		if (lfcrlf_window_put(&w, got, str_sub(text, 0, n)))
			break;
		text = str_from(text, n);
	}
}

static void test_window(void **state)
{
	struct buf text = BUF_INIT, want = BUF_INIT, got = BUF_INIT;
	unsigned seed = 3;

	random_text(&text, &seed, 70);
	plainly(&want, buf_str(&text), false);
	for (uint64_t skip = 0; skip < want.n + 3; skip++) {
		for (uint64_t take = 0; take < want.n + 3; take++) {
			struct str part = str_sub(buf_str(&want), skip, take);

			window(buf_str(&text), skip, take, WHOLE, &got);
			assert_true(str_eq(buf_str(&got), part));
			window(buf_str(&text), skip, take, (struct cuts){1, 0}, &got);
			assert_true(str_eq(buf_str(&got), part));
		}
	}
	random_text(&text, &seed, 50000);
	buf_reset(&want);
	plainly(&want, buf_str(&text), false);
	for (int i = 0; i < 200; i++) {
		uint64_t skip = next_random(&seed) % 60000, take = next_random(&seed) % 60000;

		window(buf_str(&text), skip, take, (struct cuts){5000, 0}, &got);
		assert_true(str_eq(buf_str(&got), str_sub(buf_str(&want), skip, take)));
	}
	/* B37: no overflow */
	window(buf_str(&text), UINT64_MAX, UINT64_MAX, WHOLE, &got);
	assert_int_equal(got.n, 0);
	window(buf_str(&text), 0, UINT64_MAX, WHOLE, &got);
	assert_int_equal(got.n, want.n);
	buf_deinit(&text);
	buf_deinit(&want);
	buf_deinit(&got);
}

static void test_to_file(void **state)
{
	static const struct str text = STR("a\r\nb\nc\rd\r\r\ne\r\n\r\n\r");

	for (size_t size = 0; size < 8; size++) {
		struct crlflf s = {0};
		struct buf out = BUF_INIT;
		struct cuts cuts = {size, 0};

		for (struct str rest = text; rest.n;) {
			size_t n = cut_next(&cuts, rest.n);

			crlflf_put(&s, &out, str_sub(rest, 0, n));
			rest = str_from(rest, n);
		}
		crlflf_end(&s, &out);
		assert_string_equal(buf_cstr(&out), "a\nb\nc\rd\r\ne\n\n\r");
		buf_deinit(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_window),
		cmocka_unit_test(test_to_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
