/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provider: where accounts come from. A provider gets a check and answers it once by check_done, now
 * or later, with one of the eight results of ipc/auth.h. Where the account is there it fills the
 * record (account_record makes one from Courier's fields) and says AUTH_OK with either
 *   verified = true:  it has looked at the password (or the CRAM digest) itself, or none was wanted, or
 *   credentials:      hashes, against which chain.c checks the password on a thread.
 * AUTH_DISABLED and AUTH_EXPIRED come with the same, so that only who has the right password hears of
 * it; verified = true where the provider itself has looked, or can't.
 * AUTH_UNKNOWN may come with a credential: then the same work is done as for a known user.
 * Which results end the chain and which hand the check to the next provider is chain.c's business.
 * A provider never blocks the loop, never logs a password, and puts a limit on every wait.
 */
#pragma once
#include "common/base/arena.h"
#include "common/base/secret.h"
#include "common/base/vec.h"
#include "common/ipc/auth.h"

enum check_kind {
	CHECK_PASSWORD, /* password: as the client sent it */
	CHECK_CRAM,	/* RFC 2195: challenge was sent, digest (32 hex digits) came back */
	CHECK_SCRAM,	/* credentials are wanted; the mechanism goes on with them */
	CHECK_TRUSTED, /* who it is, is proven already (certificate, token, master user): only the record is wanted */
	CHECK_KIND_N
};
#define CHECK_BIT(kind) (1U << (kind))

struct credential {	     /* one of the passwords of an account (O8: app passwords) */
	struct str hash;     /* as pwhash.h reads it; never a password in clear but as {PLAIN} */
	struct str services; /* "imap smtp": names with blanks or commas between; empty: all */
};

struct provider;

struct check {
	struct arena arena; /* all strings here live in it */
	enum check_kind kind;
	struct str user;      /* validated by username.h, DEFDOMAIN applied */
	struct str mechanism; /* SASL name */
	struct secret password;
	struct str challenge, digest; /* CHECK_CRAM: the whole "<...>", without base64 */
	uint32_t attempt;	      /* on the first connection that asks */
	struct session_facts facts;   /* of the first connection that asks */
	struct auth_peer peer;
	_Atomic bool cancelled; /* nobody waits for the answer: expensive work may be left out */

	/* The answer. */
	struct user_record record;
	VEC(struct credential) credentials; /* freed with the check */
	bool verified;
	struct str code,
		text; /* for the client, where the provider has its own: an IMAP response code, words */

	struct str by; /* name of the provider that answered */

	/* chain.c's own. */
	struct provider *provider; /* that has it now */
	void *chain;
	/* The provider's own while it has the check; NULL when it begins. */
	void *work;
};

struct provider {
	const char *name; /* in AUTHMODULES */
	unsigned kinds;	  /* CHECK_BIT of those that it can answer; others are never given to it */
	void (*start)(struct provider *p, struct check *c);
	/* Nobody waits any more; check_done must still come, soon. May be NULL. */
	void (*cancel)(struct provider *p, struct check *c);
	void (*free)(struct provider *p);
	/* SASL_BIT of mechanisms that would fail for some, or perhaps some, of its accounts. */
	unsigned unsuited;
};

/* The provider is done with c, which may be freed at once. May be called from within start. */
void check_done(struct check *c, enum auth_result result);
/* Adds a credential; strings are copied into c->arena. */
void check_credential(struct check *c, struct str hash, struct str services);
