/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache: what the providers said (DESIGN.md N10's rules, FEATURES.md U4). An answer is kept under
 * everything that may change it (AUTH_CACHE_KEY: user, service, TLS by default; and the kind of check),
 * with a keyed hash of the password, never the password. A wrong password has another key than the
 * right one, so it is never answered from the entry of the right one (B15).
 *
 * An entry is fresh for AUTH_CACHE_TTL (a refusal: AUTH_CACHE_NEGATIVE_TTL) and, where it was an OK,
 * kept for AUTH_CACHE_STALE longer, to be used when no provider can be asked. Refusals live in a
 * space of their own: a flood of wrong passwords pushes no good entry out.
 */
#pragma once
#include "common/base/list.h"
#include "common/config/settings.h"
#include "frontend/authd/provider.h"

struct cache;
struct loop;

struct cache_key {
	uint8_t bytes[32];
};

struct cache_entry { /* read-only for others; valid until the next call */
	enum auth_result result;
	struct user_record record;
	VEC(struct credential) credentials;
	struct str user, provider, code, text;
};

enum cache_found { CACHE_NONE, CACHE_STALE, CACHE_FRESH };

struct cache *cache_new(struct loop *l, const struct settings *set);
void cache_free(struct cache **c);
/* False: answers to this are never kept or shared (CHECK_CRAM: its challenge is used once). */
bool cache_key_make(const struct cache *c, const struct check *ck, struct cache_key *key);
enum cache_found cache_find(struct cache *c, const struct cache_key *key,
			    const struct cache_entry **e);
/* Keeps what ck was answered. AUTH_TEMPFAIL and the like are not kept. */
void cache_keep(struct cache *c, const struct cache_key *key, const struct check *ck,
		enum auth_result r);
/* user: as it logs in, or the canonical name of its record; p == NULL: everything. */
void cache_forget(struct cache *c, struct str user);
void cache_drop(struct cache *c, const struct cache_key *key);
void cache_doubt(struct cache *c); /* no entry is fresh any more; refusals go */
size_t cache_count(const struct cache *c);
