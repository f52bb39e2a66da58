/* SPDX-License-Identifier: Apache-2.0 */
/* A real handshake is recorded by the worker's code and shown to authd's, whole and altered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include "common/base/ensure.h"
#include "common/ipc/certs.h"
#include "common/ipc/supervise.h"
#include "common/sys/tlsproof.h"
#include "frontend/authd/clientcert.h"
#include "frontend/login/tlsconn.h"
#include "frontend/login/tlsctx.h"
#include "frontend/login/tlspeer.h"

static struct settings set;

/* ---- certificates ------------------------------------------------------------------------------- */

struct id {
	X509 *cert;
	EVP_PKEY *key;
};

static void extension(X509 *x, int nid, const char *value)
{
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	assert_non_null(e);
	X509_add_ext(x, e, -1);
	X509_EXTENSION_free(e);
}

static void id_make(struct id *id, const char *cn, size_t n, const struct id *ca, EVP_PKEY *key)
{
	static int serial = 0x1000;
	X509 *x = X509_new();
	X509_NAME *name = X509_get_subject_name(x);

	X509_set_version(x, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(x), ++serial);
	X509_gmtime_adj(X509_getm_notBefore(x), -60);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	X509_NAME_add_entry_by_txt(name, "O", MBSTRING_ASC, (const uint8_t *)"Mail, Inc.", -1, -1,
				   0);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const uint8_t *)cn, (int)n, -1, 0);
	X509_set_issuer_name(x, ca ? X509_get_subject_name(ca->cert) : name);
	X509_set_pubkey(x, key);
	extension(x, NID_basic_constraints, ca ? "CA:FALSE" : "critical,CA:TRUE");
	X509_sign(x, ca ? ca->key : key, EVP_sha256());
	id->cert = x;
	id->key = key;
}

static void id_free(struct id *id)
{
	X509_free(id->cert);
	EVP_PKEY_free(id->key);
}

static void put_pem(struct buf *b, const struct id *id, bool key)
{
	BIO *o = BIO_new(BIO_s_mem());
	char *p;
	long n;

	PEM_write_bio_X509(o, id->cert);
	if (key)
		PEM_write_bio_PrivateKey(o, id->key, NULL, NULL, 0, NULL, NULL);
	n = BIO_get_mem_data(o, &p);
	buf_put(b, p, (size_t)n);
	BIO_free(o);
}

/* ---- one handshake ------------------------------------------------------------------------------ */

struct world {
	struct id ca, server, client;
	struct tlsctx *tls;
	struct clientcert *cc;
	struct arena arena;
	struct auth_peer peer;
};

static bool on_shaken(void *ctx)
{
	*(bool *)ctx = true;
	return false;
}

static void carry(SSL *client, int fd, struct tlsconn *server)
{
	char b[70000];
	int n;
	ssize_t r;

	for (int i = 0; i < 6; i++) {
		SSL_do_handshake(client);
		while ((n = BIO_read(SSL_get_wbio(client), b, sizeof(b))) > 0)
			assert_int_equal(write(fd, b, (size_t)n), n);
		tlsconn_read(server, b, sizeof(b));
		while ((r = read(fd, b, sizeof(b))) > 0)
			BIO_write(SSL_get_rbio(client), b, (int)r);
	}
}

static void handshake(struct world *w, int version, bool retry)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *client;
	struct tlsconn *server;
	bool shaken = false;
	int fd[2];

	SSL_CTX_set_min_proto_version(ctx, version);
	SSL_CTX_set_max_proto_version(ctx, version);
	if (w->client.cert)
		assert_int_equal(
			SSL_CTX_use_cert_and_key(ctx, w->client.cert, w->client.key, NULL, 1), 1);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
	server = tlsconn_new(tlsctx_get(w->tls), fd[0], on_shaken, &shaken);
	if (retry)
		SSL_set1_groups_list(server->ssl, "P-384");
	client = SSL_new(ctx);
	SSL_set_bio(client, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	SSL_set_connect_state(client);
	SSL_set_tlsext_host_name(client, "mail.example.com");
	carry(client, fd[1], server);
	assert_true(shaken);
	w->peer = (struct auth_peer){.proxied = false};
	tlspeer_fill(server, w->tls, SASL_SCRAM_SHA_256_PLUS, &w->peer, &w->arena);
	assert_int_equal(tlspeer_external(server, &set), w->client.cert != NULL);
	SSL_free(client);
	SSL_CTX_free(ctx);
	tlsconn_free(&server);
	close(fd[0]);
	close(fd[1]);
}

static void tell_servers(struct world *w, const struct id *id)
{
	uint8_t digest[32];
	unsigned n;

	X509_digest(id->cert, EVP_sha256(), digest, &n);
	clientcert_servers(w->cc, str_mem(digest, n));
}

static void world_init(struct world *w, EVP_PKEY *client)
{
	struct buf records = BUF_INIT, pem = BUF_INIT, ca = BUF_INIT;
	char keys[SUP_TICKET_KEY_LEN] = "test";
	struct certs_record r = {
		.there = true, .name = STR(""), .file = STR("tls.pem"), .key = STR("")};
	struct err e;

	memset(w, 0, sizeof(*w));
	id_make(&w->ca, "CA", 2, NULL, EVP_EC_gen("P-256"));
	id_make(&w->server, "mail.example.com", 16, &w->ca, EVP_EC_gen("P-256"));
	if (client)
		id_make(&w->client, "demo", 4, &w->ca, client);
	put_pem(&pem, &w->server, true);
	r.cert = buf_str(&pem);
	certs_record_put(&records, &r);
	put_pem(&ca, &w->ca, false);
	w->tls = tlsctx_new(&set);
	tlsctx_take_keys(w->tls, str_mem(keys, sizeof(keys)));
	tlsctx_take_trust(w->tls, buf_str(&ca), STR(""));
	assert_int_equal(tlsctx_take_certs(w->tls, buf_str(&records)), 0);
	w->cc = clientcert_new();
	assert_int_equal(clientcert_trust(w->cc, buf_str(&ca), STR(""), &e), 0);
	tell_servers(w, &w->server);
	buf_deinit(&records);
	buf_deinit(&pem);
	buf_deinit(&ca);
}

static void world_free(struct world *w)
{
	tlsctx_free(&w->tls);
	clientcert_free(&w->cc);
	id_free(&w->ca);
	id_free(&w->server);
	id_free(&w->client);
	arena_deinit(&w->arena);
	ERR_clear_error();
}

static const char *check(struct world *w)
{
	static struct err e;

	return clientcert_check(w->cc, &w->peer, &e) ? e.text : NULL;
}

/* ---- tests -------------------------------------------------------------------------------------- */

static void accepted(EVP_PKEY *key, int version, bool retry)
{
	struct buf user = BUF_INIT;
	struct world w;
	struct err e;

	world_init(&w, key);
	handshake(&w, version, retry);
	assert_true(str_eq(w.peer.sni, STR("mail.example.com")));
	assert_int_equal(w.peer.cb_exporter.n, 32);
	assert_int_equal(w.peer.cb_endpoint.n, 32);
	assert_null(check(&w));
	assert_int_equal(clientcert_user(&w.peer, "cn", &user, &e), 0);
	assert_true(str_eq(buf_str(&user), STR("demo")));
	buf_deinit(&user);
	world_free(&w);
}

static void test_accepted(void **state)
{
	accepted(EVP_EC_gen("P-256"), TLS1_3_VERSION, false);
	accepted(EVP_EC_gen("P-256"), TLS1_3_VERSION, true);
	accepted(EVP_EC_gen("P-256"), TLS1_2_VERSION, false);
	accepted(EVP_EC_gen("P-384"), TLS1_3_VERSION, false);
	accepted(EVP_RSA_gen(2048), TLS1_3_VERSION, false);
	accepted(EVP_RSA_gen(2048), TLS1_2_VERSION, false);
	accepted(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), TLS1_3_VERSION, false);
	accepted(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), TLS1_2_VERSION, false);
	accepted(EVP_PKEY_Q_keygen(NULL, NULL, "ED448"), TLS1_3_VERSION, true);
}

static void test_no_certificate(void **state)
{
	struct clientcert_facts f;
	struct world w;

	world_init(&w, NULL);
	handshake(&w, TLS1_3_VERSION, false);
	assert_int_equal(w.peer.cert.n + w.peer.cert_proof.n, 0);
	assert_string_equal(check(&w), "no client certificate");
	clientcert_describe(w.cc, &w.peer, &f, &w.arena);
	assert_true(str_eq(f.verify, STR("NONE")) && !f.subject.n);
	world_free(&w);
}

/* Every byte of the proof counts. */
static void forged(int version, bool retry)
{
	struct world w;
	struct str good;
	char *bytes;

	world_init(&w, EVP_EC_gen("P-256"));
	handshake(&w, version, retry);
	good = w.peer.cert_proof;
	bytes = arena_cstr(&w.arena, good);
	w.peer.cert_proof = str_mem(bytes, good.n);
	assert_null(check(&w));
	for (size_t i = 0; i < good.n; i++) {
		bytes[i] ^= 1;
		assert_non_null(check(&w));
		bytes[i] ^= 1;
	}
	for (size_t n = 0; n < good.n; n += 7) {
		w.peer.cert_proof.n = n;
		assert_string_equal(check(&w), "no proof of the certificate's key");
	}
	world_free(&w);
}

static void test_forged(void **state)
{
	forged(TLS1_3_VERSION, false);
	forged(TLS1_3_VERSION, true);
	forged(TLS1_2_VERSION, false);
}

/* Another's certificate instead of one's own: in the message alone, and in the handshake too. */
static void test_another_certificate(void **state)
{
	struct world a, b;
	struct tlsproof p;
	struct buf swapped = BUF_INIT;
	struct str mine, at;

	world_init(&a, EVP_EC_gen("P-256"));
	handshake(&a, TLS1_3_VERSION, false);
	b = a;
	id_make(&b.client, "root", 4, &a.ca, EVP_EC_gen("P-256"));
	handshake(&b, TLS1_3_VERSION, false);
	assert_null(check(&b));
	mine = a.peer.cert;
	a.peer.cert = b.peer.cert;
	assert_string_equal(check(&a), "the handshake was made with another certificate");
	assert_true(tlsproof_parse(a.peer.cert_proof, &p));
	assert_true(str_eq(p.client_cert, mine));
	at = str_mem(a.peer.cert_proof.p, (size_t)(p.client_cert.p - a.peer.cert_proof.p));
	buf_str_put(&swapped, at);
	buf_str_put(&swapped, b.peer.cert);
	buf_str_put(&swapped, str_from(a.peer.cert_proof, at.n + p.client_cert.n));
	a.peer.cert_proof = buf_str(&swapped);
	if (b.peer.cert.n == mine.n)
		assert_string_equal(check(&a), "wrong signature over the handshake");
	else
		assert_non_null(check(&a));
	buf_deinit(&swapped);
	id_free(&b.client);
	a.arena = b.arena;
	world_free(&a);
}

/* A handshake that the client made with somebody else's server. */
static void test_another_server(void **state)
{
	struct id other;
	struct world w;

	world_init(&w, EVP_EC_gen("P-256"));
	handshake(&w, TLS1_3_VERSION, false);
	id_make(&other, "elsewhere", 9, &w.ca, EVP_EC_gen("P-256"));
	tell_servers(&w, &other);
	assert_null(check(&w)); /* ours until a moment ago */
	tell_servers(&w, &other);
	assert_string_equal(check(&w), "the handshake was made with another server");
	id_free(&other);
	world_free(&w);
}

static void test_chain(void **state)
{
	struct world w, other;
	struct buf ca = BUF_INIT;
	struct err e;

	world_init(&w, EVP_EC_gen("P-256"));
	handshake(&w, TLS1_3_VERSION, false);
	assert_int_equal(clientcert_trust(w.cc, STR("rubbish"), STR(""), &e), -1);
	assert_int_equal(clientcert_trust(w.cc, STR(""), STR(""), &e), -1);
	assert_null(check(&w)); /* the one before stays */
	world_init(&other, NULL);
	put_pem(&ca, &other.ca, false);
	assert_int_equal(clientcert_trust(w.cc, buf_str(&ca), STR(""), &e), 0);
	assert_non_null(check(&w));
	buf_deinit(&ca);
	world_free(&other);
	world_free(&w);
}

static void test_nul_in_name(void **state)
{
	struct buf user = BUF_INIT;
	struct world w;
	struct err e;
	uint8_t *der = NULL;
	int n;

	world_init(&w, NULL);
	id_make(&w.client, "demo\0.evil", 10, &w.ca, EVP_EC_gen("P-256"));
	n = i2d_X509(w.client.cert, &der);
	w.peer.cert = str_mem(der, (size_t)n);
	assert_int_equal(clientcert_user(&w.peer, "CN", &user, &e), -1);
	assert_string_equal(e.text, "CN: the field has a NUL byte");
	assert_int_equal(user.n, 0);
	assert_int_equal(clientcert_user(&w.peer, "emailAddress", &user, &e), -1);
	assert_string_equal(e.text, "emailAddress: the field is missing");
	OPENSSL_free(der);
	world_free(&w);
}

static void test_describe(void **state)
{
	struct clientcert_facts f;
	struct world w;

	world_init(&w, EVP_EC_gen("P-256"));
	handshake(&w, TLS1_2_VERSION, false);
	clientcert_describe(w.cc, &w.peer, &f, &w.arena);
	assert_true(str_eq(f.verify, STR("SUCCESS")));
	assert_true(str_eq(f.subject, STR("CN=demo,O=Mail\\, Inc.")));
	assert_true(str_eq(f.issuer, STR("CN=CA,O=Mail\\, Inc.")));
	assert_int_equal(f.serial.n, 4);
	assert_int_equal(f.fingerprint.n, 40);
	assert_true(str_starts(f.pem, STR("-----BEGIN CERTIFICATE-----\nMII")));
	assert_true(str_ends(f.pem, STR("-----END CERTIFICATE-----\n")));
	w.peer.cert_proof = STR("");
	clientcert_describe(w.cc, &w.peer, &f, &w.arena);
	assert_true(str_eq(f.verify, STR("FAILED:no proof of the certificate's key")));
	world_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepted),       cmocka_unit_test(test_no_certificate),
		cmocka_unit_test(test_forged),	       cmocka_unit_test(test_another_certificate),
		cmocka_unit_test(test_another_server), cmocka_unit_test(test_chain),
		cmocka_unit_test(test_nul_in_name),    cmocka_unit_test(test_describe),
	};
	static const char *const words[] = {"TLS_VERIFYPEER=PEER", "TLS_EXTERNAL=CN", NULL};
	struct err e;

	if (settings_load(
		    &set,
		    &(struct settings_opts){.file = "/dev/null", .set = words, .no_env = true},
		    NULL, &e))
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
