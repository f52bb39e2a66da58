/* SPDX-License-Identifier: Apache-2.0 */
/* pwhash_schemes: what pwhash.c is made of; one file per family. */
#pragma once
#include "common/base/buf.h"
#include "frontend/authd/pwhash.h"

extern struct pwhash_limits pwhash_limits;

enum pwhash_coding { PWHASH_AS_IT_IS, PWHASH_BASE64, PWHASH_HEX };
/* Appends the bytes that text stands for. */
bool pwhash_decode(struct buf *out, enum pwhash_coding c, struct str text);

/* pwhash_digest.c: md is OpenSSL's name; a salt follows the digest where salted. coding is
 * PWHASH_AS_IT_IS where the name said nothing: base64, or hex by its length. */
enum pwhash_result pwhash_digest(const char *md, bool salted, enum pwhash_coding coding,
				 struct str text, struct str password);
/* pwhash_crypt.c: crypt(3), bounded. */
enum pwhash_result pwhash_crypt(struct str hash, struct str password);
/* $bcrypt-sha256$..: passlib's */
enum pwhash_result pwhash_bcrypt_sha256(struct str hash, struct str password);
/* pwhash_pbkdf2.c: md as above; text is in any of the forms named there. */
enum pwhash_result pwhash_pbkdf2(const char *md, struct str text, struct str password);
/* pwhash_argon2.c: $argon2.. */
enum pwhash_result pwhash_argon2(struct str hash, struct str password);
/* pwhash_cram.c: text is 64 hex digits */
enum pwhash_result pwhash_cram_password(struct str text, struct str password);
enum pwhash_result pwhash_cram_answer(struct str text, struct str challenge, struct str digest);
enum pwhash_result pwhash_cram_plain(struct str plain, struct str challenge, struct str digest);
