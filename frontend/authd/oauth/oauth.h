/* SPDX-License-Identifier: Apache-2.0 */
/*
 * oauth: whose access token is this? A JWT is checked against the issuer's keys (keyset.h) where those
 * are set, everything else by asking the introspection endpoint (introspect.h). Answers are remembered
 * (tokencache.h), and however many connections show one token at once, it is checked once.
 */
#pragma once
#include "common/base/list.h"
#include "common/config/settings.h"
#include "frontend/authd/oauth/claims.h"

#define OAUTH_TOKEN_MAX 16384

struct confine_needs;
struct err;
struct jobs;
struct loop;
struct oauth;

/* -1: a setting makes no sense; e says which. */
int oauth_settings_check(const struct settings *set, struct err *e);
/* Do the settings make tokens possible? */
bool oauth_configured(const struct settings *set);
/* What it must reach when authd is locked in. */
void oauth_needs(const struct settings *set, struct confine_needs *n);
/* Reads the files that the settings name: before the process is locked in. NULL: not configured, or
 * (e->text is not empty) something is wrong. Lives as long as the process. */
struct oauth *oauth_new(struct loop *l, struct jobs *jobs, const struct settings *set,
			struct err *e);
void oauth_start(struct oauth *o); /* first connections: once the process is locked in */

struct oauth_waiter {
	void (*done)(struct oauth_waiter *w);
	struct list link; /* oauth.c's */
	/* The answer. user is whom the token names; valid until done returns. why: for the log. */
	enum oauth_verdict verdict;
	struct str user;
	const char *why;
};
/* True: the answer is there, and done is not called; valid until the next call. */
bool oauth_check(struct oauth *o, struct str token, struct oauth_waiter *w);
void oauth_leave(struct oauth_waiter *w); /* done is not called any more */
/* What is known of this user's tokens is out of date; p == NULL: perhaps of anybody's. All are checked
 * anew, and what is under way is not kept. */
void oauth_forget(struct oauth *o, struct str user);
