/* SPDX-License-Identifier: Apache-2.0 */
/* The examples of RFC 5802 5 and RFC 7677 3, the messages' grammar, and scram_account on top of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/base64.h"
#include "common/base/ensure.h"
#include "frontend/authd/sasl/scram_account.h"
#include "frontend/authd/sasl/scram_message.h"

static const struct {
	enum scram_hash hash;
	const char *first, *server_first, *final, *server_final, *salt;
} rfc[] = {
	{SCRAM_SHA_1, "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
	 "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
	 "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
	 "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=", "QSXCR+Q6sek8bf92"},
	{SCRAM_SHA_256, "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
	 "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
	 "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
	 "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", "W22ZaJ0SNY7soEsUEjb6gQ=="},
};

/* "pencil", stored as a record or in clear. */
static void account(struct scram_account *a, size_t i, bool record)
{
	struct check c = {.facts.protocol = STR("imap")};
	struct scram_keys k = {.hash = rfc[i].hash, .iterations = 4096};
	struct buf b = BUF_INIT, text = BUF_INIT;

	assert_int_equal(base64_decode(&b, str_c(rfc[i].salt)), 0);
	memcpy(k.salt, buf_str(&b).p, b.n);
	k.salt_n = b.n;
	*a = (struct scram_account){.offer = k};
	if (record) {
		scram_keys_derive(&k, STR("pencil"));
		scram_keys_print(&text, &k);
		a->offer.iterations = 1;
	}
	/* Credentials that are of no use for this, before and after. */
	*vec_push(&c.credentials) = (struct credential){STR("$6$x$y"), STR("")};
	*vec_push(&c.credentials) = (struct credential){STR("{PLAIN}pencil"), STR("smtp pop3")};
	*vec_push(&c.credentials) =
		(struct credential){record ? buf_str(&text) : STR("{PLAIN}pencil"), STR("imap")};
	*vec_push(&c.credentials) = (struct credential){STR("{PLAIN}other"), STR("")};
	assert_true(scram_account_choose(a, &c));
	assert_int_equal(a->ntries, 2);
	assert_int_equal(a->offer.iterations, 4096);
	vec_free(&c.credentials);
	buf_deinit(&b);
	buf_deinit(&text);
}

static void run_example(size_t i, bool record)
{
	struct arena arena = ARENA_INIT;
	struct scram_account a;
	struct scram_first f;
	struct scram_final l;
	struct buf b = BUF_INIT, message = BUF_INIT;
	uint8_t signature[SCRAM_KEY_MAX];
	size_t n = scram_size(rfc[i].hash);

	account(&a, i, record);
	assert_true(scram_first_parse(&f, &arena, str_c(rfc[i].first)));
	assert_true(str_eq(f.user, STR("user")) && f.binding == 'n' && str_eq(f.gs2, STR("n,,")));
	assert_true(scram_final_parse(&l, &arena, str_c(rfc[i].final)));
	assert_true(str_eq(l.cbind, f.gs2));
	scram_server_first(&b, f.nonce, str_from(l.nonce, f.nonce.n),
			   str_mem(a.offer.salt, a.offer.salt_n), a.offer.iterations);
	assert_true(str_eq(buf_str(&b), str_c(rfc[i].server_first)));
	buf_printf(&message, "%.*s,%s,%.*s", STR_ARG(f.bare), rfc[i].server_first,
		   STR_ARG(l.unproven));
	assert_true(scram_account_prove(&a, buf_str(&message), l.proof));
	scram_hmac(rfc[i].hash, str_mem(a.offer.server, n), buf_str(&message), signature);
	buf_reset(&b);
	scram_server_final(&b, str_mem(signature, n));
	assert_true(str_eq(buf_str(&b), str_c(rfc[i].server_final)));
	/* Any other message isn't what was proven. */
	buf_putc(&message, ' ');
	assert_false(scram_account_prove(&a, buf_str(&message), l.proof));
	assert_false(scram_account_prove(&a, buf_str(&message), str_from(l.proof, 1)));
	scram_account_wipe(&a);
	buf_deinit(&b);
	buf_deinit(&message);
	arena_deinit(&arena);
}

static void test_rfc(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(rfc); i++) {
		run_example(i, true);
		run_example(i, false);
	}
}

static void test_nobody(void **state)
{
	uint8_t secret[32] = {1}, other[32] = {2};
	struct scram_account a = {.offer = {.hash = SCRAM_SHA_1, .iterations = 4096}}, b = a, c = a,
			     d = a;

	scram_account_salt(&a.offer, secret, STR("joe"));
	scram_account_salt(&b.offer, secret, STR("joe"));
	scram_account_salt(&c.offer, secret, STR("jim"));
	scram_account_salt(&d.offer, other, STR("joe"));
	assert_int_equal(a.offer.salt_n, SCRAM_SALT_LEN);
	assert_memory_equal(a.offer.salt, b.offer.salt, SCRAM_SALT_LEN);
	assert_memory_not_equal(a.offer.salt, c.offer.salt, SCRAM_SALT_LEN);
	assert_memory_not_equal(a.offer.salt, d.offer.salt, SCRAM_SALT_LEN);
	assert_false(scram_account_choose(&a, NULL));
	assert_false(scram_account_prove(&a, STR("x"), str_mem(secret, 20)));
	scram_account_wipe(&a);
}

static void test_first_grammar(void **state)
{
	static const struct {
		const char *message, *user, *authzid, *binding;
	} good[] = {
		{"n,,n=a,r=b", "a", "", ""},
		{"y,a=x=2Cy=3D,n=j=3Do=2Ce,r=b", "j=o,e", "x,y=", ""},
		{"p=tls-exporter,,n=a,r=b", "a", "", "tls-exporter"},
		{"n,,n=a,r=b,x=opt,y=", "a", "", ""},
		{"n,,n=\xc3\xa4,r=!-~", "\xc3\xa4", "", ""},
	};
	static const char *const bad[] = {
		"",
		"n",
		"n,",
		"n,,",
		"n,,n=a",
		"n,,n=a,",
		"n,,n=a,r=",
		"n,,n=,r=b",
		"n,,m=x,n=a,r=b",
		"x,,n=a,r=b",
		"nn,,n=a,r=b",
		"p,,n=a,r=b",
		"p=,,n=a,r=b",
		"p=a b,,n=a,r=b",
		"n,x,n=a,r=b",
		"n,a=,n=a,r=b",
		"n,a=x=2,n=a,r=b",
		"n,,n=a=,r=b",
		"n,,n=a=2c,r=b",
		"n,,n=a,r=b c",
		"n,,n=a,r=b,m=x",
		"n,,n=a,r=b,x",
		"n,,n=a,r=b,1=x",
		"n,,n=\xff,r=b",
		"n,,r=b,n=a",
		"n,,n=a,r=\x7f",
		"n,,n=a,r=b\xc3\xa4",
		"n,,n=a,r=b,",
		",,n=a,r=b",
	};
	struct arena arena = ARENA_INIT;
	struct scram_first f;
	struct buf b = BUF_INIT;

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		assert_true(scram_first_parse(&f, &arena, str_c(good[i].message)));
		assert_true(str_eq(f.user, str_c(good[i].user)));
		assert_true(str_eq(f.authzid, str_c(good[i].authzid)));
		assert_true(str_eq(f.binding_name, str_c(good[i].binding)));
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(scram_first_parse(&f, &arena, str_c(bad[i])));
	assert_false(scram_first_parse(&f, &arena, str_mem("n,,n=a\0b,r=c", 12)));
	buf_puts(&b, "n,,n=a,r=");
	for (size_t i = 0; i < SCRAM_NONCE_MAX; i++)
		buf_putc(&b, 'x');
	assert_true(scram_first_parse(&f, &arena, buf_str(&b)));
	buf_putc(&b, 'x');
	assert_false(scram_first_parse(&f, &arena, buf_str(&b)));
	buf_deinit(&b);
	arena_deinit(&arena);
}

static void test_final_grammar(void **state)
{
	static const char *const bad[] = {"",
					  "c=biws",
					  "c=biws,r=a",
					  "c=biws,r=a,p=",
					  "c=biws,r=a,p=x",
					  "c=biws,r=,p=YWE=",
					  "c=biws,r=\x7f,p=YWE=",
					  "c=,r=a,p=YWE=",
					  "r=a,c=biws,p=YWE=",
					  "c=biws,r=a,p=YWE=,x=1",
					  "c=biws,r=a,m=x,p=YWE=",
					  "c=biws,p=YWE=",
					  "c=bi,r=a,p=YWE=",
					  "c=biws,r=a,,p=YWE=",
					  "p=YWE=",
					  ",p=YWE="};
	struct arena arena = ARENA_INIT;
	struct scram_final f;

	assert_true(scram_final_parse(&f, &arena, STR("c=biws,r=a,x=y,p=YWE=")));
	assert_true(str_eq(f.unproven, STR("c=biws,r=a,x=y")) && str_eq(f.proof, STR("aa")));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(scram_final_parse(&f, &arena, str_c(bad[i])));
	arena_deinit(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rfc),
		cmocka_unit_test(test_nobody),
		cmocka_unit_test(test_first_grammar),
		cmocka_unit_test(test_final_grammar),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
