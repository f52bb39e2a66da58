/* SPDX-License-Identifier: Apache-2.0 */
/* listener: accepts clients, within the limits. */
#pragma once
#include "frontend/login/worker.h"

void listener_add(struct worker *w, int fd, bool tls); /* takes fd */
void listener_close_all(struct worker *w);
bool listener_wants_tls(const struct worker *w); /* one of them is for TLS from the first byte */
