/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/authd/certverify.h"
#include <openssl/rsa.h>
#include "common/base/buf.h"

static const struct scheme {
	uint16_t number;
	const char *key;
	const char *hash; /* NULL: the key's own */
	bool pss, old;	  /* old: TLS 1.2 alone */
} schemes[] = {
	/* RFC 8446 4.2.3 */
	{0x0403, "EC", "SHA256", false, false},	    {0x0503, "EC", "SHA384", false, false},
	{0x0603, "EC", "SHA512", false, false},	    {0x0804, "RSA", "SHA256", true, false},
	{0x0805, "RSA", "SHA384", true, false},	    {0x0806, "RSA", "SHA512", true, false},
	{0x0809, "RSA-PSS", "SHA256", true, false}, {0x080a, "RSA-PSS", "SHA384", true, false},
	{0x080b, "RSA-PSS", "SHA512", true, false}, {0x0807, "ED25519", NULL, false, false},
	{0x0808, "ED448", NULL, false, false},	    {0x0401, "RSA", "SHA256", false, true},
	{0x0501, "RSA", "SHA384", false, true},	    {0x0601, "RSA", "SHA512", false, true},
};

static const struct scheme *scheme_of(const struct tlsproof *p)
{
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
		if (schemes[i].number == p->algorithm && !(schemes[i].old && p->v13))
			return &schemes[i];
	return NULL;
}

/* RFC 8446 4.4.1: behind a HelloRetryRequest the first ClientHello stands as its hash. */
static unsigned transcript_hash(const struct tlsproof *p, uint8_t out[EVP_MAX_MD_SIZE])
{
	const EVP_MD *md = p->cipher == 0x1302 ? EVP_sha384() : EVP_sha256();
	uint8_t first[4 + EVP_MAX_MD_SIZE] = {254, 0, 0, (uint8_t)EVP_MD_get_size(md)};
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	unsigned n = 0;
	bool ok = c && EVP_DigestInit_ex(c, md, NULL) == 1;

	if (ok && p->first_hello.n)
		ok = EVP_Digest(p->first_hello.p, p->first_hello.n, first + 4, NULL, md, NULL) ==
			     1 &&
		     EVP_DigestUpdate(c, first, 4U + first[3]) == 1;
	ok = ok && EVP_DigestUpdate(c, p->messages.p, p->messages.n) == 1 &&
	     EVP_DigestFinal_ex(c, out, &n) == 1;
	EVP_MD_CTX_free(c);
	return ok ? n : 0;
}

static bool put_content(struct buf *b, const struct tlsproof *p)
{
	static const char context[] =
		"TLS 1.3, client CertificateVerify"; /* its NUL is the separator */
	uint8_t hash[EVP_MAX_MD_SIZE];
	unsigned n;

	if (!p->v13) {
		buf_str_put(b, p->messages);
		return true;
	}
	n = transcript_hash(p, hash);
	for (int i = 0; i < 64; i++)
		buf_putc(b, ' ');
	buf_put(b, context, sizeof(context));
	buf_put(b, hash, n);
	return n > 0;
}

static bool set_pss(EVP_PKEY_CTX *c)
{
	return EVP_PKEY_CTX_set_rsa_padding(c, RSA_PKCS1_PSS_PADDING) == 1 &&
	       EVP_PKEY_CTX_set_rsa_pss_saltlen(c, RSA_PSS_SALTLEN_DIGEST) == 1;
}

bool certverify(const struct tlsproof *p, EVP_PKEY *key)
{
	const struct scheme *s = scheme_of(p);
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	EVP_PKEY_CTX *k = NULL;
	struct buf content = BUF_INIT;
	bool ok = c && s && key && EVP_PKEY_is_a(key, s->key) && put_content(&content, p) &&
		  EVP_DigestVerifyInit_ex(c, &k, s->hash, NULL, NULL, key, NULL) == 1 &&
		  (!s->pss || set_pss(k)) &&
		  EVP_DigestVerify(c, (const uint8_t *)p->signature.p, p->signature.n,
				   (const uint8_t *)buf_str(&content).p, content.n) == 1;

	buf_deinit(&content);
	EVP_MD_CTX_free(c);
	return ok;
}
