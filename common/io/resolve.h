/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resolve: host name and port to addresses. Numeric ones at once; names on a thread, since the
 * resolver of libc waits (DESIGN.md P4).
 */
#pragma once
#include "common/io/sock.h"

#define RESOLVE_MAX 8 /* addresses that are kept of one name */

struct jobs;
struct resolve;

struct resolved {
	struct sock_addr addr[RESOLVE_MAX];
	size_t n; /* 0: there are none; error says why */
	const char *error;
};
typedef void resolve_fn(void *ctx, const struct resolved *r);

bool resolve_numeric(const char *host, uint16_t port, struct sock_addr *out);
/* fn is called later, once, unless resolve_cancel comes first (the thread finishes by itself). */
struct resolve *resolve_start(struct jobs *jobs, const char *host, uint16_t port, resolve_fn *fn,
			      void *ctx);
void resolve_cancel(struct resolve **r);
