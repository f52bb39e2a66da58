/* SPDX-License-Identifier: Apache-2.0 */
/* oauth_message: the client's messages of OAUTHBEARER (RFC 7628 3.1) and XOAUTH2 (Google's). Pure. */
#pragma once
#include "common/base/arena.h"
#include "common/base/buf.h"

struct oauth_message {
	struct str user;  /* whom it wants to be; may be empty with OAUTHBEARER */
	struct str token; /* points into the message */
};
/* False: not the grammar. */
bool oauth_message_bearer(struct oauth_message *o, struct arena *a, struct str m);
bool oauth_message_xoauth2(struct oauth_message *o, struct arena *a, struct str m);

/* What a client whose token is refused is told: JSON. status: RFC 6750 3.1's error, or Google's number. */
void oauth_message_error(struct buf *out, bool xoauth2, const char *status, const char *scope,
			 const char *configuration);
