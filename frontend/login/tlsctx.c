/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/login/tlsctx.h"
#include <openssl/err.h>
#include <openssl/pem.h>

const char *tlsctx_error(void)
{
	const char *reason = ERR_reason_error_string(ERR_peek_error());

	ERR_clear_error();
	return reason ? reason : "connection closed";
}

static int fault(struct err *e, const char *what)
{
	return err_set(e, 0, "%s: %s", what, tlsctx_error());
}

/* Keys with a passphrase can't be used here: nobody is there to ask. */
static int no_passphrase(char *p, int n, int rw, void *ctx)
{
	return -1;
}

static int use_chain(SSL_CTX *c, struct str pem, struct err *e)
{
	BIO *b = BIO_new_mem_buf(pem.p, (int)pem.n);
	X509 *x = PEM_read_bio_X509_AUX(b, NULL, no_passphrase, NULL);
	int rc = 0;

	if (!x || SSL_CTX_use_certificate(c, x) != 1)
		rc = fault(e, "no usable certificate");
	X509_free(x);
	while (rc == 0 && (x = PEM_read_bio_X509(b, NULL, no_passphrase, NULL)))
		if (SSL_CTX_add0_chain_cert(c, x) != 1) {
			X509_free(x);
			rc = fault(e, "certificate chain");
		}
	BIO_free(b);
	ERR_clear_error(); /* the end of the file counts as an error */
	return rc;
}

static int use_key(SSL_CTX *c, struct str pem, struct err *e)
{
	BIO *b = BIO_new_mem_buf(pem.p, (int)pem.n);
	EVP_PKEY *k = PEM_read_bio_PrivateKey(b, NULL, no_passphrase, NULL);
	int rc = 0;

	if (!k || SSL_CTX_use_PrivateKey(c, k) != 1)
		rc = fault(e, "no usable private key");
	else if (SSL_CTX_check_private_key(c) != 1)
		rc = fault(e, "private key and certificate");
	EVP_PKEY_free(k);
	BIO_free(b);
	return rc;
}

/*
 * AES-128 first: half the CPU of AES-256 per byte, and the cipher that RFC 8446 9.1 makes mandatory.
 * Clients whose first choice is ChaCha20 have no AES instructions and get that.
 */
static int protocols(SSL_CTX *c, unsigned tickets, struct err *e)
{
	static const char v13[] = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:"
				  "TLS_CHACHA20_POLY1305_SHA256";
	static const char v12[] = "ECDHE+AESGCM:ECDHE+CHACHA20";

	SSL_CTX_set_options(c, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
				       SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA |
				       SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
	if (tickets == 0)
		SSL_CTX_set_options(c, SSL_OP_NO_TICKET);
	if (SSL_CTX_set_min_proto_version(c, TLS1_2_VERSION) != 1 ||
	    SSL_CTX_set_ciphersuites(c, v13) != 1 || SSL_CTX_set_cipher_list(c, v12) != 1 ||
	    SSL_CTX_set_num_tickets(c, tickets) != 1 ||
	    SSL_CTX_set_session_id_context(c, (const uint8_t *)"posthouse", 9) != 1)
		return fault(e, "TLS protocols");
	return 0;
}

SSL_CTX *tlsctx_new(struct str cert, struct str key, unsigned tickets, struct err *e)
{
	SSL_CTX *c;

	ERR_clear_error();
	c = SSL_CTX_new(TLS_server_method());
	if (!c) {
		fault(e, "TLS context");
		return NULL;
	}
	if (protocols(c, tickets, e) || use_chain(c, cert, e) || use_key(c, key.n ? key : cert, e)) {
		SSL_CTX_free(c);
		return NULL;
	}
	return c;
}
