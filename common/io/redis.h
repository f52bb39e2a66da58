/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis: an asynchronous client of one Redis service under our loop: a single server, a master that
 * sentinels name, or a Cluster (MOVED is followed once), with replicas for reading. Commands that
 * come while there is no connection wait for one, within their time; when there has been none for as long
 * as a command may take, they are refused at once, until it is back. A read whose connection broke is
 * asked again once; anything else fails then, since nobody knows whether it was done.
 *
 * Nothing blocks; arguments are sent with their lengths, so that none can become a second command; every
 * queue, wait and answer has a limit.
 */
#pragma once
#include "common/base/err.h"
#include "common/io/redis_wire.h"

struct loop;
struct redis;
struct redis_call;
struct redis_sub;

enum redis_notice {
	REDIS_CONNECTED, /* to this server; why says as what */
	REDIS_LOST,	 /* the connection, or no connection can be made */
	REDIS_TROUBLE, /* it answers, but with errors that are no command's fault; or sentinels can't help */
};
/* For log lines: changes at once, what repeats itself once a minute. */
typedef void redis_notice_fn(void *ctx, enum redis_notice n, const char *server, const char *why);

struct redis_opts {		 /* copied, but for ctx */
	struct str url;		 /* see redis_url.h */
	struct str replica_urls; /* more of them with blanks between, for reading; may be empty */
	bool read_from_replicas; /* with sentinels: of those that they name */
	size_t queue_max;	 /* commands waiting or under way; more are refused */
	size_t answer_max;	 /* bytes */
	uint64_t connect_ms, command_ms;
	redis_notice_fn *notice; /* may be NULL */
	void *ctx;
};
/* NULL: a URL is wrong, e says how. Connects by itself. */
struct redis *redis_new(struct loop *l, const struct redis_opts *o, struct err *e);
/* Calls under way never complete. Not from within a callback of this client. */
void redis_free(struct redis **r);

/*
 * v: the answer, valid during the call: a value of any kind, REDIS_FAULT where the server answered with
 * an error; NULL: there is none, and why says why ("" with an answer).
 */
typedef void redis_done_fn(void *ctx, const struct redis_value *v, const char *why);

/*
 * Starts a command. read: it changes nothing, so a replica will do, and it may be sent twice. done comes
 * later, never from within this call, at the latest after command_ms. NULL: refused (queue full, Redis
 * away): e says why.
 */
struct redis_call *redis_start(struct redis *r, const struct str *argv, size_t argc, bool read,
			       redis_done_fn *done, void *ctx, struct err *e);
struct redis_counts {
	uint64_t started, refused; /* commands */
	uint64_t failed;	   /* of those that were started: without an answer */
	uint64_t again;		   /* sent to another server, or once more */
	uint64_t lost;		   /* connections that were in use */
	uint64_t pending;	   /* commands, now */
	uint64_t connected;	   /* servers, now */
};
struct redis_counts redis_counts(const struct redis *r);
/* Something was changed just now: for so long reads go to the master where it is there, since replicas may
 * not have heard of it yet. */
void redis_prefer_master(struct redis *r, uint64_t ms);
/* done is not called any more (done may be NULL from the start, too). NULL is fine. */
void redis_cancel(struct redis_call **call);

/*
 * Subscribes to a channel on a connection of its own, until redis_unsubscribe. message.p == NULL: the
 * subscription has just begun (again), and what was published before may have been missed.
 */
typedef void redis_message_fn(void *ctx, struct str message);
struct redis_sub *redis_subscribe(struct redis *r, struct str channel, redis_message_fn *fn,
				  void *ctx);
void redis_unsubscribe(struct redis_sub **s);
