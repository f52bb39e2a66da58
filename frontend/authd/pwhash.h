/* SPDX-License-Identifier: Apache-2.0 */
/* pwhash: does this password belong to this hash? Slow on purpose, thread-safe, for I/O threads. */
#pragma once
#include "common/base/str.h"

enum pwhash_result {
	PWHASH_MATCH,
	PWHASH_MISMATCH,
	PWHASH_UNKNOWN, /* a {SCHEME} that we don't compute */
};

/*
 * hash: crypt(3)'s, bare or behind {CRYPT}, {SHA512-CRYPT}, {SHA256-CRYPT}, {BLF-CRYPT},
 * {MD5-CRYPT}; or {PLAIN}password, for tests. An empty hash matches nothing. So does a password
 * with a NUL byte, since crypt(3) would look at its beginning only.
 */
enum pwhash_result pwhash_check(struct str hash, struct str password);

/* CRAM-MD5 (RFC 2195): does this digest (hex) answer this challenge, for the password that the hash
 * stands for? From {PLAIN}; quick, for the loop. */
enum pwhash_result pwhash_check_cram(struct str hash, struct str challenge, struct str digest);
