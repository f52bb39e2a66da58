/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/mail/mailtest.h"
#include "common/mail/decode.h"

static void once(enum decode_kind kind, struct str in, struct cuts cuts, struct buf *out)
{
	struct decoder d;

	buf_reset(out);
	decode_init(&d, kind);
	while (in.n) {
		size_t n = cut_next(&cuts, in.n);

		decode_push(&d, str_sub(in, 0, n), out);
		in = str_from(in, n);
	}
	decode_end(&d, out);
}

static void check(enum decode_kind kind, struct str in, struct str expected)
{
	struct buf out = BUF_INIT;

	for (size_t size = 0; size < 9; size++) {
		once(kind, in, (struct cuts){size, 0}, &out);
		assert_true(str_eq(buf_str(&out), expected));
	}
	for (unsigned seed = 1; seed < 50; seed++) {
		once(kind, in, (struct cuts){0, seed}, &out);
		assert_true(str_eq(buf_str(&out), expected));
	}
	buf_deinit(&out);
}

static void test_base64(void **state)
{
	check(DECODE_BASE64, STR(""), STR(""));
	check(DECODE_BASE64, STR("Zm9vYmFy"), STR("foobar"));
	check(DECODE_BASE64, STR("Zm9v\r\nYmE=\r\n"), STR("fooba"));
	check(DECODE_BASE64, STR("Zm9vYg=="), STR("foob"));
	check(DECODE_BASE64, STR("Zm9vYg"), STR("foob"));
	check(DECODE_BASE64, STR(" Z m\t9!v*Y-m F\0y"), STR("foobar"));
	check(DECODE_BASE64, STR("Zm8=Zm8="), STR("fofo")); /* two encodings in a row */
	check(DECODE_BASE64, STR("AAD/gA=="), STR("\0\0\xff\x80"));
	check(DECODE_BASE64, STR("===="), STR(""));
	check(DECODE_BASE64, STR("Z"), STR(""));
}

static void test_qp(void **state)
{
	check(DECODE_QP, STR("a=3Db=e9"), STR("a=b\xe9"));
	check(DECODE_QP, STR("soft=\nline=\r\nbreak= \t\r\ns"), STR("softlinebreaks"));
	check(DECODE_QP, STR("blanks \t\nx \r\ny"), STR("blanks\nx\r\ny"));
	check(DECODE_QP, STR("a b\tc"), STR("a b\tc"));
	check(DECODE_QP, STR("=00"), STR("\0"));
	/* broken escapes stay */
	check(DECODE_QP, STR("=G1 =1G ==41 =4=41 = x"), STR("=G1 =1G =A =4A = x"));
	check(DECODE_QP, STR("=4\nx"), STR("=4\nx"));
	check(DECODE_QP, STR("a="), STR("a"));
	check(DECODE_QP, STR("a=4"), STR("a=4"));
	check(DECODE_QP, STR("a= "), STR("a"));
	check(DECODE_QP, STR("a "), STR("a "));
	check(DECODE_QP, STR("a\rb"), STR("a\rb"));
}

static void test_kinds(void **state)
{
	assert_int_equal(decode_kind(STR_NONE), DECODE_IDENTITY);
	assert_int_equal(decode_kind(STR("8BIT")), DECODE_IDENTITY);
	assert_int_equal(decode_kind(STR("Base64")), DECODE_BASE64);
	assert_int_equal(decode_kind(STR("Quoted-Printable")), DECODE_QP);
	assert_int_equal(decode_kind(STR("x-uuencode")), DECODE_UNKNOWN);
	check(DECODE_UNKNOWN, STR("=41 QQ=="), STR("=41 QQ=="));
}

static void test_long(void **state)
{
	struct buf in = BUF_INIT, out = BUF_INIT;

	for (int i = 0; i < 1000000; i++)
		buf_puts(&in, "    =");
	once(DECODE_QP, buf_str(&in), (struct cuts){4096, 0}, &out);
	assert_true(out.n <= in.n);
	once(DECODE_BASE64, buf_str(&in), (struct cuts){1, 0}, &out);
	assert_int_equal(out.n, 0);
	buf_reset(&in);
	while (in.n < 12000000)
		buf_puts(&in, "=41");
	once(DECODE_QP, buf_str(&in), WHOLE, &out); /* no line end */
	assert_int_equal(out.n, in.n / 3);
	buf_reset(&in);
	while (in.n < 12000000)
		buf_puts(&in, " \n");
	once(DECODE_QP, buf_str(&in), WHOLE, &out); /* no escape */
	assert_int_equal(out.n, in.n / 2);
	buf_deinit(&in);
	buf_deinit(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_base64),
		cmocka_unit_test(test_qp),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
