/* SPDX-License-Identifier: Apache-2.0 */
/* handoff_client: the worker's end of handoff.h, with its stock of nonces. */
#pragma once
#include "common/ipc/handoff.h"
#include "common/ipc/supervise.h"
#include "frontend/login/worker.h"

struct login;

struct nonce {
	uint8_t bytes[TICKET_NONCE_LEN];
	uint32_t epoch; /* of the link that it came over; it is worth nothing on another */
};

struct handoff_client *handoff_client_new(struct worker *w);
void handoff_client_free(struct handoff_client **h);
void handoff_client_set_link(struct handoff_client *h, int fd); /* takes fd */
bool handoff_client_up(const struct handoff_client *h);
/* A nonce that was never used. False: none is here now; login_nonces_came is called when there are. */
bool handoff_client_nonce(struct handoff_client *h, struct login *l, struct nonce *n);
void handoff_client_no_nonce(struct handoff_client *h, struct login *l); /* no longer waits */
/* Puts back a nonce over which authd made no ticket. */
void handoff_client_give_back(struct handoff_client *h, const struct nonce *n);
/* Passes fd (stays the caller's). login_taken or login_refused or, when the link breaks,
 * login_lost comes, unless it is forgotten first. 0: nothing was sent. */
uint32_t handoff_client_pass(struct handoff_client *h, struct handoff_give *g, int fd, struct login *l);
void handoff_client_forget(struct handoff_client *h, uint32_t id);
