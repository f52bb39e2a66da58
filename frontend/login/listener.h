/* SPDX-License-Identifier: Apache-2.0 */
/* listener: accepts connections. door.c and proxied.c look at them. */
#pragma once
#include "frontend/login/worker.h"

/* Takes fd. proxied: each connection begins with a PROXY header. */
void listener_add(struct worker *w, int fd, bool tls, bool proxied);
/* A client that somebody else accepted. */
void listener_client(struct worker *w, int fd, bool tls, uint32_t ssf);
void listener_close_all(struct worker *w);
bool listener_wants_tls(const struct worker *w); /* one of them is for TLS from the first byte */
