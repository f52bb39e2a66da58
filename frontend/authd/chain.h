/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chain: asks the providers of AUTHMODULES in their order, with the cache in front and one check under
 * way for all who ask the same thing at once (same user, password, service: see cache.h for what is
 * "the same").
 *
 * OK, DISABLED and EXPIRED end the chain. UNKNOWN, MISMATCH, IMPOSSIBLE and NEXT go on to the next
 * provider, TEMPFAIL too, so that a dead provider doesn't keep out whom another one knows. When nobody
 * said OK, the answer is the weightiest that was heard: TEMPFAIL before MISMATCH before IMPOSSIBLE before
 * UNKNOWN: a password is called wrong only when every provider could be asked.
 */
#pragma once
#include "common/base/list.h"
#include "frontend/authd/provider.h"

struct authd;
struct chain;
struct flight;

struct chain_query { /* copied */
	enum check_kind kind;
	struct str user; /* valid and complete */
	struct str mechanism;
	struct str password;	      /* CHECK_PASSWORD */
	struct str challenge, digest; /* CHECK_CRAM */
	uint32_t attempt;
	const struct session_facts *facts;
	const struct auth_peer *peer;
};

struct chain_waiter {
	/* c has what the providers filled in, and is valid during the call only. Comes once unless
	 * chain_leave is called first; it may come from within chain_ask. */
	void (*done)(struct chain_waiter *w, enum auth_result r, const struct check *c);
	struct list link;      /* chain.c's */
	struct flight *flight; /* chain.c's; NULL: nothing is under way */
};

struct chain *chain_new(struct authd *ad);
void chain_add(struct chain *ch, struct provider *p); /* behind those that are there; owned */
void chain_free(struct chain **ch);
/* SASL_BIT of the mechanisms that don't work for every account. */
unsigned chain_unsuited(const struct chain *ch);
unsigned chain_kinds(const struct chain *ch); /* CHECK_BIT of all that some provider can answer */
void chain_counts(const struct chain *ch,
		  struct buf *out);		/* appends wire_count pairs for posthousectl */
unsigned chain_pending(const struct chain *ch); /* checks under way */
void chain_ask(struct chain *ch, const struct chain_query *q, struct chain_waiter *w);
void chain_leave(struct chain_waiter *w); /* no longer interested; NULL flight is fine */
/* What is known of this user, by any of its names, is out of date (user.p == NULL: of all): the cache
 * forgets it, and what is under way is not put into it. */
void chain_forget(struct chain *ch, struct str user);
/* News may have been missed: what is kept is not used without asking again, but still where nobody can be
 * asked. */
void chain_doubt(struct chain *ch);
