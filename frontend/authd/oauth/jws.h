/* SPDX-License-Identifier: Apache-2.0 */
/* jws: tokens in the compact form of RFC 7515, taken apart. Pure; nothing is verified here. */
#pragma once
#include <jansson.h>
#include "common/base/buf.h"

/* Those that are made with a private key (RFC 7518 3.1, RFC 8037). "none" and the HS* ones, which a
 * public key would do for, don't exist here. */
enum jws_alg {
	JWS_RS256,
	JWS_RS384,
	JWS_RS512,
	JWS_PS256,
	JWS_ES256,
	JWS_ES384,
	JWS_EDDSA,
	JWS_ALG_N
};
enum jws_alg jws_alg_find(const char *name); /* JWS_ALG_N: not one of ours */

struct jws {
	enum jws_alg alg;
	struct str kid; /* p == NULL: none; lies in header */
	json_t *header, *claims;
	struct str input; /* what is signed; points into the token */
	struct buf signature;
};

/* Is this text of three dotted parts, so that it may be a JWS at all? (An opaque token isn't.) */
bool jws_looks_like(struct str token);
/* NULL: parsed, and to be freed; else why it isn't taken (nothing to free). */
const char *jws_parse(struct jws *j, struct str token);
void jws_free(struct jws *j);

/* base64url without padding (RFC 7515 2); false, with out unchanged, where it is none. */
bool jws_base64url(struct buf *out, struct str text);
