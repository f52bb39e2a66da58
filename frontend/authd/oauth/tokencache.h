/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokencache: what was found of tokens, by a keyed hash of them, least recently used ones dropped
 * first, bad ones apart from good ones. A valid one is used without asking for OAUTH_CACHE_TTL, and after that, until it expires, only
 * while nobody can be asked.
 */
#pragma once
#include "common/config/settings.h"
#include "frontend/authd/oauth/claims.h"

#define TOKENCACHE_KEY 32
struct tokencache;
struct tokencache *tokencache_new(const struct settings *set);
void tokencache_free(struct tokencache **c);
void tokencache_key(const struct tokencache *c, struct str token, uint8_t key[TOKENCACHE_KEY]);

enum tokencache_age { TOKENCACHE_NONE, TOKENCACHE_STALE, TOKENCACHE_FRESH };
/* *user and *v are the cache's own, valid until it is changed. */
enum tokencache_age tokencache_get(struct tokencache *c, const uint8_t key[TOKENCACHE_KEY],
				   const struct claims_verdict **v);
/* OAUTH_UNAVAILABLE is not kept. */
void tokencache_put(struct tokencache *c, const uint8_t key[TOKENCACHE_KEY],
		    const struct claims_verdict *v);
/* This user's tokens go. All others are asked for again, since the account may be known by other names
 * than those in its tokens; while nobody can be asked, they hold. p == NULL: nobody's go. */
void tokencache_forget(struct tokencache *c, struct str user);
