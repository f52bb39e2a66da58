/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jwks: a set of public keys (RFC 7517), and signatures checked with them. Keys that we have no use
 * for (other types, "use":"enc", weak ones) are passed over, as the RFC wants.
 */
#pragma once
#include <openssl/evp.h>
#include "common/base/err.h"
#include "common/base/vec.h"
#include "frontend/authd/oauth/jws.h"

#define JWKS_KEYS_MAX 100
#define JWKS_TRIES_MAX 8 /* keys that one token is tried with */

struct jwk {
	char *kid;	  /* NULL: none */
	enum jws_alg alg; /* the one it is for; JWS_ALG_N: any that its type allows */
	EVP_PKEY *key;
};

struct jwks {
	VEC(struct jwk) keys;
	size_t skipped;
};

/* NULL: it is no key set; e says why. */
struct jwks *jwks_parse(struct str text, struct err *e);
void jwks_free(struct jwks **s);

/* Up to JWKS_TRIES_MAX keys that may have signed it: those with its key id, or, where either has none,
 * those of the right type. Each is a reference of the caller's own (EVP_PKEY_free). */
size_t jwks_find(const struct jwks *s, const struct jws *j, EVP_PKEY *found[JWKS_TRIES_MAX]);

/* Thread-safe. */
bool jwks_verify(EVP_PKEY *key, const struct jws *j);
