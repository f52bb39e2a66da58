/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/authd/oauth/jwks.h"
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

enum { RSA_BITS_MIN = 2048, RSA_BITS_MAX = 8192 };

/* ---- from JSON ----------------------------------------------------------------------------------- */

static const char *text_of(const json_t *o, const char *name)
{
	const char *s = json_string_value(json_object_get(o, name));

	return s ? s : "";
}

static bool bytes_of(const json_t *o, const char *name, struct buf *out)
{
	return jws_base64url(out, str_c(text_of(o, name))) && out->n > 0;
}

static EVP_PKEY *from_params(const char *type, OSSL_PARAM_BLD *bld)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(bld);
	EVP_PKEY *key = NULL;

	if (!ctx || !params || EVP_PKEY_fromdata_init(ctx) != 1 ||
	    EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
		key = NULL;
	OSSL_PARAM_free(params);
	EVP_PKEY_CTX_free(ctx);
	return key;
}

static EVP_PKEY *rsa_key(const json_t *o)
{
	struct buf n = BUF_INIT, e = BUF_INIT;
	BIGNUM *bn = NULL, *be = NULL;
	OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	EVP_PKEY *key = NULL;

	/* A public exponent of more than 8 bytes is nobody's, but makes us slow. */
	if (bytes_of(o, "n", &n) && bytes_of(o, "e", &e) && n.n <= RSA_BITS_MAX / 8 + 1 &&
	    e.n <= 8) {
		bn = BN_bin2bn((const unsigned char *)buf_str(&n).p, (int)n.n, NULL);
		be = BN_bin2bn((const unsigned char *)buf_str(&e).p, (int)e.n, NULL);
	}
	if (bld && bn && be && BN_num_bits(bn) >= RSA_BITS_MIN && BN_num_bits(bn) <= RSA_BITS_MAX &&
	    BN_is_odd(be) && OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, bn) &&
	    OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, be))
		key = from_params("RSA", bld);
	OSSL_PARAM_BLD_free(bld);
	BN_free(bn);
	BN_free(be);
	buf_deinit(&n);
	buf_deinit(&e);
	return key;
}

static EVP_PKEY *ec_key(const json_t *o)
{
	const char *curve = text_of(o, "crv");
	const char *group = strcmp(curve, "P-256") == 0 ? "P-256" : "P-384";
	size_t size = strcmp(curve, "P-256") == 0 ? 32 : strcmp(curve, "P-384") == 0 ? 48 : 0;
	struct buf point = BUF_INIT;
	OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	EVP_PKEY *key = NULL;

	buf_putc(&point, 4); /* uncompressed */
	if (size && bld && bytes_of(o, "x", &point) && point.n == 1 + size &&
	    bytes_of(o, "y", &point) && point.n == 1 + 2 * size &&
	    OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME, group, 0) &&
	    OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY, buf_str(&point).p,
					     point.n))
		key = from_params("EC", bld);
	OSSL_PARAM_BLD_free(bld);
	buf_deinit(&point);
	return key;
}

static EVP_PKEY *ed25519_key(const json_t *o)
{
	struct buf x = BUF_INIT;
	EVP_PKEY *key = NULL;

	if (strcmp(text_of(o, "crv"), "Ed25519") == 0 && bytes_of(o, "x", &x) && x.n == 32)
		key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL,
						  (const unsigned char *)buf_str(&x).p, x.n);
	buf_deinit(&x);
	return key;
}

static EVP_PKEY *key_of(const json_t *o)
{
	const char *type = text_of(o, "kty");

	if (strcmp(type, "RSA") == 0)
		return rsa_key(o);
	if (strcmp(type, "EC") == 0)
		return ec_key(o);
	return strcmp(type, "OKP") == 0 ? ed25519_key(o) : NULL;
}

static void add_key(struct jwks *s, const json_t *o)
{
	const char *use = text_of(o, "use"), *alg = text_of(o, "alg");
	const json_t *kid = json_object_get(o, "kid");
	struct jwk k = {.alg = jws_alg_find(alg)};

	if (json_is_object(o) && (!use[0] || strcmp(use, "sig") == 0) &&
	    (!alg[0] || k.alg < JWS_ALG_N))
		k.key = key_of(o);
	if (!k.key) {
		s->skipped++;
		return;
	}
	k.kid = json_is_string(kid)
			? str_dup(str_mem(json_string_value(kid), json_string_length(kid)))
			: NULL;
	*vec_push(&s->keys) = k;
}

struct jwks *jwks_parse(struct str text, struct err *e)
{
	json_t *j = json_loadb(text.p ? text.p : "", text.n, 0, NULL);
	const json_t *keys = json_object_get(j, "keys");
	struct jwks *s = NULL;

	if (!json_is_array(keys) || json_array_size(keys) > JWKS_KEYS_MAX) {
		json_decref(j);
		err_set(e, 0, "it is not a set of at most %d keys in JSON", JWKS_KEYS_MAX);
		return NULL;
	}
	s = xcalloc(1, sizeof *s);
	for (size_t i = 0; i < json_array_size(keys); i++)
		add_key(s, json_array_get(keys, i));
	json_decref(j);
	if (s->keys.n == 0) {
		jwks_free(&s);
		err_set(e, 0, "it has no key that tokens could be signed with");
	}
	return s;
}

void jwks_free(struct jwks **sp)
{
	struct jwks *s = *sp;

	if (!s)
		return;
	vec_foreach(k, &s->keys) {
		free(k->kid);
		EVP_PKEY_free(k->key);
	}
	vec_free(&s->keys);
	free(s);
	*sp = NULL;
}

/* ---- which key ------------------------------------------------------------------------------------- */

static bool type_fits(const EVP_PKEY *key, enum jws_alg alg)
{
	switch (alg) {
	case JWS_RS256:
	case JWS_RS384:
	case JWS_RS512:
	case JWS_PS256:
		return EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA;
	case JWS_ES256:
		return EVP_PKEY_get_base_id(key) == EVP_PKEY_EC && EVP_PKEY_get_bits(key) == 256;
	case JWS_ES384:
		return EVP_PKEY_get_base_id(key) == EVP_PKEY_EC && EVP_PKEY_get_bits(key) == 384;
	case JWS_EDDSA:
		return EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519;
	case JWS_ALG_N:
		break;
	}
	return false;
}

size_t jwks_find(const struct jwks *s, const struct jws *j, EVP_PKEY *found[JWKS_TRIES_MAX])
{
	size_t n = 0;

	for (size_t i = 0; s && i < s->keys.n && n < JWKS_TRIES_MAX; i++) {
		const struct jwk *k = &s->keys.a[i];

		if (j->kid.p && k->kid && !str_eq(j->kid, str_c(k->kid)))
			continue;
		if ((k->alg == j->alg || k->alg == JWS_ALG_N) && type_fits(k->key, j->alg) &&
		    EVP_PKEY_up_ref(k->key))
			found[n++] = k->key;
	}
	return n;
}

/* ---- signatures -------------------------------------------------------------------------------------- */

static const char *digest_of(enum jws_alg alg)
{
	switch (alg) {
	case JWS_RS384:
	case JWS_ES384:
		return "SHA384";
	case JWS_RS512:
		return "SHA512";
	case JWS_EDDSA:
		return NULL;
	default:
		return "SHA256";
	}
}

/* JOSE writes the two numbers side by side, OpenSSL wants them in DER (RFC 7518 3.4). */
static bool ecdsa_to_der(struct buf *out, struct str raw, size_t size)
{
	const unsigned char *p = (const unsigned char *)raw.p;
	ECDSA_SIG *sig = ECDSA_SIG_new();
	BIGNUM *r, *s;
	unsigned char *der = NULL;
	int n = -1;

	if (sig && raw.n == 2 * size) {
		r = BN_bin2bn(p, (int)size, NULL);
		s = BN_bin2bn(p + size, (int)size, NULL);
		if (r && s && ECDSA_SIG_set0(sig, r, s)) {
			n = i2d_ECDSA_SIG(sig, &der);
		} else {
			BN_free(r);
			BN_free(s);
		}
	}
	if (n > 0)
		buf_put(out, der, (size_t)n);
	OPENSSL_free(der);
	ECDSA_SIG_free(sig);
	return n > 0;
}

static bool verify(EVP_PKEY *key, const struct jws *j, struct str signature)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *pctx = NULL;
	bool ok = ctx && EVP_DigestVerifyInit_ex(ctx, &pctx, digest_of(j->alg), NULL, NULL, key,
						 NULL) == 1;

	if (ok && j->alg == JWS_PS256)
		ok = EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) == 1 &&
		     EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_DIGEST) == 1;
	ok = ok && EVP_DigestVerify(ctx, (const unsigned char *)signature.p, signature.n,
				    (const unsigned char *)j->input.p, j->input.n) == 1;
	EVP_MD_CTX_free(ctx);
	return ok;
}

bool jwks_verify(EVP_PKEY *key, const struct jws *j)
{
	struct buf der = BUF_INIT;
	bool ok;

	if (!type_fits(key, j->alg))
		return false;
	if (j->alg != JWS_ES256 && j->alg != JWS_ES384)
		return verify(key, j, buf_str(&j->signature));
	ok = ecdsa_to_der(&der, buf_str(&j->signature), j->alg == JWS_ES256 ? 32 : 48) &&
	     verify(key, j, buf_str(&der));
	buf_deinit(&der);
	return ok;
}
