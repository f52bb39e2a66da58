/* SPDX-License-Identifier: Apache-2.0 */
/* introspect: asks OAUTH_INTROSPECTION_URL what a token is worth (RFC 7662, and two looser forms). */
#pragma once
#include "common/base/err.h"
#include "frontend/authd/oauth/claims.h"

struct http_client;
struct http_call;

/* v is the receiver's (its user too). */
typedef void introspect_fn(void *ctx, struct claims_verdict *v);
struct introspect {
	struct http_call *call; /* NULL: nothing is under way */
	const struct settings *set;
	introspect_fn *done;
	void *ctx;
};
/* in stays where it is until done, which is never called from within. -1: it could not even begin. */
int introspect_start(struct introspect *in, struct http_client *http, struct str token,
		     struct err *e);

/* What an answer means. Pure. */
void introspect_judge(struct claims_verdict *v, const struct settings *set, unsigned status,
		      struct str body, int64_t now);
