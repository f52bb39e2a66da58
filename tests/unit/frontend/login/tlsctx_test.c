/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include "common/base/ensure.h"
#include "common/ipc/certs.h"
#include "common/ipc/supervise.h"
#include "frontend/login/tlsctx.h"

static struct settings set;

/* A certificate that tells itself by its serial number. */
static void make_pem(struct buf *out, long serial)
{
	EVP_PKEY *k = EVP_EC_gen("P-256");
	X509 *x = X509_new();
	BIO *b = BIO_new(BIO_s_mem());
	char *p;
	long n;

	ASN1_INTEGER_set(X509_get_serialNumber(x), serial);
	X509_gmtime_adj(X509_getm_notBefore(x), 0);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	X509_set_pubkey(x, k);
	X509_sign(x, k, EVP_sha256());
	PEM_write_bio_X509(b, x);
	PEM_write_bio_PrivateKey(b, k, NULL, NULL, 0, NULL, NULL);
	n = BIO_get_mem_data(b, &p);
	buf_put(out, p, (size_t)n);
	BIO_free(b);
	X509_free(x);
	EVP_PKEY_free(k);
}

static void add(struct buf *records, const char *name, long serial)
{
	struct buf pem = BUF_INIT;
	struct certs_record r = {
		.there = serial != 0, .name = str_c(name), .file = STR("x"), .key = STR("")};

	if (serial)
		make_pem(&pem, serial);
	r.cert = buf_str(&pem);
	certs_record_put(records, &r);
	buf_deinit(&pem);
}

static long found(struct tlsctx *t, const char *name, const char *address)
{
	const struct tlscert *c = tlsctx_find(t, name, address);

	return c ? ASN1_INTEGER_get(X509_get0_serialNumber(c->leaf)) : 0;
}

static struct tlsctx *make(void)
{
	struct tlsctx *t = tlsctx_new(&set);
	struct buf b = BUF_INIT;

	add(&b, "", 1);
	add(&b, "mail.example.com", 2);
	add(&b, "*.example.com", 3);
	add(&b, "192.0.2.1", 4);
	add(&b, "2001:db8::1", 5);
	add(&b, "localhost", 6);
	assert_int_equal(tlsctx_take_certs(t, buf_str(&b)), 0);
	buf_deinit(&b);
	return t;
}

static void test_find(void **state)
{
	struct tlsctx *t = make();
	char longest[400];

	assert_int_equal(found(t, NULL, NULL), 1);
	assert_int_equal(found(t, "mail.example.com", NULL), 2);
	assert_int_equal(found(t, "Mail.EXAMPLE.com", "192.0.2.1"), 2);
	assert_int_equal(found(t, "mail.example.com.", NULL), 2);
	assert_int_equal(found(t, "x.example.com", NULL), 3);
	assert_int_equal(found(t, "x.y.example.com", NULL), 1);
	assert_int_equal(found(t, "example.com", NULL), 1);
	assert_int_equal(found(t, ".example.com", NULL), 1);
	assert_int_equal(found(t, "", NULL), 1);
	assert_int_equal(found(t, ".", NULL), 1);
	assert_int_equal(found(t, "*", NULL), 1);
	assert_int_equal(found(t, "localhost", NULL), 6);
	assert_int_equal(found(t, NULL, "192.0.2.1"), 4);
	assert_int_equal(found(t, "unknown", "2001:db8::1"), 5);
	assert_int_equal(found(t, "unknown", "192.0.2.2"), 1);
	memset(longest, 'a', sizeof(longest));
	memcpy(longest + 300, ".example.com", 13);
	assert_int_equal(found(t, longest, NULL), 1);
	tlsctx_free(&t);
}

static void test_changes(void **state)
{
	struct tlsctx *t = make();
	struct buf b = BUF_INIT;
	SSL_CTX *before = tlsctx_get(t);
	struct certs_record broken = {.there = true,
				      .name = STR("localhost"),
				      .file = STR("x"),
				      .cert = STR("rubbish"),
				      .key = STR("")};

	add(&b, "mail.example.com", 0);
	add(&b, "*.example.com", 7);
	certs_record_put(&b, &broken);
	add(&b, "nobody", 0);
	assert_int_equal(tlsctx_take_certs(t, buf_str(&b)), 0);
	assert_int_equal(found(t, "mail.example.com", NULL), 7);
	assert_int_equal(found(t, "localhost", NULL), 1); /* can't be read: main would not have sent it */
	assert_int_equal(found(t, "localhost", NULL), 1);
	assert_ptr_equal(tlsctx_get(t), before);
	buf_reset(&b);
	add(&b, "", 8);
	assert_int_equal(tlsctx_take_certs(t, buf_str(&b)), 0);
	assert_int_equal(found(t, NULL, NULL), 8);
	assert_int_equal(found(t, "localhost", NULL), 8);
	buf_deinit(&b);
	tlsctx_free(&t);
}

static void test_malformed(void **state)
{
	struct tlsctx *t = make();
	struct buf b = BUF_INIT;
	char keys[SUP_TICKET_KEY_LEN * (SUP_TICKET_KEYS_MAX + 1)] = {0};

	add(&b, "a", 9);
	for (size_t n = 1; n < b.n; n += 13)
		assert_int_equal(tlsctx_take_certs(t, str_sub(buf_str(&b), 0, n)), -1);
	assert_int_equal(found(t, "a", NULL), 1);
	assert_int_equal(tlsctx_take_certs(t, STR("\2")), -1);
	assert_int_equal(tlsctx_take_keys(t, STR("")), -1);
	assert_int_equal(tlsctx_take_keys(t, str_mem(keys, 79)), -1);
	assert_int_equal(tlsctx_take_keys(t, str_mem(keys, sizeof(keys))), -1);
	assert_int_equal(tlsctx_take_keys(t, str_mem(keys, 160)), 0);
	buf_deinit(&b);
	tlsctx_free(&t);
	ERR_clear_error();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_changes),
		cmocka_unit_test(test_malformed),
	};
	struct err e;

	if (settings_load(&set, &(struct settings_opts){.file = "/dev/null", .no_env = true}, NULL,
			  &e))
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
