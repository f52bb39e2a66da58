/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/base64.h"
#include "common/base/ensure.h"
#include "frontend/login/sasl.h"

static enum sasl_step answer(struct sasl *s, const void *raw, size_t n)
{
	struct buf b = BUF_INIT;
	enum sasl_step r;

	base64_encode(&b, str_mem(raw, n));
	r = sasl_answer(s, buf_str(&b), false);
	buf_deinit(&b);
	return r;
}
#define ANSWER(s, lit) answer((s), (lit), sizeof(lit) - 1)

static void test_plain(void **state)
{
	struct sasl s;

	sasl_init(&s, SASL_PLAIN);
	assert_string_equal(sasl_challenge(&s), "");
	assert_int_equal(ANSWER(&s, "\0bob\0p\r\nw{}"), SASL_DONE);
	assert_true(str_eq(s.authzid, STR("")) && str_eq(s.user, STR("bob")));
	assert_true(str_eq(s.password, STR("p\r\nw{}")));
	sasl_deinit(&s);
	sasl_init(&s, SASL_PLAIN);
	assert_int_equal(ANSWER(&s, "alice\0bob\0pw"), SASL_DONE);
	assert_true(str_eq(s.authzid, STR("alice")) && str_eq(s.user, STR("bob")));
	sasl_deinit(&s);
}

static void test_plain_malformed(void **state)
{
	static const struct str bad[] = {
		{"", 0}, {"bob", 3}, {"\0bob", 4}, {"\0\0pw", 4}, {"\0bob\0p\0w", 8}, {"\0", 1}, {"a\0b", 3},
		{"\0bob\0pw\0", 8},
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct sasl s;

		sasl_init(&s, SASL_PLAIN);
		assert_int_equal(answer(&s, bad[i].p, bad[i].n), SASL_BAD);
		sasl_deinit(&s);
	}
}

static void test_base64(void **state)
{
	static const char *const bad[] = {"A", "AA", "AAA", "AGJvYgBwdw", "AGJvYgBwdw=", "=", "====", "AGJv YgBwdw==",
					  "AGJvYgBwdw==x", "AGJvYgBwdx==", "*", "\r", "AG\0v"};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct sasl s;

		sasl_init(&s, SASL_PLAIN);
		assert_int_equal(sasl_answer(&s, str_c(bad[i]), false), SASL_BAD);
		sasl_deinit(&s);
	}
}

static void test_login(void **state)
{
	struct sasl s;

	sasl_init(&s, SASL_LOGIN);
	assert_string_equal(sasl_challenge(&s), "VXNlcm5hbWU6");
	assert_int_equal(ANSWER(&s, "bob"), SASL_MORE);
	assert_string_equal(sasl_challenge(&s), "UGFzc3dvcmQ6");
	assert_int_equal(ANSWER(&s, "pw"), SASL_DONE);
	assert_true(str_eq(s.user, STR("bob")) && str_eq(s.password, STR("pw")));
	sasl_deinit(&s);

	sasl_init(&s, SASL_LOGIN);
	assert_int_equal(ANSWER(&s, ""), SASL_MORE);
	assert_int_equal(ANSWER(&s, "pw"), SASL_BAD);
	sasl_deinit(&s);
	sasl_init(&s, SASL_LOGIN);
	assert_int_equal(ANSWER(&s, "b\0b"), SASL_MORE);
	assert_int_equal(ANSWER(&s, "pw"), SASL_BAD);
	sasl_deinit(&s);
	sasl_init(&s, SASL_LOGIN);
	assert_int_equal(ANSWER(&s, "b"), SASL_MORE);
	assert_int_equal(ANSWER(&s, "p\0w"), SASL_BAD);
	sasl_deinit(&s);
}

/* RFC 4959: "=" is the empty initial response, and nothing later on. */
static void test_initial(void **state)
{
	struct sasl s;

	sasl_init(&s, SASL_LOGIN);
	assert_int_equal(sasl_answer(&s, STR("="), true), SASL_MORE);
	assert_int_equal(s.user_n, 0);
	assert_int_equal(sasl_answer(&s, STR("="), false), SASL_BAD);
	sasl_deinit(&s);
	assert_int_equal(sasl_find(STR("plain")), SASL_PLAIN);
	assert_int_equal(sasl_find(STR("CRAM-MD5")), SASL_NONE);
	assert_int_equal(sasl_find(STR("")), SASL_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),  cmocka_unit_test(test_plain_malformed),
		cmocka_unit_test(test_base64), cmocka_unit_test(test_login),
		cmocka_unit_test(test_initial),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
