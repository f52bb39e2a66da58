/* SPDX-License-Identifier: Apache-2.0 */
/*
 * login: one login attempt: a nonce, authd's answer with the ticket, the hand-over. Meanwhile no
 * byte of the client's is read by us. The tagged OK is imapd's (DESIGN.md P1); a NO is ours.
 */
#pragma once
#include "common/base/secret.h"
#include "common/ipc/auth.h"
#include "frontend/login/handoff_client.h"
#include "frontend/login/session.h"

struct login_start {
	struct str tag, verb;       /* verb: "LOGIN" or "AUTHENTICATE" */
	struct str mechanism;       /* "LOGIN" for the command LOGIN */
	struct str authzid, user, password;
};

struct login {
	struct session *session;
	enum { LOGIN_NONCE, LOGIN_AUTH, LOGIN_PASSED } state;
	uint64_t began_ms;
	struct loop_timer *timeout;
	struct arena arena; /* tag ... user */
	struct str tag, verb, mechanism, authzid, user;
	struct secret password; /* only until authd has it */
	struct nonce nonce;
	bool have_nonce; /* no ticket was made over it */
	struct list waiting; /* for a nonce */
	uint32_t id;         /* at authd or the backend */
	int fd;              /* plain client: its socket, which the backend has too; TLS: our end of the pair */
	struct buf unread;   /* plain client: what was received behind the command */
};

/* Sets s->login, and takes s out of its command loop. */
void login_begin(struct session *s, const struct login_start *st);
void login_free(struct login **l); /* gives the attempt up where it is under way */

/* From auth_client and handoff_client. */
void login_nonces_came(struct login *l);
void login_auth_answer(struct login *l, const struct auth_answer *a);
void login_taken(struct login *l);
void login_refused(struct login *l, struct str code, struct str text);
void login_lost(struct login *l);
