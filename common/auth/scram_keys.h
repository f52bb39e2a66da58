/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scram_keys: what a server keeps of a password for SCRAM (RFC 5802 3, RFC 7677): iteration count,
 * salt, StoredKey and ServerKey; how it is made of a password, and its forms as text:
 *   {SCRAM-SHA-256}4096,<salt>,<stored key>,<server key>    Dovecot's; what scram_keys_print makes
 *   SCRAM-SHA-256$4096:<salt>$<stored key>:<server key>     RFC 5803
 * all in base64; the same with SHA-1.
 */
#pragma once
#include "common/base/buf.h"

enum scram_hash { SCRAM_SHA_1, SCRAM_SHA_256, SCRAM_HASH_N };

#define SCRAM_KEY_MAX 32
#define SCRAM_SALT_LEN 16 /* of those that are made here */
#define SCRAM_SALT_MAX 256
#define SCRAM_ITERATIONS_MAX                                                                       \
	10000000 /* what a stored form may name: the client has to compute them */

struct scram_keys {
	enum scram_hash hash;
	uint32_t iterations;
	size_t salt_n;
	uint8_t salt[SCRAM_SALT_MAX];
	uint8_t stored[SCRAM_KEY_MAX], server[SCRAM_KEY_MAX]; /* scram_size(hash) bytes */
};

size_t scram_size(enum scram_hash h);
const char *scram_name(enum scram_hash h); /* "SCRAM-SHA-256" */
void scram_hmac(enum scram_hash h, struct str key, struct str text, uint8_t out[SCRAM_KEY_MAX]);
void scram_digest(enum scram_hash h, struct str text, uint8_t out[SCRAM_KEY_MAX]);

/* Sets stored and server from hash, iterations, salt and the password, which is prepared by saslprep,
 * or, where it can't be, taken as it is. Slow on purpose, thread-safe. */
void scram_keys_derive(struct scram_keys *k, struct str password);
/* The same with a new random salt. */
void scram_keys_make(struct scram_keys *k, enum scram_hash h, uint32_t iterations,
		     struct str password);
/* Does it belong to this password? Slow; constant time beside that. */
bool scram_keys_match(const struct scram_keys *k, struct str password);

/* Same iteration count and salt: a client that was told of one can prove either. */
bool scram_keys_same_offer(const struct scram_keys *a, const struct scram_keys *b);

/* Either form. False: it is none, or its numbers are out of bounds. */
bool scram_keys_parse(struct scram_keys *k, struct str text);
/* Whether text begins as one of the forms does. */
bool scram_keys_is(struct str text, enum scram_hash *h);
void scram_keys_print(struct buf *out, const struct scram_keys *k);
