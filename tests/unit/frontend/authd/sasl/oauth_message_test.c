/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/ensure.h"
#include "frontend/authd/sasl/oauth_message.h"

static void test_bearer(void **state)
{
	static const struct {
		const char *m, *user, *token;
	} good[] = {
		/* RFC 7628 4.1 */
		{"n,a=user@example.com,\1host=server.example.com\1port=143\1auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\1\1",
		 "user@example.com", "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg=="},
		{"n,,\1auth=bearer   t\1\1", "", "t"},
		{"y,a=a=2Cb,\1auth=Bearer t\1\1", "a,b", "t"},
	};
	static const char *const bad[] = {"",
					  "\1",
					  "n,,",
					  "n,,\1",
					  "n,,\1\1",
					  "n,,\1auth=\1\1",
					  "n,,\1auth=Bearer \1\1",
					  "n,,\1auth=Basic t\1\1",
					  "n,,\1auth=Bearer t\1",
					  "n,,\1auth=Bearer t",
					  "n,\1auth=Bearer t\1\1",
					  "n,,auth=Bearer t\1\1",
					  "p=x,,\1auth=Bearer t\1\1",
					  "n,,\1auth=Bearer t\1auth=Bearer u\1\1",
					  "n,,\1=x\1auth=Bearer t\1\1",
					  "n,,\1x\1auth=Bearer t\1\1",
					  "n,,\1auth=Bearer t\1\1\1",
					  "n,,\1auth=Bearer t\1\1x=y\1",
					  "user=a\1auth=Bearer t\1\1"};
	struct arena a = ARENA_INIT;
	struct oauth_message o;

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		assert_true(oauth_message_bearer(&o, &a, str_c(good[i].m)));
		assert_true(str_eq(o.user, str_c(good[i].user)) &&
			    str_eq(o.token, str_c(good[i].token)));
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(oauth_message_bearer(&o, &a, str_c(bad[i])));
	assert_false(oauth_message_bearer(&o, &a, str_mem("n,,\1auth=Bearer t\0\1\1", 20)));
	arena_deinit(&a);
}

static void test_xoauth2(void **state)
{
	static const char *const bad[] = {"",
					  "user=\1auth=Bearer t\1\1",
					  "auth=Bearer t\1\1",
					  "user=a\1\1",
					  "user=a\1auth=Bearer t\1",
					  "user=a\1auth=Bearer t",
					  "user=\xff\1auth=Bearer t\1\1",
					  "n,a=x,\1auth=Bearer t\1\1"};
	struct arena a = ARENA_INIT;
	struct oauth_message o;

	assert_true(oauth_message_xoauth2(
		&o, &a, STR("user=someuser@example.com\1auth=Bearer ya29.vF9dft4qmTc2\1\1")));
	assert_true(str_eq(o.user, STR("someuser@example.com")) &&
		    str_eq(o.token, STR("ya29.vF9dft4qmTc2")));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(oauth_message_xoauth2(&o, &a, str_c(bad[i])));
	arena_deinit(&a);
}

static void test_errors(void **state)
{
	struct buf b = BUF_INIT;

	oauth_message_error(&b, false, "invalid_token", "imap",
			    "https://x/.well-known/openid-configuration");
	assert_string_equal(
		buf_cstr(&b),
		"{\"status\":\"invalid_token\",\"scope\":\"imap\",\"openid-configuration\":"
		"\"https://x/.well-known/openid-configuration\"}");
	buf_reset(&b);
	oauth_message_error(&b, true, "401", "", "x");
	assert_string_equal(buf_cstr(&b), "{\"status\":\"401\",\"schemes\":\"bearer\"}");
	buf_deinit(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bearer),
		cmocka_unit_test(test_xoauth2),
		cmocka_unit_test(test_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
