/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handoff: login worker <-> backend master (DESIGN.md P1, P2).
 *
 * The worker asks for nonces ahead of logins (HANDOFF_NONCES_WANTED), gets them in batches, spends
 * one per login attempt. HANDOFF_GIVE carries the ticket, the tag, what the client pipelined, and
 * one descriptor: the client's own TCP socket, or one end of a socketpair where the worker pumps
 * TLS. The answer comes when imapd has ACCEPTED (it writes the tagged OK itself) or when the login
 * failed; on failure the worker still has the client and says NO itself.
 */
#pragma once
#include "common/ipc/record.h"

enum handoff_msg {
	HANDOFF_NONCES_WANTED = 1, /* worker -> master, u32 count (1..256) */
	HANDOFF_NONCES = 2,        /* master -> worker, count x TICKET_NONCE_LEN bytes */
	HANDOFF_GIVE = 3,          /* worker -> master, struct handoff_give, 1 fd */
	HANDOFF_TAKEN = 4,         /* master -> worker, u32 id */
	HANDOFF_REFUSED = 5,       /* master -> worker, struct handoff_refused */
};
#define HANDOFF_NONCES_MAX 256 /* outstanding per link; older ones stay valid until used */

struct handoff_give {
	uint32_t id;
	struct str ticket;
	struct str tag;    /* of the login command; imapd writes the tagged OK with it */
	struct str verb;   /* "LOGIN" or "AUTHENTICATE": for the text of the OK */
	struct str unread; /* client bytes behind the login command, at most IPC_UNREAD_MAX */
};

struct handoff_refused {
	uint32_t id;
	struct str code; /* IMAP response code without brackets: UNAVAILABLE, LIMIT, ALERT */
	struct str text; /* for the client */
};

void handoff_give_put(struct buf *b, const struct handoff_give *g);
bool handoff_give_get(struct str body, struct handoff_give *g);
void handoff_refused_put(struct buf *b, const struct handoff_refused *r);
bool handoff_refused_get(struct str body, struct handoff_refused *r);
