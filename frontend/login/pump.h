/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pump: carries a TLS client's bytes to and from its imapd after the login, through one end of a
 * socketpair. Both ways are bounded: a side that takes nothing stops the other. An idle pump has no
 * buffers.
 */
#pragma once
#include "frontend/login/worker.h"

struct pump;
struct tlsconn;

/* Takes tls, with its descriptor, and pair. */
void pump_new(struct worker *w, struct tlsconn *tls, int pair, const char *session);
void pump_close_all(struct worker *w);
