/* SPDX-License-Identifier: Apache-2.0 */
#include "common/sys/tlspolicy.h"
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include "common/base/buf.h"
#include "common/sys/tlscert.h"

enum tlspolicy_verify tlspolicy_verify(const struct settings *set)
{
	if (strcmp(set->tls_verifypeer, "PEER") == 0)
		return TLSPOLICY_PEER;
	return strcmp(set->tls_verifypeer, "REQUIREPEER") == 0 ? TLSPOLICY_REQUIRE : TLSPOLICY_NONE;
}

int tlspolicy_version(const char *word, bool *raised)
{
	struct str w = str_c(word);

	*raised = false;
	if (str_eq(w, STR("TLSv1.3")))
		return TLS1_3_VERSION;
	*raised = w.n && !str_starts(w, STR("TLSv1.2"));
	return TLS1_2_VERSION;
}

int tlspolicy_starttls_version(const struct settings *set)
{
	bool raised;
	const char *word = set->tls_starttls_protocol;

	return tlspolicy_version(word[0] ? word : set->tls_protocol, &raised);
}

/* RFC 7301 3.2: what the client offers is not ours: no_application_protocol. */
static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *outlen,
			   const unsigned char *in, unsigned inlen, void *arg)
{
	const struct settings *set = arg;
	struct str ours = str_c(set->tls_alpn);

	for (unsigned i = 0; i < inlen; i += 1U + in[i])
		if (i + 1 + in[i] <= inlen && str_eq(str_mem(in + i + 1, in[i]), ours)) {
			*out = in + i + 1;
			*outlen = in[i];
			return SSL_TLSEXT_ERR_OK;
		}
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/*
 * AES-128 first: half the CPU of AES-256 per byte, and the cipher that RFC 8446 9.1 makes mandatory.
 * Clients whose first choice is ChaCha20 have no AES instructions and get that.
 */
static int set_ciphers(SSL_CTX *c, const char *list, struct err *e)
{
	struct buf v13 = BUF_INIT, v12 = BUF_INIT;
	struct str rest = str_c(list);
	int ok;

	while (rest.p) {
		struct str word = rest;
		struct buf *b;

		word.n = strcspn(rest.p, ": ,");
		rest = rest.p[word.n] ? str_from(rest, word.n + 1) : STR_NONE;
		if (!word.n)
			continue;
		b = str_starts(word, STR("TLS_")) ? &v13 : &v12;
		if (b->n)
			buf_putc(b, ':');
		buf_str_put(b, word);
	}
	if (!v13.n)
		buf_puts(
			&v13,
			"TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256");
	if (!v12.n)
		buf_puts(&v12, "ECDHE+AESGCM:ECDHE+CHACHA20");
	ok = SSL_CTX_set_ciphersuites(c, buf_cstr(&v13)) == 1 &&
	     SSL_CTX_set_cipher_list(c, buf_cstr(&v12)) == 1;
	buf_deinit(&v13);
	buf_deinit(&v12);
	return ok ? 0 : err_set(e, 0, "TLS_CIPHER_LIST=%.100s: %s", list, tlscert_error());
}

/* A ticket is good only where client certificates are treated the same. */
static int set_sessions(SSL_CTX *c, const struct settings *set, struct err *e)
{
	char id[SSL_MAX_SID_CTX_LENGTH];
	int n = snprintf(id, sizeof(id), "posthouse %s", set->tls_verifypeer);
	bool none = set->tls_tickets == 0 || tlspolicy_verify(set) == TLSPOLICY_REQUIRE;

	SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_timeout(c, (long)set->tls_ticket_lifetime);
	if (none)
		SSL_CTX_set_options(c, SSL_OP_NO_TICKET);
	if (SSL_CTX_set_num_tickets(c, none ? 0 : (size_t)set->tls_tickets) != 1 ||
	    SSL_CTX_set_session_id_context(c, (const uint8_t *)id, (unsigned)n) != 1)
		return err_set(e, 0, "TLS_TICKETS: %s", tlscert_error());
	return 0;
}

static int apply(SSL_CTX *c, const struct settings *set, struct err *e)
{
	bool raised;

	SSL_CTX_set_options(c, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
				       SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA |
				       SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	if (SSL_CTX_set_min_proto_version(c, tlspolicy_version(set->tls_protocol, &raised)) != 1)
		return err_set(e, 0, "TLS_PROTOCOL: %s", tlscert_error());
	if (strlen(set->tls_alpn) > 255)
		return err_set(e, 0, "TLS_ALPN is longer than 255 bytes");
	if (set->tls_alpn[0])
		SSL_CTX_set_alpn_select_cb(c, choose_protocol, (void *)set);
	if (set_ciphers(c, set->tls_cipher_list, e))
		return -1;
	return set_sessions(c, set, e);
}

SSL_CTX *tlspolicy_new(const struct settings *set, struct err *e)
{
	SSL_CTX *c;

	ERR_clear_error();
	c = SSL_CTX_new(TLS_server_method());
	if (!c) {
		err_set(e, 0, "TLS context: %s", tlscert_error());
		return NULL;
	}
	if (apply(c, set, e)) {
		SSL_CTX_free(c);
		return NULL;
	}
	return c;
}

static int no_passphrase(char *p, int n, int rw, void *ctx)
{
	return -1;
}

/* True: at least one was there, and what followed the last one was no broken one. */
static bool add_all(X509_STORE *s, struct str pem, bool lists)
{
	BIO *b = BIO_new_mem_buf(pem.p, (int)pem.n);
	unsigned n = 0;
	bool ok = true, more = true;

	while (ok && more) {
		X509 *x = lists ? NULL : PEM_read_bio_X509(b, NULL, no_passphrase, NULL);
		X509_CRL *l = lists ? PEM_read_bio_X509_CRL(b, NULL, no_passphrase, NULL) : NULL;

		more = x || l;
		if (x)
			ok = X509_STORE_add_cert(s, x) == 1;
		if (l)
			ok = X509_STORE_add_crl(s, l) == 1;
		n += more;
		X509_free(x);
		X509_CRL_free(l);
	}
	BIO_free(b);
	if (ok && n && ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE) {
		ERR_clear_error();
		return true;
	}
	return false;
}

X509_STORE *tlspolicy_trust(struct str ca, struct str crl, struct err *e)
{
	X509_STORE *s = X509_STORE_new();
	const char *bad = NULL;

	ERR_clear_error();
	if (!add_all(s, ca, false))
		bad = "TLS_TRUSTCERTS: no usable certificate";
	else if (crl.n && !add_all(s, crl, true))
		bad = "TLS_CRLFILE: no usable revocation list";
	if (bad) {
		err_set(e, 0, "%s: %s", bad, tlscert_error());
		X509_STORE_free(s);
		return NULL;
	}
	if (crl.n)
		X509_STORE_set_flags(s, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
	X509_STORE_set_purpose(s, X509_PURPOSE_SSL_CLIENT);
	X509_VERIFY_PARAM_set_auth_level(X509_STORE_get0_param(s), 2); /* as Debian sets it for TLS */
	return s;
}
