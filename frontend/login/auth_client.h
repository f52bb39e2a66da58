/* SPDX-License-Identifier: Apache-2.0 */
/* auth_client: the worker's end of auth.h. */
#pragma once
#include "common/ipc/auth.h"
#include "frontend/login/worker.h"

struct login;

struct auth_client *auth_client_new(struct worker *w);
void auth_client_free(struct auth_client **c);
void auth_client_set_link(struct auth_client *c,
			  int fd); /* takes fd; the old link's requests fail */
bool auth_client_up(const struct auth_client *c);
/* Sends the request with a number of its own; login_challenge comes any number of times, and
 * login_auth_answer once, unless it is cancelled first. 0: it could not be sent. */
uint32_t auth_client_ask(struct auth_client *c, struct auth_request *r, struct login *l);
/* The client's answer to a challenge. False: it could not be sent. */
bool auth_client_respond(struct auth_client *c, uint32_t id, struct str message);
void auth_client_cancel(struct auth_client *c, uint32_t id);
