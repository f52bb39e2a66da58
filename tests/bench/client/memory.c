/* SPDX-License-Identifier: Apache-2.0 */
/* Handshakes in memory: what OpenSSL alone costs on the server's side, without sockets or anything of ours. */
#include "tests/bench/client/client.h"

#include <openssl/x509.h>
#include <stdlib.h>
#include <time.h>

static SSL_CTX *server_context(void)
{
	SSL_CTX *c = SSL_CTX_new(TLS_server_method());
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = X509_new();

	X509_gmtime_adj(X509_getm_notBefore(x), 0);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	X509_set_pubkey(x, key);
	X509_sign(x, key, EVP_sha256());
	SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(c, 1);
	if (SSL_CTX_use_cert_and_key(c, x, key, NULL, 1) != 1)
		die("certificate");
	X509_free(x);
	EVP_PKEY_free(key);
	return c;
}

static uint64_t cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* One handshake with a greeting; CPU time of the server's calls. */
static uint64_t one(SSL_CTX *server_ctx, SSL_CTX *client_ctx)
{
	BIO *up = BIO_new(BIO_s_mem()), *down = BIO_new(BIO_s_mem());
	SSL *client = SSL_new(client_ctx), *server;
	uint64_t spent = 0, begin;
	char b[100];

	BIO_up_ref(up);
	BIO_up_ref(down);
	SSL_set_bio(client, down, up);
	SSL_set_connect_state(client);
	SSL_do_handshake(client);
	begin = cpu_ns();
	server = SSL_new(server_ctx);
	SSL_set_bio(server, up, down);
	SSL_set_accept_state(server);
	SSL_do_handshake(server);
	spent += cpu_ns() - begin;
	if (SSL_do_handshake(client) != 1)
		die("handshake in memory");
	begin = cpu_ns();
	if (SSL_do_handshake(server) != 1 || SSL_write(server, "* OK\r\n", 6) != 6)
		die("handshake in memory");
	SSL_free(server);
	spent += cpu_ns() - begin;
	if (SSL_read(client, b, sizeof(b)) != 6)
		die("greeting in memory");
	SSL_free(client);
	return spent;
}

void work_memory(const struct target *t, int argc, char **argv)
{
	int times = (int)strtol(argv[0], NULL, 10);
	SSL_CTX *server = server_context(), *client = SSL_CTX_new(TLS_client_method());
	uint64_t spent = 0;

	for (int i = 0; i < times; i++)
		spent += one(server, client);
	result("cpu", (double)spent / 1e9 / times);
	SSL_CTX_free(server);
	SSL_CTX_free(client);
}
