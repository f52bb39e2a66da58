/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/authd/clientcert.h"
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include "common/base/ensure.h"
#include "common/base/hmap.h"
#include "common/sys/certfield.h"
#include "common/sys/tlspolicy.h"
#include "common/sys/tlsproof.h"
#include "frontend/authd/certverify.h"

enum { DIGEST = 32 };

struct clientcert {
	X509_STORE *trust;
	struct buf servers, before; /* sorted by nobody: there are few, or it is asked rarely */
};

struct clientcert *clientcert_new(void)
{
	return xcalloc(1, sizeof(struct clientcert));
}

void clientcert_free(struct clientcert **c)
{
	if (!*c)
		return;
	X509_STORE_free((*c)->trust);
	buf_deinit(&(*c)->servers);
	buf_deinit(&(*c)->before);
	free(*c);
	*c = NULL;
}

int clientcert_trust(struct clientcert *c, struct str ca, struct str crl, struct err *e)
{
	X509_STORE *s = tlspolicy_trust(ca, crl, e);

	if (!s)
		return -1;
	X509_STORE_free(c->trust);
	c->trust = s;
	return 0;
}

void clientcert_servers(struct clientcert *c, struct str digests)
{
	buf_move(&c->before, &c->servers);
	buf_str_put(&c->servers, digests);
}

static bool listed(struct str list, const uint8_t digest[DIGEST])
{
	for (size_t i = 0; i + DIGEST <= list.n; i += DIGEST)
		if (memcmp(list.p + i, digest, DIGEST) == 0)
			return true;
	return false;
}

static bool is_ours(const struct clientcert *c, struct str der)
{
	uint8_t digest[DIGEST];

	return EVP_Digest(der.p, der.n, digest, NULL, EVP_sha256(), NULL) == 1 &&
	       (listed(buf_str(&c->servers), digest) || listed(buf_str(&c->before), digest));
}

/* The first certificate of the chain; *rest is what stands behind it. */
static X509 *next_cert(struct str *rest)
{
	const uint8_t *p = (const uint8_t *)rest->p;
	X509 *x = rest->n ? d2i_X509(NULL, &p, (long)rest->n) : NULL;

	if (x)
		*rest = str_from(*rest, (size_t)(p - (const uint8_t *)rest->p));
	return x;
}

static int check_chain(const struct clientcert *c, X509 *leaf, struct str rest, struct err *why)
{
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	STACK_OF(X509) *others = sk_X509_new_null();
	X509 *x;
	int fault = X509_V_ERR_UNSPECIFIED;

	while ((x = next_cert(&rest)))
		sk_X509_push(others, x);
	if (ctx && X509_STORE_CTX_init(ctx, c->trust, leaf, others) == 1)
		fault = X509_verify_cert(ctx) == 1 ? X509_V_OK : X509_STORE_CTX_get_error(ctx);
	X509_STORE_CTX_free(ctx);
	sk_X509_pop_free(others, X509_free);
	return fault == X509_V_OK ? 0 : err_set(why, 0, "%s", X509_verify_cert_error_string(fault));
}

static int check_proof(const struct clientcert *c, const struct auth_peer *p, struct str leaf,
		       X509 *cert, struct err *why)
{
	struct tlsproof proof;

	if (!tlsproof_parse(p->cert_proof, &proof))
		return err_set(why, 0, "no proof of the certificate's key");
	if (!str_eq(proof.client_cert, leaf))
		return err_set(why, 0, "the handshake was made with another certificate");
	if (!is_ours(c, proof.server_cert))
		return err_set(why, 0, "the handshake was made with another server");
	if (!certverify(&proof, X509_get0_pubkey(cert)))
		return err_set(why, 0, "wrong signature over the handshake");
	return 0;
}

int clientcert_check(const struct clientcert *c, const struct auth_peer *p, struct err *why)
{
	struct str rest = p->cert;
	X509 *leaf = next_cert(&rest);
	int rc;

	if (!leaf)
		rc = err_set(why, 0, "no client certificate");
	else if (!c->trust)
		rc = err_set(why, 0, "no authorities");
	else if (check_chain(c, leaf, rest, why))
		rc = -1;
	else
		rc = check_proof(c, p, str_sub(p->cert, 0, p->cert.n - rest.n), leaf, why);
	X509_free(leaf);
	ERR_clear_error();
	return rc;
}

int clientcert_user(const struct auth_peer *p, const char *field, struct buf *out, struct err *why)
{
	struct str rest = p->cert;
	X509 *leaf = next_cert(&rest);
	const char *fault = leaf ? certfield_get(leaf, field, out) : "no client certificate";

	X509_free(leaf);
	ERR_clear_error();
	return fault ? err_set(why, 0, "%s: %s", field, fault) : 0;
}

/* ---- for others ------------------------------------------------------------------------------- */

static struct str bio_text(BIO *b, struct arena *a)
{
	char *p;
	long n = BIO_get_mem_data(b, &p);
	struct str s = arena_str(a, str_mem(p, n > 0 ? (size_t)n : 0));

	BIO_free(b);
	return s;
}

static struct str name_text(const X509_NAME *n, struct arena *a)
{
	BIO *b = BIO_new(BIO_s_mem());

	X509_NAME_print_ex(b, n, 0, XN_FLAG_RFC2253);
	return bio_text(b, a);
}

static struct str serial_text(X509 *x, struct arena *a)
{
	BIO *b = BIO_new(BIO_s_mem());

	i2a_ASN1_INTEGER(b, X509_get0_serialNumber(x));
	return bio_text(b, a);
}

static struct str fingerprint_text(const X509 *x, struct arena *a)
{
	static const char digits[] = "0123456789abcdef";
	uint8_t d[EVP_MAX_MD_SIZE];
	char hex[2 * EVP_MAX_MD_SIZE];
	unsigned n = 0;

	X509_digest(x, EVP_sha1(), d, &n);
	for (unsigned i = 0; i < n; i++) {
		hex[2 * i] = digits[d[i] >> 4];
		hex[2 * i + 1] = digits[d[i] & 15];
	}
	return arena_str(a, str_mem(hex, 2 * (size_t)n));
}

static struct str pem_text(X509 *x, struct arena *a)
{
	BIO *b = BIO_new(BIO_s_mem());

	PEM_write_bio_X509(b, x);
	return bio_text(b, a);
}

void clientcert_describe(const struct clientcert *c, const struct auth_peer *p,
			 struct clientcert_facts *f, struct arena *a)
{
	struct str rest = p->cert;
	X509 *leaf = next_cert(&rest);
	struct err why;

	*f = (struct clientcert_facts){STR("NONE"), STR(""), STR(""), STR(""), STR(""), STR("")};
	if (!leaf)
		return;
	f->verify = STR("SUCCESS");
	if (clientcert_check(c, p, &why))
		f->verify = str_c(arena_printf(a, "FAILED:%s", why.text));
	f->subject = name_text(X509_get_subject_name(leaf), a);
	f->issuer = name_text(X509_get_issuer_name(leaf), a);
	f->serial = serial_text(leaf, a);
	f->fingerprint = fingerprint_text(leaf, a);
	f->pem = pem_text(leaf, a);
	X509_free(leaf);
	ERR_clear_error();
}
