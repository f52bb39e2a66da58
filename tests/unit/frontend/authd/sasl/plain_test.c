/* SPDX-License-Identifier: Apache-2.0 */
/* PLAIN and LOGIN: each message by itself. Base64 is tested in base, the dialogue end to end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/ensure.h"
#include "frontend/authd/sasl/mechs.h"

static void done(struct mech_exchange *x)
{
	secret_wipe(&x->password);
	buf_wipe(&x->challenge);
	arena_deinit(&x->arena);
	*x = (struct mech_exchange){.mech = NULL};
}

static void test_plain(void **state)
{
	struct mech_exchange x = {.mech = NULL};

	assert_int_equal(mech_plain.begin(&x, STR_NONE, false), MECH_CHALLENGE);
	assert_int_equal(x.challenge.n, 0);
	assert_int_equal(mech_plain.step(&x, STR("\0bob\0p\r\nw{}")), MECH_CHECK);
	assert_true(str_eq(x.authzid, STR("")) && str_eq(x.authcid, STR("bob")));
	assert_true(str_eq(secret_str(&x.password), STR("p\r\nw{}")));
	assert_int_equal(x.kind, CHECK_PASSWORD);
	done(&x);
	assert_int_equal(mech_plain.begin(&x, STR("alice\0bob\0pw"), true), MECH_CHECK);
	assert_true(str_eq(x.authzid, STR("alice")) && str_eq(x.authcid, STR("bob")));
	done(&x);
}

static void test_plain_malformed(void **state)
{
	static const struct str bad[] = {
		{"", 0},   {"bob", 3},	{"\0bob", 4},	    {"\0\0pw", 4}, {"\0bob\0p\0w", 8},
		{"\0", 1}, {"a\0b", 3}, {"\0bob\0pw\0", 8},
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct mech_exchange x = {.mech = NULL};

		assert_int_equal(mech_plain.begin(&x, bad[i], true), MECH_MALFORMED);
		done(&x);
	}
}

static void test_login(void **state)
{
	struct mech_exchange x = {.mech = NULL};

	assert_int_equal(mech_login.begin(&x, STR_NONE, false), MECH_CHALLENGE);
	assert_string_equal(buf_cstr(&x.challenge), "Username:");
	buf_wipe(&x.challenge);
	assert_int_equal(mech_login.step(&x, STR("bob")), MECH_CHALLENGE);
	assert_string_equal(buf_cstr(&x.challenge), "Password:");
	assert_int_equal(mech_login.step(&x, STR("pw")), MECH_CHECK);
	assert_true(str_eq(x.authcid, STR("bob")) && str_eq(secret_str(&x.password), STR("pw")));
	done(&x);
	assert_int_equal(mech_login.begin(&x, STR("bob"), true), MECH_CHALLENGE);
	assert_string_equal(buf_cstr(&x.challenge), "Password:");
	done(&x);
}

static void test_login_malformed(void **state)
{
	struct mech_exchange x = {.mech = NULL};

	assert_int_equal(mech_login.begin(&x, STR(""), true), MECH_MALFORMED);
	done(&x);
	assert_int_equal(mech_login.begin(&x, STR("b\0b"), true), MECH_MALFORMED);
	done(&x);
	assert_int_equal(mech_login.begin(&x, STR("b"), true), MECH_CHALLENGE);
	assert_int_equal(mech_login.step(&x, STR("p\0w")), MECH_MALFORMED);
	done(&x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_plain_malformed),
		cmocka_unit_test(test_login),
		cmocka_unit_test(test_login_malformed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
