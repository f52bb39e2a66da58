/* SPDX-License-Identifier: Apache-2.0 */
/* claims, and introspect_judge on top of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/ensure.h"
#include "frontend/authd/oauth/introspect.h"

#define NOW 1700000000

static struct settings set;

static void reset(void)
{
	set = (struct settings){.oauth_username_field = "email preferred_username username sub",
				.oauth_issuer = "",
				.oauth_audience = "",
				.oauth_scope = "",
				.oauth_username_lower = true,
				.oauth_leeway = 60,
				.oauth_introspection_mode = "post"};
}

static enum oauth_verdict verdict(const char *json, bool must_expire, char user[64])
{
	json_t *j = json_loads(json, 0, NULL);
	struct claims_verdict v;
	enum oauth_verdict r;

	assert_non_null(j);
	claims_check(&v, &set, j, NOW, must_expire);
	r = v.verdict;
	assert_int_equal(r == OAUTH_VALID, v.why == NULL);
	if (user)
		snprintf(user, 64, "%.*s", STR_ARG(buf_str(&v.user)));
	buf_deinit(&v.user);
	json_decref(j);
	return r;
}

static void test_times(void **state)
{
	static const struct {
		const char *json;
		enum oauth_verdict want;
	} cases[] = {
		{"{\"sub\":\"u\",\"exp\":1700000001}", OAUTH_VALID},
		{"{\"sub\":\"u\",\"exp\":1699999941}", OAUTH_VALID}, /* within the leeway */
		{"{\"sub\":\"u\",\"exp\":1699999940}", OAUTH_INVALID},
		{"{\"sub\":\"u\",\"exp\":1700000001.5}", OAUTH_VALID},
		{"{\"sub\":\"u\",\"exp\":\"1800000000\"}", OAUTH_INVALID},
		{"{\"sub\":\"u\",\"exp\":-1}", OAUTH_INVALID},
		{"{\"sub\":\"u\",\"exp\":1e300}", OAUTH_INVALID},
		{"{\"sub\":\"u\",\"exp\":null}", OAUTH_INVALID},
		{"{\"sub\":\"u\",\"exp\":0}", OAUTH_INVALID},
		{"{\"sub\":\"u\"}", OAUTH_INVALID},
		{"{\"sub\":\"u\",\"exp\":1800000000,\"nbf\":1700000060}", OAUTH_VALID},
		{"{\"sub\":\"u\",\"exp\":1800000000,\"nbf\":1700000061}", OAUTH_INVALID},
		{"{\"sub\":\"u\",\"exp\":1800000000,\"nbf\":\"x\"}", OAUTH_INVALID},
	};

	reset();
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(verdict(cases[i].json, true, NULL), cases[i].want);
	assert_int_equal(verdict("{\"sub\":\"u\"}", false, NULL), OAUTH_VALID);
}

static void test_issuer_audience_scope(void **state)
{
	reset();
	set.oauth_issuer = "https://a https://b";
	assert_int_equal(verdict("{\"sub\":\"u\",\"iss\":\"https://b\"}", false, NULL),
			 OAUTH_VALID);
	assert_int_equal(verdict("{\"sub\":\"u\",\"iss\":\"https://\"}", false, NULL),
			 OAUTH_INVALID);
	assert_int_equal(verdict("{\"sub\":\"u\",\"iss\":\"\"}", false, NULL), OAUTH_INVALID);
	assert_int_equal(verdict("{\"sub\":\"u\"}", false, NULL), OAUTH_INVALID);
	reset();
	set.oauth_audience = "imap mail";
	assert_int_equal(verdict("{\"sub\":\"u\",\"aud\":\"mail\"}", false, NULL), OAUTH_VALID);
	assert_int_equal(verdict("{\"sub\":\"u\",\"aud\":[\"x\",\"imap\"]}", false, NULL),
			 OAUTH_VALID);
	assert_int_equal(verdict("{\"sub\":\"u\",\"aud\":[\"x\",1]}", false, NULL), OAUTH_INVALID);
	assert_int_equal(verdict("{\"sub\":\"u\",\"aud\":{\"imap\":1}}", false, NULL),
			 OAUTH_INVALID);
	assert_int_equal(verdict("{\"sub\":\"u\"}", false, NULL), OAUTH_INVALID);
	reset();
	set.oauth_scope = "imap openid";
	assert_int_equal(verdict("{\"sub\":\"u\",\"scope\":\"openid email imap\"}", false, NULL),
			 OAUTH_VALID);
	assert_int_equal(verdict("{\"sub\":\"u\",\"scp\":[\"imap\",\"openid\"]}", false, NULL),
			 OAUTH_VALID);
	assert_int_equal(verdict("{\"sub\":\"u\",\"scope\":\"openid imaps\"}", false, NULL),
			 OAUTH_SCOPE);
	assert_int_equal(verdict("{\"sub\":\"u\"}", false, NULL), OAUTH_SCOPE);
}

static void test_user(void **state)
{
	char user[64];

	reset();
	assert_int_equal(verdict("{\"sub\":\"1\",\"email\":\"Joe@X.org\"}", false, user),
			 OAUTH_VALID);
	assert_string_equal(user, "joe@x.org");
	set.oauth_username_lower = false;
	assert_int_equal(verdict("{\"sub\":\"1\",\"email\":\"Joe@X.org\"}", false, user),
			 OAUTH_VALID);
	assert_string_equal(user, "Joe@X.org");
	/* An address that nobody proved is passed over. */
	assert_int_equal(
		verdict("{\"sub\":\"1\",\"email\":\"a@x\",\"email_verified\":false}", false, user),
		OAUTH_VALID);
	assert_string_equal(user, "1");
	/* Some issuers write it as text; what is neither true nor absent is not a proof. */
	static const struct {
		const char *verified, *want;
	} rows[] = {{"true", "a@x"}, {"\"true\"", "a@x"}, {"\"false\"", "1"},
		    {"0", "1"},	     {"null", "1"},	  {"[true]", "1"}};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char text[96];

		snprintf(text, sizeof(text),
			 "{\"sub\":\"1\",\"email\":\"a@x\",\"email_verified\":%s}",
			 rows[i].verified);
		assert_int_equal(verdict(text, false, user), OAUTH_VALID);
		assert_string_equal(user, rows[i].want);
	}
	assert_int_equal(verdict("{\"sub\":1,\"email\":\"\",\"username\":[\"u\"]}", false, user),
			 OAUTH_INVALID);
	set.oauth_username_field = " upn  ";
	assert_int_equal(verdict("{\"sub\":\"1\",\"upn\":\"u\"}", false, user), OAUTH_VALID);
	assert_string_equal(user, "u");
	set.oauth_username_field = "";
	assert_int_equal(verdict("{\"sub\":\"1\"}", false, user), OAUTH_INVALID);
}

static enum oauth_verdict judged(const char *mode, unsigned status, const char *body)
{
	struct claims_verdict v;
	enum oauth_verdict r;

	set.oauth_introspection_mode = mode;
	introspect_judge(&v, &set, status, str_c(body), NOW);
	r = v.verdict;
	buf_deinit(&v.user);
	return r;
}

static void test_introspection(void **state)
{
	static const char ok[] = "{\"active\":true,\"username\":\"u\"}",
			  bare[] = "{\"username\":\"u\"}";
	static const char *const garbage[] = {"",
					      "x",
					      "[]",
					      "{",
					      "{\"active\":\"true\"}",
					      "{\"active\":1}",
					      "null",
					      "{\"active\":false,\"active\":true}"};

	reset();
	assert_int_equal(judged("post", 200, ok), OAUTH_VALID);
	assert_int_equal(judged("post", 200, "{\"active\":false}"), OAUTH_INVALID);
	assert_int_equal(judged("post", 200, bare), OAUTH_UNAVAILABLE); /* the RFC wants it */
	assert_int_equal(judged("auth", 200, bare), OAUTH_VALID);
	assert_int_equal(judged("get", 200, "{\"active\":false,\"username\":\"u\"}"),
			 OAUTH_INVALID);
	/* Never a wrong password where it is the endpoint that is wrong. */
	for (size_t i = 0; i < ARRAY_LEN(garbage); i++) {
		assert_int_equal(judged("post", 200, garbage[i]), OAUTH_UNAVAILABLE);
		assert_int_equal(judged("post", 503, garbage[i]), OAUTH_UNAVAILABLE);
	}
	assert_int_equal(judged("post", 401, ""), OAUTH_UNAVAILABLE);
	assert_int_equal(judged("auth", 401, ""), OAUTH_INVALID);
	assert_int_equal(judged("get", 400, ""), OAUTH_INVALID);
	assert_int_equal(judged("auth", 429, ""), OAUTH_UNAVAILABLE);
	assert_int_equal(judged("auth", 404, ""), OAUTH_UNAVAILABLE);
	assert_int_equal(judged("post", 302, ok), OAUTH_UNAVAILABLE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_issuer_audience_scope),
		cmocka_unit_test(test_user),
		cmocka_unit_test(test_introspection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
