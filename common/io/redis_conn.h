/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis_conn: one connection to one Redis server: name, socket, AUTH, SELECT, and a look at what the
 * server is. From then on commands go out and answers come back, in order. It never comes back from the
 * dead: whoever wants it back makes a new one.
 */
#pragma once
#include "common/base/err.h"
#include "common/io/redis_wire.h"

struct jobs;
struct loop;
struct redis_conn;

enum redis_role { REDIS_ANY, REDIS_MASTER, REDIS_REPLICA };

struct redis_target {	  /* everything is copied */
	const char *path; /* Unix socket; "" or NULL: TCP */
	const char *host;
	uint16_t port;
	struct str user, password; /* empty password: no AUTH; empty user: the default one */
	unsigned db;
	enum redis_role role; /* what the server has to say that it is (ROLE) */
};
struct redis_limits {
	uint64_t connect_ms; /* from the name to the end of AUTH, SELECT and ROLE */
	size_t answer_max;
};
struct redis_conn_ops {
	void (*on_ready)(void *ctx);
	void (*on_answer)(void *ctx, const struct redis_value *v); /* v: during the call */
	void (*on_end)(void *ctx,
		       const char *why); /* nothing follows; the owner frees the connection */
};

/* What a server answered to ROLE (or PING, for REDIS_ANY): whether it is ready, and what it has to be. A
 * user who may not ask, or a proxy that doesn't know, is no reason to do without the server. */
bool redis_conn_role_ok(enum redis_role role, const struct redis_value *v);

/* Callbacks come later, never from within this call. */
struct redis_conn *redis_conn_new(struct loop *l, struct jobs *jobs, const struct redis_target *t,
				  const struct redis_limits *limits,
				  const struct redis_conn_ops *ops, void *ctx);
void redis_conn_send(struct redis_conn *c, struct str formatted); /* when ready */
/* "127.0.0.1:6379" or the path, for log lines; lives as long as the connection. */
const char *redis_conn_name(const struct redis_conn *c);
void redis_conn_free(struct redis_conn **c); /* safe inside callbacks */
