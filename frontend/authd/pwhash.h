/* SPDX-License-Identifier: Apache-2.0 */
/* pwhash: does this password belong to this hash? Slow on purpose, thread-safe, for I/O threads. */
#pragma once
#include "common/base/buf.h"

enum pwhash_result {
	PWHASH_MATCH,
	PWHASH_MISMATCH,
	PWHASH_UNKNOWN, /* a {SCHEME} that we don't compute */
	PWHASH_COSTLY, /* it asks for more time or memory than pwhash_limit allows; nothing was computed */
};

/* What one check may cost; set once, before the first check. */
struct pwhash_limits {
	uint64_t rounds;     /* of PBKDF2, SHA-crypt and their like; for bcrypt 2^cost times 64 */
	uint64_t memory_kib; /* of Argon2, scrypt, yescrypt */
};
void pwhash_limit(const struct pwhash_limits *l);

/*
 * hash: {SCHEME} and its text; names are Dovecot's, in any case, and .b64, .base64 or .hex behind
 * the name says how binary ones are written. What stands without a scheme is crypt(3)'s, or is known
 * by its beginning ($argon2.., $pbkdf2.., $bcrypt-sha256.., SCRAM-SHA-256$..). Schemes:
 *   PLAIN CLEARTEXT                   the password itself
 *   CRYPT SHA512-CRYPT SHA256-CRYPT BLF-CRYPT MD5-CRYPT DES-CRYPT    crypt(3)
 *   [S]SHA [S]SHA256 [S]SHA512 SMD5 LDAP-MD5 PLAIN-MD5    pwhash_digest.c
 *   PBKDF2 PBKDF2-SHA1 PBKDF2-SHA256 PBKDF2-SHA512        pwhash_pbkdf2.c
 *   ARGON2I ARGON2ID                  PWHASH_UNKNOWN where it was built without libargon2
 *   SCRAM-SHA-1 SCRAM-SHA-256         common/auth/scram_keys.h
 *   CRAM-MD5 HMAC-MD5                 the two states of HMAC-MD5, outer first (Courier's hmac-md5pw too)
 * An empty hash matches nothing. So does a password with a NUL byte: crypt(3) would look at its
 * beginning only, and no scheme shall take what another refuses.
 */
enum pwhash_result pwhash_check(struct str hash, struct str password);

/* Does the digest (32 hex digits) answer this challenge (RFC 2195)? For PLAIN and CRAM-MD5; others are
 * PWHASH_UNKNOWN. Quick. */
enum pwhash_result pwhash_check_cram(struct str hash, struct str challenge, struct str digest);

/* SASL_BIT of those mechanisms, among SCRAM's and CRAM-MD5, for which it is not enough to know this hash. A
 * hash that nobody can match (empty, locked by ! or *) stands in no mechanism's way. */
unsigned pwhash_unsuited(struct str hash);

/* The password itself, where the hash is one of the plain schemes; appended to *out. */
bool pwhash_plain(struct str hash, struct buf *out);
