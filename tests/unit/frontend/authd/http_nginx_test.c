/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/ensure.h"
#include "frontend/authd/http_nginx.h"

static struct arena arena;

static void plain_check(struct check *c)
{
	*c = (struct check){
		.user = STR("de%mo"),
		.attempt = 2,
		.facts = {.protocol = STR("imap"),
			  .rip = STR("10.1.2.3"),
			  .rport = 1234,
			  .lip = STR("10.9.8.7"),
			  .lport = 993},
	};
}

static void asks(const struct check *c, const struct http_client_cert *cert, const char *wanted)
{
	struct buf b = BUF_INIT;

	http_nginx_request(&b, c, cert);
	assert_string_equal(buf_cstr(&b), wanted);
	buf_deinit(&b);
}

static void test_plain(void **state)
{
	struct http_client_cert none = {.verify = STR_NONE};
	struct check c;

	plain_check(&c);
	secret_set(&c.password, STR("a\0\x1f b\x7f+\xff"));
	asks(&c, &none,
	     "Auth-Method: plain\nAuth-User: de%25mo\nAuth-Pass: a%00%1F%20b\x7f+\xff\nAuth-Protocol: imap\n"
	     "Auth-Login-Attempt: 2\nClient-IP: 10.1.2.3\n");
	secret_wipe(&c.password);
}

/* The order is that of a request that nginx 1.22 was seen to send. */
static void test_everything(void **state)
{
	struct http_client_cert cert = {STR("FAILED:self-signed certificate"),
					STR("CN=dem%o,O=x y"),
					STR("CN=ca"),
					STR("69"),
					STR("eef9"),
					STR("-----BEGIN CERTIFICATE-----\nMII=\n")};
	struct check c;

	plain_check(&c);
	c.kind = CHECK_CRAM;
	c.challenge = STR("<1.2@mail.example>");
	c.digest = STR("0123");
	c.peer.proxied = true;
	c.facts.tls = true;
	c.facts.tls_info = STR("TLSv1.2 ECDHE-ECDSA-AES256-GCM-SHA384");
	asks(&c, &cert,
	     "Auth-Method: cram-md5\nAuth-User: de%25mo\nAuth-Pass: 0123\nAuth-Salt: <1.2@mail.example>\nAuth-Protocol: imap\n"
	     "Auth-Login-Attempt: 2\nClient-IP: 10.1.2.3\nProxy-Protocol-Addr: 10.1.2.3\nProxy-Protocol-Port: 1234\n"
	     "Proxy-Protocol-Server-Addr: 10.9.8.7\nProxy-Protocol-Server-Port: 993\nAuth-SSL: on\n"
	     "Auth-SSL-Protocol: TLSv1.2\nAuth-SSL-Cipher: ECDHE-ECDSA-AES256-GCM-SHA384\n"
	     "Auth-SSL-Verify: FAILED:self-signed certificate\nAuth-SSL-Subject: CN=dem%o,O=x y\nAuth-SSL-Issuer: CN=ca\n"
	     "Auth-SSL-Serial: 69\nAuth-SSL-Fingerprint: eef9\n"
	     "Auth-SSL-Cert: -----BEGIN%20CERTIFICATE-----%0AMII=%0A\n");
}

static void test_external(void **state)
{
	struct http_client_cert cert = {.verify = STR("NONE")};
	struct check c;

	plain_check(&c);
	c.kind = CHECK_TRUSTED;
	asks(&c, &cert,
	     "Auth-Method: external\nAuth-User: de%25mo\nAuth-Pass: \nAuth-Protocol: imap\n"
	     "Auth-Login-Attempt: 2\nClient-IP: 10.1.2.3\n");
}

static struct http_reply answer(unsigned status, struct str headers, bool route)
{
	struct http_answer h = {.whole = true,
				.status = status,
				.headers = headers,
				.body = STR("Auth-Status: OK")};
	struct http_reply r = {.wait_s = 0};
	struct err e;

	http_nginx_answer(&arena, &h, route, &r, &e);
	return r;
}

static void test_verdicts(void **state)
{
	static const struct {
		unsigned status;
		struct str headers;
		enum http_says says;
		enum auth_result result;
	} rows[] = {
		{200, STR("Auth-Status: OK\r\n"), HTTP_SAYS_YES, AUTH_OK},
		{500, STR("X: y\r\nAUTH-STATUS:OK\r\n"), HTTP_SAYS_YES, AUTH_OK},
		{200, STR("Auth-Status: OK\r\nAuth-Status: OK\r\n"), HTTP_SAYS_YES, AUTH_OK},
		{200, STR("Auth-Status: OK\r\nAuth-Status: NO\r\n"), HTTP_SAYS_FAULT, AUTH_OK},
		{200, STR("Auth-Status : OK\r\n"), HTTP_SAYS_FAULT, AUTH_OK},
		{200, STR(" Auth-Status: OK\r\n"), HTTP_SAYS_FAULT, AUTH_OK},
		{200, STR("X-Auth-Status: OK\r\n"), HTTP_SAYS_FAULT, AUTH_OK},
		{200, STR("Auth-Status: O\0K\r\n"), HTTP_SAYS_FAULT, AUTH_OK},
		{200, STR("Auth-Status:\r\n"), HTTP_SAYS_FAULT, AUTH_OK},
		{401, STR("Auth-Status:\r\n"), HTTP_SAYS_FAULT, AUTH_OK},
		{200, STR(""), HTTP_SAYS_FAULT, AUTH_OK},
		{204, STR_NONE, HTTP_SAYS_FAULT, AUTH_OK},
		{302, STR("Location: /\r\n"), HTTP_SAYS_FAULT, AUTH_OK},
		{404, STR(""), HTTP_SAYS_FAULT, AUTH_OK},
		{503, STR(""), HTTP_SAYS_FAULT, AUTH_OK},
		{401, STR(""), HTTP_SAYS_NO, AUTH_MISMATCH},
		{403, STR(""), HTTP_SAYS_NO, AUTH_MISMATCH},
		{200, STR("Auth-Status: ok\r\n"), HTTP_SAYS_NO, AUTH_MISMATCH},
		{200, STR("Auth-Status: No\r\nAuth-Error-Code: 454\r\n"), HTTP_SAYS_NO,
		 AUTH_MISMATCH},
		{200, STR("Auth-Status: No\r\nAuth-Error-Code: limit\r\n"), HTTP_SAYS_NO,
		 AUTH_TEMPFAIL},
		{200,
		 STR("Auth-Status: No\r\nPosthouse-Code: EXPIRED\r\nAuth-Error-Code: LIMIT\r\n"),
		 HTTP_SAYS_NO, AUTH_EXPIRED},
		{200, STR("Auth-Status: No\r\nPosthouse-Code: MADEUP\r\n"), HTTP_SAYS_NO,
		 AUTH_MISMATCH},
		{200, STR("Auth-Status: OK\r\nPosthouse-Uid: 12345678901\r\n"), HTTP_SAYS_FAULT,
		 AUTH_OK},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct http_reply r = answer(rows[i].status, rows[i].headers, false);

		assert_int_equal(r.says, rows[i].says);
		assert_int_equal(r.result, rows[i].result);
	}
}

static void test_wait(void **state)
{
	assert_int_equal(answer(200, STR("Auth-Status: WAIT\r\nAuth-Wait: 7\r\n"), false).wait_s,
			 7);
	assert_int_equal(answer(200, STR("Auth-Status: WAIT\r\n"), false).wait_s, 1);
	assert_int_equal(answer(200, STR("Auth-Status: WAIT\r\nAuth-Wait: 0\r\n"), false).wait_s,
			 1);
	assert_int_equal(answer(200, STR("Auth-Status: WAIT\r\nAuth-Wait: -1\r\n"), false).says,
			 HTTP_SAYS_FAULT);
}

static void test_fields(void **state)
{
	static const char text[] =
		"Auth-Status: OK\r\nAuth-User: other\r\nAuth-Server: 10.0.0.9\r\nPosthouse-Options: a=1,b\r\n"
		"posthouse-QUOTA: 5S\r\nPosthouse-Success: 0\r\nPosthouse-Password: x\r\n";
	struct http_reply r = answer(200, STR(text), false);

	assert_int_equal(r.says, HTTP_SAYS_YES);
	assert_true(str_eq(r.fields.user, STR("other")));
	assert_true(str_eq(r.fields.options, STR("a=1,b")));
	assert_true(str_eq(r.fields.quota, STR("5S")));
	assert_int_equal(r.fields.mailhost.n + r.fields.password.n, 0);
	assert_true(str_eq(answer(200, STR(text), true).fields.mailhost, STR("10.0.0.9")));
	assert_int_equal(
		answer(200, STR("Auth-Status: OK\r\nAuth-Server: a.example\r\n"), true).says,
		HTTP_SAYS_FAULT);
	assert_int_equal(answer(200, STR("Auth-Status: OK\r\n"), true).says, HTTP_SAYS_YES);
}

static void test_text(void **state)
{
	assert_true(str_eq(http_reply_text(&arena, STR(" [[ALERT] a\r\nb\0c\xc3\xa9 ")),
			   STR("ALERT] a  b c??")));
	assert_int_equal(
		http_reply_text(&arena, str_mem(memset(arena_alloc(&arena, 900), 'x', 900), 900)).n,
		200);
	assert_int_equal(http_reply_text(&arena, STR_NONE).n, 0);
}

static int teardown(void **state)
{
	arena_deinit(&arena);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),	 cmocka_unit_test(test_everything),
		cmocka_unit_test(test_external), cmocka_unit_test(test_verdicts),
		cmocka_unit_test(test_wait),	 cmocka_unit_test(test_fields),
		cmocka_unit_test(test_text),
	};

	return cmocka_run_group_tests(tests, NULL, teardown);
}
