/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/ensure.h"
#include "common/ipc/auth.h"

static struct auth_request sample_request(void)
{
	struct auth_request r = {
		.id = 7,
		.mechanism = STR("PLAIN"),
		.has_initial = true,
		.initial = str_mem("a\r\nSET x y\r\n\0\"{}", 15),
		.attempt = 3,
		.facts = {.protocol = STR("imap"),
			  .session = STR("abc1"),
			  .rip = STR("::1"),
			  .lip = STR("::1"),
			  .rport = 1,
			  .lport = 993,
			  .tls = true,
			  .tls_info = STR("TLSv1.3 X"),
			  .begun_ms = 77},
		.peer = {.proxied = true,
			 .proxy_addr = STR("192.0.2.1"),
			 .proxy_port = 12,
			 .sni = STR("mail.example"),
			 .cb_exporter = str_mem("\0\1", 2),
			 .cert = STR("DER"),
			 .cert_proof = STR("P")},
	};

	memset(r.nonce, 0xa5, sizeof(r.nonce));
	return r;
}

static void test_request_is_byte_exact(void **state)
{
	struct auth_request in = sample_request(), got;
	struct buf b = BUF_INIT;

	auth_request_put(&b, &in);
	assert_true(auth_request_get(buf_str(&b), &got));
	assert_int_equal(got.id, 7);
	assert_int_equal(got.attempt, 3);
	assert_true(str_eq(got.mechanism, in.mechanism));
	assert_true(got.has_initial && str_eq(got.initial, in.initial));
	assert_true(got.peer.proxied && got.peer.proxy_port == 12 &&
		    str_eq(got.peer.sni, in.peer.sni));
	assert_true(str_eq(got.peer.cb_exporter, in.peer.cb_exporter) &&
		    str_eq(got.peer.cert, in.peer.cert));
	assert_true(str_eq(got.peer.cert_proof, in.peer.cert_proof) && got.facts.begun_ms == 77);
	assert_memory_equal(got.nonce, in.nonce, sizeof(in.nonce));
	assert_true(str_eq(got.facts.rip, in.facts.rip) && got.facts.tls);
	buf_deinit(&b);
}

static void test_request_faults(void **state)
{
	struct auth_request in = sample_request(), got;
	struct buf b = BUF_INIT;

	auth_request_put(&b, &in);
	for (size_t n = 0; n < b.n; n++)
		assert_false(auth_request_get(str_sub(buf_str(&b), 0, n), &got));
	buf_putc(&b, 0);
	assert_false(auth_request_get(buf_str(&b), &got));
	buf_deinit(&b);
}

static void test_answer(void **state)
{
	struct auth_answer in = {.id = 9,
				 .result = AUTH_DISABLED,
				 .text = STR("no"),
				 .user = STR("u"),
				 .code = STR("ALERT"),
				 .provider = STR("http"),
				 .delay_ms = 5,
				 .mailhost = STR(""),
				 .ticket = STR("T")};
	struct auth_answer got;
	struct buf b = BUF_INIT;

	auth_answer_put(&b, &in);
	assert_true(auth_answer_get(buf_str(&b), &got));
	assert_int_equal(got.result, AUTH_DISABLED);
	assert_true(str_eq(got.text, in.text) && str_eq(got.ticket, in.ticket));
	assert_true(str_eq(got.code, in.code) && str_eq(got.provider, in.provider) &&
		    got.delay_ms == 5);
	for (size_t n = 0; n < b.n; n++)
		assert_false(auth_answer_get(str_sub(buf_str(&b), 0, n), &got));
	buf_reset(&b);
	in.result = AUTH_RESULT_N;
	auth_answer_put(&b, &in);
	assert_false(auth_answer_get(buf_str(&b), &got));
	buf_deinit(&b);
}

static void test_step(void **state)
{
	struct auth_step in = {.id = 3, .message = str_mem("n,,n=bob\0", 9)}, got;
	struct buf b = BUF_INIT;

	auth_step_put(&b, &in);
	assert_true(auth_step_get(buf_str(&b), &got));
	assert_true(got.id == 3 && str_eq(got.message, in.message));
	for (size_t n = 0; n < b.n; n++)
		assert_false(auth_step_get(str_sub(buf_str(&b), 0, n), &got));
	buf_deinit(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request_is_byte_exact),
		cmocka_unit_test(test_request_faults),
		cmocka_unit_test(test_answer),
		cmocka_unit_test(test_step),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
