/* SPDX-License-Identifier: Apache-2.0 */
/* redis_client: what redis.c (commands), redis_node.c (servers) and redis_pubsub.c share. */
#pragma once
#include "common/base/list.h"
#include "common/base/secret.h"
#include "common/base/vec.h"
#include "common/io/loop.h"
#include "common/io/redis.h"
#include "common/io/redis_conn.h"
#include "common/io/redis_sentinel.h"
#include "common/io/redis_url.h"

enum { REDIS_BACKOFF_MIN_MS = 50, REDIS_BACKOFF_MAX_MS = 1000, REDIS_NOTICE_AGAIN_MS = 60000 };

struct redis_say { /* keeps notices from repeating themselves */
	char last[128];
	uint64_t at;
};

struct redis_node { /* a server, connected or trying to be */
	struct redis *redis;
	struct list link; /* in replicas or others; master: unused */
	enum redis_role role;
	struct arena arena; /* of target */
	struct redis_target target;
	bool known; /* target says where it is (sentinels: they have said so) */
	struct redis_conn *conn;
	bool ready;
	struct list sent;	  /* calls in the order of their answers */
	struct loop_timer *retry; /* to connect; a replica that is ready: to look at it again */
	uint64_t backoff;
	struct redis_say said;
	bool unwanted; /* a replica that the sentinels don't name any more */
};

struct redis_call {
	struct redis *redis;
	struct list link;	  /* in redis->waiting, or node->sent */
	struct redis_node *node;  /* that it was sent to; NULL: it waits */
	struct redis_node *moved; /* the node that a Cluster sent us to */
	struct loop_timer *timer;
	struct buf bytes; /* formatted; wiped */
	bool read, to_master,
		finished; /* finished: nobody waits, only its answer is still to come */
	unsigned tries;
	redis_done_fn *done;
	void *ctx;
};

struct redis {
	struct loop *loop;
	struct jobs *jobs; /* for names */
	struct arena arena;
	struct redis_url url;
	struct redis_limits limits;
	size_t queue_max, ncalls;
	uint64_t command_ms;
	redis_notice_fn *notice;
	void *ctx;
	struct redis_node master;
	struct list replicas, others; /* others: nodes of a Cluster that MOVED has named */
	size_t nothers;
	struct redis_sentinel *sentinel; /* NULL: none */
	struct list waiting;
	struct loop_defer *flush;
	uint64_t away_since; /* no node is ready since then; 0: one is */
	char away_why[200];
	uint64_t prefer_master_until;
	struct list subs;
	struct redis_say trouble;
	struct redis_counts count;
};

/* redis.c */
void redis_say(struct redis *r, struct redis_say *s, enum redis_notice n, const char *server,
	       const char *why);
void redis_flush(struct redis *r); /* what waits goes out, where it can, later in this turn */
void redis_answered(struct redis_node *n, struct redis_call *c, const struct redis_value *v);
/* Asks this server (ready) and no other. */
void redis_ask_node(struct redis_node *n, const struct str *argv, size_t argc, redis_done_fn *done);
/* The connection under these calls has gone: asked again, or failed. */
void redis_unsent(struct redis_node *n, const char *why);

/* redis_node.c */
void redis_node_init(struct redis_node *n, struct redis *r, enum redis_role role);
void redis_node_deinit(struct redis_node *n);
void redis_node_at(struct redis_node *n,
		   const struct redis_target *t); /* (re)connects where t is new */
void redis_node_send(struct redis_node *n, struct redis_call *c);
void redis_node_drop(struct redis_node *n, const char *why); /* and comes back by itself */
struct redis_node *redis_node_replica(struct redis *r); /* one that is ready, by turns; or NULL */
struct redis_node *redis_node_moved(struct redis *r, struct redis_node *from, struct str address);
extern const struct redis_sentinel_ops redis_node_sentinel_ops; /* ctx: struct redis */

/* redis_pubsub.c */
void redis_pubsub_master_changed(struct redis *r);
void redis_pubsub_free(struct redis *r);
