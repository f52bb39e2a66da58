/* SPDX-License-Identifier: Apache-2.0 */
/*
 * claims: what an access token says, or an introspection endpoint says of one (RFC 7519 4.1, RFC 7662
 * 2.2), held against the settings. Pure.
 */
#pragma once
#include <jansson.h>
#include "common/base/buf.h"
#include "common/config/settings.h"

enum oauth_verdict {
	OAUTH_VALID,
	OAUTH_INVALID,	   /* no token of ours, or not any more */
	OAUTH_SCOPE,	   /* a good one, but not for this */
	OAUTH_UNAVAILABLE, /* nobody could say */
};

struct claims_verdict {
	enum oauth_verdict verdict;
	struct buf user; /* OAUTH_VALID */
	int64_t until;	 /* seconds since 1970; 0: it doesn't say */
	const char *why; /* not OAUTH_VALID: for the log */
};

/* must_expire: a token without exp is none (a JWT: nobody can be asked whether it still holds). */
void claims_check(struct claims_verdict *v, const struct settings *set, const json_t *claims,
		  int64_t now, bool must_expire);
