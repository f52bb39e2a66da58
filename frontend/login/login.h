/* SPDX-License-Identifier: Apache-2.0 */
/*
 * login: one login attempt: a nonce, SASL messages between the client and authd, authd's answer with
 * the ticket, the hand-over. While authd or the backend is asked, no byte of the client's is read by
 * us. The tagged OK is imapd's (DESIGN.md P1); a NO is ours.
 */
#pragma once
#include "common/base/secret.h"
#include "common/imap/saslname.h"
#include "common/ipc/auth.h"
#include "frontend/login/handoff_client.h"
#include "frontend/login/session.h"

struct login_start {
	struct str tag, verb; /* verb: "LOGIN" or "AUTHENTICATE" */
	enum sasl_id mechanism;
	const char *method; /* for the log: the mechanism, or "LOGIN" for the command */
	struct str initial; /* decoded; p == NULL: the client sent none */
	struct str user;    /* where it is known before authd says it, for the log */
};

struct login {
	struct session *session;
	enum {
		LOGIN_NONCE,
		LOGIN_AUTH,
		LOGIN_CLIENT,
		LOGIN_PASSED
	} state;		     /* CLIENT: its answer is awaited */
	uint64_t began_ms, spoke_ms; /* the attempt; the client's last message */
	struct loop_timer *timeout;
	struct arena arena; /* tag ... user */
	struct str tag, verb, user;
	enum sasl_id mechanism;
	const char *method;
	bool has_initial;
	struct secret initial; /* only until authd has it */
	struct nonce nonce;
	bool have_nonce;     /* no ticket was made over it */
	struct list waiting; /* for a nonce */
	uint32_t id;	     /* at authd or the backend */
	int fd; /* plain client: its socket, which the backend has too; TLS: our end of the pair */
	struct buf unread; /* plain client: what was received behind the command */
};

/* Sets s->login, and takes s out of its command loop. */
void login_begin(struct session *s, const struct login_start *st);
void login_free(struct login **l); /* gives the attempt up where it is under way */

/* The client's line behind a challenge, as it came (RFC 9051 6.2.2: base64, or "*"). */
void login_respond(struct login *l, struct str line);

/* From auth_client and handoff_client. */
void login_challenge(struct login *l, struct str message);
void login_nonces_came(struct login *l);
void login_auth_answer(struct login *l, const struct auth_answer *a);
void login_taken(struct login *l);
void login_refused(struct login *l, struct str code, struct str text);
void login_lost(struct login *l);
