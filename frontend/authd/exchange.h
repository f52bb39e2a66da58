/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exchange: one login attempt in authd, from AUTH_REQUEST to AUTH_ANSWER: runs the SASL mechanism,
 * asks the chain, waits out penalties, looks at the account's options, signs the ticket.
 */
#pragma once
#include "frontend/authd/authd.h"
#include "frontend/authd/sasl/mech.h"

struct exchange;

/* r's strings are copied. Answers go to from; the exchange stands in its lists until it is over. */
struct requester;
void exchange_begin(struct requester *from, const struct auth_request *r);
void exchange_response(struct exchange *x, struct str message);
void exchange_cancel(struct exchange **x);	 /* the client has gone; nothing is sent */
struct exchange *exchange_of(struct list *link); /* entry of requester.exchanges */

/* For mechanisms that ask others than the providers. user: complete, or empty where it isn't known. True: it
 * or its network was refused too often; then(ctx) comes once x has waited, if it is still there. An
 * attempt waits once. */
bool exchange_wait(struct exchange *x, struct str user, void (*then)(void *ctx), void *ctx);

/* May this account log in from there (allow_nets)? For mechanisms that prove something to the client before
 * the end; logged where not. */
bool exchange_from_here(const struct exchange *x);

/* For mechanisms that returned MECH_WAIT. */
void exchange_go_on(struct exchange *x, enum mech_step next);
