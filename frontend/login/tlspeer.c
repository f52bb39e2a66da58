/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/login/tlspeer.h"
#include <openssl/err.h>
#include <openssl/x509.h>
#include "common/base/ensure.h"
#include "common/sys/certfield.h"
#include "frontend/login/tlsconn.h"
#include "frontend/login/tlsctx.h"

enum { HEADER = 4, EMPTY_12 = 3, EMPTY_13 = 4 };

struct tlspeer {
	struct buf messages;
	bool over;     /* nothing more is collected */
	bool has_cert; /* the client showed one */
};

struct tlspeer *tlspeer_new(void)
{
	return xcalloc(1, sizeof(struct tlspeer));
}

void tlspeer_free(struct tlspeer **p)
{
	if (!*p)
		return;
	buf_deinit(&(*p)->messages);
	free(*p);
	*p = NULL;
}

static void give_up(struct tlspeer *p)
{
	p->over = true;
	buf_deinit(&p->messages);
}

/* RFC 5246 7.4.6, RFC 8446 4.4.2: an empty list of certificates. */
static bool is_empty(struct str message, int version)
{
	return message.n <= HEADER + (version == TLS1_3_VERSION ? EMPTY_13 : EMPTY_12);
}

void tlspeer_message(struct tlspeer *p, SSL *ssl, bool write, struct str m)
{
	uint8_t type = m.n ? (uint8_t)m.p[0] : 0;

	if (p->over)
		return;
	/* Resumed, or no certificate was asked for. */
	if (!write && type == SSL3_MT_FINISHED) {
		give_up(p);
		return;
	}
	if (!write && type == SSL3_MT_CERTIFICATE) {
		p->has_cert = !is_empty(m, SSL_version(ssl));
		/* See tickets.c: this session can't be resumed. */
		if (p->has_cert)
			SSL_set_num_tickets(ssl, 0);
		else
			give_up(p);
	}
	if (p->over)
		return;
	if (p->messages.n + m.n > AUTH_PROOF_MAX) {
		give_up(p);
		return;
	}
	buf_str_put(&p->messages, m);
	p->over = !write && type == SSL3_MT_CERTIFICATE_VERIFY;
}

/* ---- channel bindings ------------------------------------------------------------------------ */

/* RFC 9266 4.2: with TLS 1.2 only where the master secret is bound to the handshake (RFC 7627). */
static struct str exporter(SSL *ssl, struct arena *a)
{
	static const char label[] = "EXPORTER-Channel-Binding";
	uint8_t out[32];

	if (SSL_version(ssl) < TLS1_3_VERSION && SSL_get_extms_support(ssl) != 1)
		return STR("");
	if (SSL_export_keying_material(ssl, out, sizeof(out), label, sizeof(label) - 1,
				       (const uint8_t *)"", 0, 1) != 1)
		return STR("");
	return arena_str(a, str_mem(out, sizeof(out)));
}

/* RFC 5929 4.1. Signatures without a hash of their own (Ed25519) have no such binding. */
static struct str endpoint(struct tlsctx *ctx, const struct tlsconn *t, struct arena *a)
{
	/* OpenSSL doesn't remember which one a resumed session was begun with. */
	const struct tlscert *c = tlsctx_find(
		ctx, SSL_get_servername(t->ssl, TLSEXT_NAMETYPE_host_name), t->local_ip);
	const X509 *x = SSL_session_reused(t->ssl) && c ? c->leaf : SSL_get_certificate(t->ssl);
	uint8_t out[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	int hash = NID_undef;

	if (!x || X509_get_signature_info((X509 *)x, &hash, NULL, NULL, NULL) != 1 ||
	    hash == NID_undef)
		return STR("");
	if (hash == NID_md5 || hash == NID_sha1)
		hash = NID_sha256;
	if (X509_digest(x, EVP_get_digestbynid(hash), out, &n) != 1)
		return STR("");
	return arena_str(a, str_mem(out, n));
}

/* ---- for authd ------------------------------------------------------------------------------- */

static void put_der(struct buf *b, const X509 *x)
{
	uint8_t *der = NULL;
	int n = x ? i2d_X509(x, &der) : 0;

	if (n > 0 && b->n + (size_t)n <= AUTH_CERT_MAX)
		buf_put(b, der, (size_t)n);
	OPENSSL_free(der);
}

static void fill_cert(const struct tlsconn *t, struct auth_peer *p, struct arena *a)
{
	STACK_OF(X509) *chain = SSL_get_peer_cert_chain(t->ssl);
	long fault = SSL_get_verify_result(t->ssl);
	struct buf der = BUF_INIT;

	put_der(&der, SSL_get0_peer_certificate(t->ssl));
	for (int i = 0; der.n && i < sk_X509_num(chain); i++)
		put_der(&der, sk_X509_value(chain, i));
	p->cert = arena_str(a, buf_str(&der));
	if (fault != X509_V_OK)
		p->cert_fault = arena_str(a, str_c(X509_verify_cert_error_string(fault)));
	if (t->peer->over)
		p->cert_proof = arena_str(a, buf_str(&t->peer->messages));
	buf_deinit(&der);
}

static bool may_bind(enum sasl_id m)
{
	return m == SASL_SCRAM_SHA_1_PLUS || m == SASL_SCRAM_SHA_256_PLUS ||
	       m == SASL_SCRAM_SHA_1 || m == SASL_SCRAM_SHA_256;
}

void tlspeer_fill(const struct tlsconn *t, struct tlsctx *ctx, enum sasl_id mechanism,
		  struct auth_peer *p, struct arena *a)
{
	p->sni = arena_str(a, str_c(SSL_get_servername(t->ssl, TLSEXT_NAMETYPE_host_name)));
	if (t->peer && t->peer->has_cert)
		fill_cert(t, p, a);
	if (may_bind(mechanism)) {
		p->cb_exporter = exporter(t->ssl, a);
		p->cb_endpoint = endpoint(ctx, t, a);
	}
	ERR_clear_error();
}

bool tlspeer_external(const struct tlsconn *t, const struct settings *set)
{
	struct buf value = BUF_INIT;
	bool ok;

	if (!set->tls_external[0] || !t->peer || !t->peer->has_cert || !t->peer->messages.n ||
	    SSL_get_verify_result(t->ssl) != X509_V_OK)
		return false;
	ok = certfield_get(SSL_get0_peer_certificate(t->ssl), set->tls_external, &value) == NULL;
	buf_deinit(&value);
	return ok;
}
