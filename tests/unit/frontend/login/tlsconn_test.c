/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <sys/socket.h>
#include "common/base/ensure.h"
#include "common/ipc/certs.h"
#include "common/ipc/supervise.h"
#include "frontend/login/tlsconn.h"
#include "frontend/login/tlsctx.h"

/* ---- a client whose bytes the test carries by hand --------------------------------------------- */

struct pair {
	struct tlsctx *server_tls;
	SSL_CTX *client_ctx;
	struct tlsconn *server;
	SSL *client;
	int fd[2]; /* 0: the server's socket, 1: the wire's end */
	unsigned shaken;
};

static void make_pem(struct buf *out, int rsa)
{
	EVP_PKEY *k = rsa ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256");
	X509 *x = X509_new();
	X509_NAME *name = X509_get_subject_name(x);
	BIO *b = BIO_new(BIO_s_mem());
	char *p;
	long n;

	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), 0);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const uint8_t *)"localhost", -1, -1,
				   0);
	X509_set_issuer_name(x, name);
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

static struct settings set;

static struct tlsctx *make_server(struct str cert, struct str key)
{
	struct tlsctx *t = tlsctx_new(&set);
	struct certs_record r = {
		.there = true, .name = STR(""), .file = STR("tls.pem"), .cert = cert, .key = key};
	char keys[SUP_TICKET_KEY_LEN] = "test";
	struct buf b = BUF_INIT;

	certs_record_put(&b, &r);
	assert_int_equal(tlsctx_take_keys(t, str_mem(keys, sizeof(keys))), 0);
	assert_int_equal(tlsctx_take_certs(t, buf_str(&b)), 0);
	buf_deinit(&b);
	return t;
}

static bool on_shaken(void *ctx)
{
	struct pair *p = ctx;

	p->shaken++;
	return false;
}

static void pair_init(struct pair *p, int version, int rsa)
{
	struct buf pem = BUF_INIT;

	memset(p, 0, sizeof(*p));
	make_pem(&pem, rsa);
	p->server_tls = make_server(buf_str(&pem), STR(""));
	assert_non_null(tlsctx_get(p->server_tls));
	p->client_ctx = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_min_proto_version(p->client_ctx, version);
	SSL_CTX_set_max_proto_version(p->client_ctx, version);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, p->fd), 0);
	p->server = tlsconn_new(tlsctx_get(p->server_tls), p->fd[0], on_shaken, p);
	p->client = SSL_new(p->client_ctx);
	SSL_set_bio(p->client, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	SSL_set_connect_state(p->client);
	buf_deinit(&pem);
}

static void pair_deinit(struct pair *p)
{
	tlsconn_free(&p->server);
	SSL_free(p->client);
	tlsctx_free(&p->server_tls);
	SSL_CTX_free(p->client_ctx);
	close(p->fd[0]);
	close(p->fd[1]);
	ERR_clear_error();
}

/* Carries up to max bytes from the client to the server's socket. */
static size_t carry_up(struct pair *p, size_t max)
{
	char b[70000];
	int n = BIO_read(SSL_get_wbio(p->client), b, (int)(max < sizeof(b) ? max : sizeof(b)));

	if (n > 0)
		assert_int_equal(write(p->fd[1], b, (size_t)n), n);
	return n > 0 ? (size_t)n : 0;
}

static void carry_down(struct pair *p)
{
	char b[70000];
	ssize_t n;

	while ((n = read(p->fd[1], b, sizeof(b))) > 0)
		BIO_write(SSL_get_rbio(p->client), b, (int)n);
}

static void shake(struct pair *p, size_t piece)
{
	char b[100];

	for (int i = 0; i < 20000 && !(p->server->shaken && SSL_is_init_finished(p->client)); i++) {
		SSL_do_handshake(p->client);
		carry_up(p, piece);
		assert_int_equal(tlsconn_read(p->server, b, sizeof(b)), -1);
		assert_int_equal(errno, EAGAIN);
		carry_down(p);
	}
	assert_true(p->server->shaken);
	assert_int_equal(p->shaken, 1);
	SSL_read(p->client, b, sizeof(b)); /* the ticket */
}

/* ---- tests ------------------------------------------------------------------------------------ */

static void test_pieces(void **state)
{
	static const size_t pieces[] = {1, 7, 300, 70000};
	static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

	for (size_t v = 0; v < ARRAY_LEN(versions); v++)
		for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
			struct pair p;
			char got[100];
			size_t n = 0;

			pair_init(&p, versions[v], i == 1);
			shake(&p, pieces[i]);
			SSL_write(p.client, "hello ", 6);
			SSL_write(p.client, "world", 5);
			for (int k = 0; k < 1000 && n < 11; k++) {
				ssize_t r;

				carry_up(&p, pieces[i]);
				r = tlsconn_read(p.server, got + n, sizeof(got) - n);
				n += r > 0 ? (size_t)r : 0;
			}
			assert_int_equal(n, 11);
			assert_memory_equal(got, "hello world", 11);
			assert_null(p.server->rest.p);
			assert_int_equal(tlsconn_send(p.server, "answer", 6), 1);
			carry_down(&p);
			assert_int_equal(SSL_read(p.client, got, sizeof(got)), 6);
			pair_deinit(&p);
		}
}

/* Half a record is never with OpenSSL, and whole ones wait with us when the reader takes less. */
static void test_rest(void **state)
{
	struct pair p;
	char b[64], big[1000];

	pair_init(&p, TLS1_3_VERSION, 0);
	shake(&p, 70000);
	SSL_write(p.client, "one", 3);
	SSL_write(p.client, "two", 3);
	SSL_write(p.client, "three", 5);
	carry_up(&p, 25 + 25 + 10); /* two records of 5 + 3 + 1 + 16 bytes, and a piece */
	assert_int_equal(tlsconn_read(p.server, b, 3), 3);
	assert_true(tlsconn_pending(p.server));
	assert_int_equal(p.server->rest.n, 25 + 10);
	assert_int_equal(tlsconn_read(p.server, b, 3), 3);
	assert_memory_equal(b, "two", 3);
	assert_false(tlsconn_pending(p.server));
	assert_int_equal(p.server->rest.n, 10);
	carry_up(&p, 70000);
	assert_int_equal(tlsconn_read(p.server, b, sizeof(b)), 5);
	assert_memory_equal(b, "three", 5);
	assert_null(p.server->rest.p);
	assert_int_equal(tlsconn_read(p.server, b, sizeof(b)), -1);
	assert_int_equal(errno, EAGAIN);
	/* A record of which only a part is read lies with OpenSSL, decrypted. */
	memset(big, 'x', sizeof(big));
	SSL_write(p.client, big, sizeof(big));
	carry_up(&p, 70000);
	assert_int_equal(tlsconn_read(p.server, b, 10), 10);
	assert_true(tlsconn_pending(p.server));
	pair_deinit(&p);
}

static void test_counts(void **state)
{
	struct pair p;
	char b[64];

	pair_init(&p, TLS1_3_VERSION, 0);
	shake(&p, 70000);
	assert_int_equal(p.server->records_in, 0);
	assert_int_equal(p.server->records_out, 1); /* the ticket */
	for (int i = 0; i < 3; i++) {
		SSL_write(p.client, "x", 1);
		carry_up(&p, 70000);
		assert_int_equal(tlsconn_read(p.server, b, sizeof(b)), 1);
		assert_int_equal(tlsconn_send(p.server, "yy", 2), 1);
	}
	assert_int_equal(p.server->records_in, 3);
	assert_int_equal(p.server->records_out, 4);
	pair_deinit(&p);
}

static void test_blocked(void **state)
{
	struct pair p;
	char *big = xmalloc(TLSCONN_BATCH), *got = xmalloc(TLSCONN_BATCH);
	size_t sent = 0, n = 0;
	int r = 1;

	pair_init(&p, TLS1_3_VERSION, 0);
	shake(&p, 70000);
	memset(big, 'q', TLSCONN_BATCH);
	while (r == 1) {
		r = tlsconn_send(p.server, big, TLSCONN_BATCH);
		sent += TLSCONN_BATCH;
	}
	assert_int_equal(r, 0);
	assert_true(p.server->out.n > 0 && p.server->out.n < TLSCONN_BATCH + 8192);
	for (int i = 0; i < 100 && n < sent; i++) {
		int k;

		carry_down(&p);
		assert_true(tlsconn_flush(p.server) >= 0);
		while ((k = SSL_read(p.client, got, TLSCONN_BATCH)) > 0)
			n += (size_t)k;
	}
	assert_int_equal(n, sent);
	assert_null(p.server->out.p);
	free(big);
	free(got);
	pair_deinit(&p);
}

/* The state moves to another owner in the middle of a record, both ways. */
static void test_release(void **state)
{
	struct pair p;
	struct tlsconn *shell;
	char b[64];

	pair_init(&p, TLS1_3_VERSION, 0);
	shake(&p, 70000);
	SSL_write(p.client, "first", 5);
	SSL_write(p.client, "second", 6);
	carry_up(&p, 27 + 9);
	assert_int_equal(tlsconn_read(p.server, b, sizeof(b)), 5);
	shell = p.server;
	p.server = tlsconn_release(shell, p.fd[0]);
	assert_int_equal(tlsconn_read(shell, b, sizeof(b)), 0);
	tlsconn_free(&shell);
	carry_up(&p, 70000);
	assert_int_equal(tlsconn_read(p.server, b, sizeof(b)), 6);
	assert_memory_equal(b, "second", 6);
	assert_int_equal(tlsconn_send(p.server, "ok", 2), 1);
	carry_down(&p);
	assert_int_equal(SSL_read(p.client, b, sizeof(b)), 2);
	pair_deinit(&p);
}

static void test_ends(void **state)
{
	struct pair p;
	char b[64];

	pair_init(&p, TLS1_3_VERSION, 0);
	shake(&p, 70000);
	SSL_write(p.client, "last", 4);
	SSL_shutdown(p.client);
	carry_up(&p, 70000);
	assert_int_equal(tlsconn_read(p.server, b, sizeof(b)), 4);
	assert_int_equal(tlsconn_read(p.server, b, sizeof(b)), 0);
	tlsconn_shutdown(p.server);
	carry_down(&p);
	assert_true(SSL_read(p.client, b, sizeof(b)) <= 0);
	assert_true(SSL_get_shutdown(p.client) & SSL_RECEIVED_SHUTDOWN);
	pair_deinit(&p);

	/* The end of the stream within a record: what is whole before it counts, the half does not. */
	pair_init(&p, TLS1_3_VERSION, 0);
	shake(&p, 70000);
	SSL_write(p.client, "whole", 5);
	SSL_write(p.client, "half", 4);
	carry_up(&p, 27 + 12);
	shutdown(p.fd[1], SHUT_WR);
	assert_int_equal(tlsconn_read(p.server, b, sizeof(b)), 5);
	assert_int_equal(tlsconn_read(p.server, b, sizeof(b)), 0);
	pair_deinit(&p);
}

static void garbage(const char *bytes, size_t n)
{
	struct pair p;
	char b[64];

	pair_init(&p, TLS1_3_VERSION, 0);
	assert_int_equal(write(p.fd[1], bytes, n), n);
	assert_int_equal(tlsconn_read(p.server, b, sizeof(b)), -1);
	assert_int_equal(errno, EPROTO);
	assert_non_null(p.server->error);
	assert_int_equal(tlsconn_read(p.server, b, sizeof(b)), -1);
	assert_int_equal(tlsconn_send(p.server, "x", 1), -1);
	pair_deinit(&p);
}

static void test_garbage(void **state)
{
	garbage("a1 LOGIN bob secret\r\n", 21);
	garbage("\x16\x03\x01\x00\x04zzzz", 9);
	garbage("\x17\x03\x03\x00\x04zzzz", 9);
	garbage("\x80\x2e\x01\x03\x01\x00\x15", 7);
	garbage("\x16\x03\x01\x7f\xff", 5);
}

/* No context comes of it, and the server goes on. */
static void refused(struct str cert, struct str key)
{
	struct tlsctx *t = make_server(cert, key);

	assert_null(tlsctx_get(t));
	tlsctx_free(&t);
}

static void test_versions(void **state)
{
	struct pair p;
	char b[64];

	pair_init(&p, TLS1_3_VERSION, 0);
	SSL_CTX_set_security_level(p.client_ctx, 0);
	SSL_set_security_level(p.client, 0);
	SSL_set_min_proto_version(p.client, TLS1_VERSION);
	SSL_set_max_proto_version(p.client, TLS1_1_VERSION);
	SSL_do_handshake(p.client);
	carry_up(&p, 70000);
	assert_int_equal(tlsconn_read(p.server, b, sizeof(b)), -1);
	assert_int_equal(errno, EPROTO);
	pair_deinit(&p);

	/* No renegotiation (B20). */
	pair_init(&p, TLS1_2_VERSION, 0);
	shake(&p, 70000);
	SSL_renegotiate(p.client);
	SSL_do_handshake(p.client);
	carry_up(&p, 70000);
	assert_int_equal(tlsconn_read(p.server, b, sizeof(b)), -1);
	assert_int_equal(p.shaken, 1);
	carry_down(&p);
	assert_true(SSL_do_handshake(p.client) <= 0);
	pair_deinit(&p);

	refused(STR("rubbish"), STR(""));
	refused(STR(""), STR(""));
}

static void test_key_mismatch(void **state)
{
	struct buf one = BUF_INIT, two = BUF_INIT;

	make_pem(&one, 0);
	make_pem(&two, 0);
	refused(buf_str(&one), buf_str(&two));
	buf_deinit(&one);
	buf_deinit(&two);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pieces),	     cmocka_unit_test(test_rest),
		cmocka_unit_test(test_counts),	     cmocka_unit_test(test_blocked),
		cmocka_unit_test(test_release),	     cmocka_unit_test(test_ends),
		cmocka_unit_test(test_garbage),	     cmocka_unit_test(test_versions),
		cmocka_unit_test(test_key_mismatch),
	};

	struct err e;

	if (settings_load(&set, &(struct settings_opts){.file = "/dev/null", .no_env = true}, NULL,
			  &e))
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
