/* SPDX-License-Identifier: Apache-2.0 */
/* auth: login worker <-> authd. */
#pragma once
#include "common/ipc/record.h"

enum auth_msg {
	AUTH_REQUEST = 1, /* login -> authd, struct auth_request */
	AUTH_ANSWER = 2,  /* authd -> login, struct auth_answer */
	AUTH_CANCEL = 3,  /* login -> authd, u32 id: the client has gone; no answer follows or it is ignored */
};

enum auth_result {
	AUTH_OK,
	AUTH_MISMATCH,     /* wrong password: NO [AUTHENTICATIONFAILED] */
	AUTH_UNKNOWN,      /* unknown user: the client sees the same as for a mismatch */
	AUTH_DISABLED,     /* NO [AUTHORIZATIONFAILED] with text (disableimap) */
	AUTH_EXPIRED,      /* NO [EXPIRED] */
	AUTH_IMPOSSIBLE,   /* this mechanism can't work for this account */
	AUTH_TEMPFAIL,     /* NO [UNAVAILABLE] */
	AUTH_NEXT,         /* within authd: ask the next provider */
	AUTH_RESULT_N
};

struct auth_request {
	uint32_t id;
	struct str mechanism; /* "PLAIN", "LOGIN" */
	struct str authzid;   /* empty: the same as user */
	struct str user;
	struct str password;  /* wiped by both sides after use */
	uint32_t attempt;     /* 1, 2, 3 ... on this connection */
	uint8_t nonce[TICKET_NONCE_LEN]; /* one of the master's */
	struct session_facts facts;
};

struct auth_answer {
	uint32_t id;
	uint8_t result;     /* enum auth_result */
	struct str text;    /* for the client, may be empty */
	struct str user;    /* canonical name, for the log */
	struct str mailhost;
	struct str ticket;  /* when AUTH_OK */
};

void auth_request_put(struct buf *b, const struct auth_request *r);
bool auth_request_get(struct str body, struct auth_request *r);
void auth_answer_put(struct buf *b, const struct auth_answer *a);
bool auth_answer_get(struct str body, struct auth_answer *a);
