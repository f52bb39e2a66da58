/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis_sentinel: asks sentinels, one after the other, who is the master (and who its replicas are),
 * and stays subscribed to the one that answered, for +switch-master.
 */
#pragma once
#include "common/io/redis_conn.h"
#include "common/io/redis_url.h"

#define REDIS_REPLICAS_MAX 16

struct redis_sentinel;

struct redis_sentinel_ops {
	void (*on_master)(void *ctx, const char *host, uint16_t port);
	/* Those that follow their master; comes behind on_master. */
	void (*on_replicas)(void *ctx, const struct redis_host *hosts, size_t n);
	/* A sentinel that is no help; the next one is asked. */
	void (*on_trouble)(void *ctx, const char *sentinel, const char *why);
};

/* url stays the caller's. Asks at once. */
struct redis_sentinel *redis_sentinel_new(struct loop *l, struct jobs *jobs,
					  const struct redis_url *url,
					  const struct redis_limits *limits, bool replicas,
					  const struct redis_sentinel_ops *ops, void *ctx);
void redis_sentinel_ask(
	struct redis_sentinel *s); /* again, since what it said is of no use any more */
void redis_sentinel_free(struct redis_sentinel **s);
