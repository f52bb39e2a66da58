/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keyset: the issuer's public keys: OAUTH_JWKS_FILE, looked at again whenever it changed, or
 * OAUTH_JWKS_URL, fetched at the start, every OAUTH_JWKS_REFRESH, and when a token names a key that
 * isn't there (but never more often than OAUTH_JWKS_PAUSE allows). Keys stay when a fetch fails.
 */
#pragma once
#include "common/base/list.h"
#include "common/config/settings.h"
#include "frontend/authd/oauth/jwks.h"

struct http_client;
struct keyset;
struct loop;

/* NULL: no such setting is made, or (e->text is not empty) the file can't be read. */
struct keyset *keyset_new(struct loop *l, struct http_client *http, const struct settings *set,
			  struct err *e);
void keyset_start(struct keyset *k); /* the first fetch */

/* As jwks_find, of the keys that are there now. */
size_t keyset_find(struct keyset *k, const struct jws *j, EVP_PKEY *found[JWKS_TRIES_MAX]);

struct keyset_waiter {
	/* fetched: the set is a new one, so that what isn't in it isn't anywhere. */
	void (*done)(struct keyset_waiter *w, bool fetched);
	struct list link;
};
/* done comes after the next fetch. False: there is nothing to wait for; a file has no more to say. */
bool keyset_wait(struct keyset *k, struct keyset_waiter *w);
