/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/ensure.h"
#include "frontend/authd/http_json.h"

static struct arena arena;
static const struct http_client_cert none;

static struct check some_check(void)
{
	return (struct check){
		.user = STR("j\xc3\xb6\"\\x"),
		.mechanism = STR("PLAIN"),
		.attempt = 1,
		.facts = {.protocol = STR("imap"),
			  .session = STR("s1"),
			  .rip = STR("::1"),
			  .lip = STR("::2"),
			  .rport = 5,
			  .lport = 6},
	};
}

static void test_request(void **state)
{
	struct check c = some_check();
	struct buf b = BUF_INIT;
	struct err e;

	secret_set(&c.password, STR("a\r\n\x01\x7f'/"));
	assert_int_equal(http_json_request(&b, &c, &none, &e), 0);
	assert_string_equal(
		buf_cstr(&b),
		"{\"username\":\"j\xc3\xb6\\\"\\\\x\",\"password\":\"a\\u000d\\u000a\\u0001\\u007f'/\","
		"\"real_rip\":\"::1\",\"service\":\"imap\",\"mechanism\":\"PLAIN\",\"wanted\":\"password\",\"tls\":false,"
		"\"session\":\"s1\",\"local_ip\":\"::2\",\"real_rport\":5,\"local_port\":6,\"attempt\":1}");
	secret_wipe(&c.password);
	buf_reset(&b);
	c.kind = CHECK_CRAM;
	c.challenge = STR("<1@x>");
	c.digest = STR("ab");
	assert_int_equal(http_json_request(&b, &c, &none, &e), 0);
	assert_non_null(
		strstr(buf_cstr(&b), "\"challenge\":\"<1@x>\",\"digest\":\"ab\",\"real_rip\""));
	assert_non_null(strstr(buf_cstr(&b), "\"wanted\":\"cram-md5\""));
	buf_reset(&b);
	c.kind = CHECK_SCRAM;
	assert_int_equal(http_json_request(&b, &c, &none, &e), 0);
	assert_null(strstr(buf_cstr(&b), "\"password\":"));
	assert_non_null(strstr(buf_cstr(&b), "\"wanted\":\"hashes\""));
	buf_deinit(&b);
}

static void test_what_is_no_text(void **state)
{
	static const struct str passwords[] = {STR("\xff"), STR("a\0b"), STR("\xc3"),
					       STR("\xed\xa0\x80")};

	for (size_t i = 0; i < ARRAY_LEN(passwords); i++) {
		struct check c = some_check();
		struct buf b = BUF_INIT;
		struct err e;

		secret_set(&c.password, passwords[i]);
		assert_int_equal(http_json_request(&b, &c, &none, &e), -1);
		assert_non_null(strstr(e.text, "password"));
		secret_wipe(&c.password);
		buf_deinit(&b);
	}
}

static struct http_reply answer(unsigned status, struct str body)
{
	struct http_answer h = {.whole = true, .status = status, .body = body};
	struct http_reply r = {.wait_s = 0};
	struct err e = {.text = ""};

	http_json_answer(&arena, &h, &r, &e);
	assert_true((r.says == HTTP_SAYS_FAULT) == (e.text[0] != '\0'));
	return r;
}

static void test_verdicts(void **state)
{
	static const struct {
		unsigned status;
		struct str body;
		enum http_says says;
		enum auth_result result;
	} rows[] = {
		{200, STR("{\"success\":true}"), HTTP_SAYS_YES, AUTH_OK},
		{201, STR("{\"success\":\"true\"}"), HTTP_SAYS_YES, AUTH_OK},
		{200, STR("{\"password\":\"{PLAIN}x\"}"), HTTP_SAYS_YES, AUTH_OK},
		{200, STR("{\"success\":null}"), HTTP_SAYS_FAULT, AUTH_OK},
		{200, STR("{\"uid\":5}"), HTTP_SAYS_FAULT, AUTH_OK},
		{200, STR("{}"), HTTP_SAYS_FAULT, AUTH_OK},
		{200, STR(""), HTTP_SAYS_FAULT, AUTH_OK},
		{200, STR_NONE, HTTP_SAYS_FAULT, AUTH_OK},
		{200, STR("[]"), HTTP_SAYS_FAULT, AUTH_OK},
		{200, STR("{\"success\":true} x"), HTTP_SAYS_FAULT, AUTH_OK},
		{200, STR("{\"success\":true,\"success\":false}"), HTTP_SAYS_FAULT, AUTH_OK},
		{200, STR("{\"success\":true,\"user\":\"\xff\"}"), HTTP_SAYS_FAULT, AUTH_OK},
		{200, STR("{\"success\":true,\"user\":\"a\\u0000b\"}"), HTTP_SAYS_FAULT, AUTH_OK},
		{302, STR("{\"success\":true}"), HTTP_SAYS_FAULT, AUTH_OK},
		{404, STR("{\"success\":false}"), HTTP_SAYS_FAULT, AUTH_OK},
		{500, STR("{\"success\":true}"), HTTP_SAYS_FAULT, AUTH_OK},
		{500, STR("{\"success\":false}"), HTTP_SAYS_FAULT, AUTH_OK},
		{401, STR("{\"success\":true}"), HTTP_SAYS_FAULT, AUTH_OK},
		{401, STR("<html>"), HTTP_SAYS_NO, AUTH_MISMATCH},
		{403, STR(""), HTTP_SAYS_NO, AUTH_MISMATCH},
		{200, STR("{\"success\":false}"), HTTP_SAYS_NO, AUTH_MISMATCH},
		{401, STR("{\"success\":false,\"reason\":\"unknown\"}"), HTTP_SAYS_NO,
		 AUTH_UNKNOWN},
		{200, STR("{\"success\":false,\"reason\":\"whatever\"}"), HTTP_SAYS_NO,
		 AUTH_MISMATCH},
		{200, STR("{\"success\":false,\"reason\":\"next\"}"), HTTP_SAYS_NO, AUTH_NEXT},
		{200, STR("{\"success\":false,\"reason\":\"impossible\"}"), HTTP_SAYS_NO,
		 AUTH_IMPOSSIBLE},
		{200, STR("{\"success\":false,\"reason\":\"unavailable\"}"), HTTP_SAYS_NO,
		 AUTH_TEMPFAIL},
		{200, STR("{\"success\":false,\"enabled\":false}"), HTTP_SAYS_NO, AUTH_DISABLED},
		{200, STR("{\"success\":false,\"disabled\":true}"), HTTP_SAYS_NO, AUTH_DISABLED},
		{200, STR("{\"success\":false,\"expired\":true}"), HTTP_SAYS_NO, AUTH_EXPIRED},
		{200, STR("{\"success\":false,\"code\":\"LIMIT\"}"), HTTP_SAYS_NO, AUTH_TEMPFAIL},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct http_reply r = answer(rows[i].status, rows[i].body);

		assert_int_equal(r.says, rows[i].says);
		assert_int_equal(r.result, rows[i].result);
	}
}

static void test_words(void **state)
{
	struct http_reply r =
		answer(200, STR("{\"success\":false,\"code\":\"NO SUCH\\r\",\"text\":\"[X] a\"}"));

	assert_int_equal(r.says, HTTP_SAYS_FAULT); /* a code with a line end */
	r = answer(200, STR("{\"success\":false,\"code\":\"MADEUP\",\"text\":\"[X]\\n a\"}"));
	assert_int_equal(r.says, HTTP_SAYS_NO);
	assert_int_equal(r.fields.code.n, 0);
	assert_true(str_eq(r.fields.text, STR("X]  a")));
}

static int setup(void **state)
{
	http_json_init();
	return 0;
}

static int teardown(void **state)
{
	arena_deinit(&arena);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request),
		cmocka_unit_test(test_what_is_no_text),
		cmocka_unit_test(test_verdicts),
		cmocka_unit_test(test_words),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
