/* SPDX-License-Identifier: Apache-2.0 */
#include "common/io/redis_client.h"

#include <stdio.h>

#include "common/base/ensure.h"
#include "common/base/rand.h"

enum { OTHERS_MAX = 64, LOOK_MS = 2000 };

static const char *role_name(const struct redis_node *n)
{
	static const char *const names[] = {
		[REDIS_ANY] = "server", [REDIS_MASTER] = "master", [REDIS_REPLICA] = "replica"};

	return names[n->role];
}

static void note_away(struct redis *r, const char *why)
{
	snprintf(r->away_why, sizeof r->away_why, "%s", why);
	if (r->count.connected)
		r->away_since = 0;
	else if (r->away_since == 0)
		r->away_since = loop_now(r->loop);
}

/* ---- one connection --------------------------------------------------------------------------- */

static void retry_later(struct redis_node *n)
{
	/* spread, so that a thousand clients of one Redis don't come back at the same moment */
	loop_timer_set(n->retry, n->backoff / 2 + rand_u64() % n->backoff);
	n->backoff = n->backoff * 2 < REDIS_BACKOFF_MAX_MS ? n->backoff * 2 : REDIS_BACKOFF_MAX_MS;
}

static void lost(struct redis_node *n, const char *why)
{
	struct redis *r = n->redis;

	r->count.lost += n->ready;
	r->count.connected -= n->ready;
	n->ready = false;
	if (n->conn)
		redis_say(r, &n->said, REDIS_LOST, redis_conn_name(n->conn), why);
	redis_conn_free(&n->conn);
	note_away(r, why);
	redis_unsent(n, why);
	retry_later(n);
}

static void on_ready(void *ctx)
{
	struct redis_node *n = ctx;

	n->ready = true;
	n->redis->count.connected++;
	n->backoff = REDIS_BACKOFF_MIN_MS;
	note_away(n->redis, "");
	redis_say(n->redis, &n->said, REDIS_CONNECTED, redis_conn_name(n->conn), role_name(n));
	if (n->role == REDIS_REPLICA)
		loop_timer_set(n->retry, LOOK_MS);
	redis_flush(n->redis);
}

/* One that has lost its master goes on answering, with passwords of yesterday. */
static void looked_at(void *ctx, const struct redis_value *v, const char *why)
{
	struct redis_node *n = ctx;

	if (v && redis_conn_role_ok(n->role, v))
		loop_timer_set(n->retry, LOOK_MS);
	else if (v)
		redis_node_drop(n, "it is no replica in touch with its master");
}

static void on_answer(void *ctx, const struct redis_value *v)
{
	struct redis_node *n = ctx;
	struct list *first = n->sent.next;

	if (list_empty(&n->sent)) {
		redis_node_drop(n, "an answer to nothing");
		return;
	}
	list_remove(first);
	redis_answered(n, list_entry(first, struct redis_call, link), v);
}

static void on_end(void *ctx, const char *why)
{
	lost(ctx, why);
}

static void free_node(struct redis_node *n)
{
	redis_node_deinit(n);
	free(n);
}

static void connect_node(struct redis_node *n)
{
	static const struct redis_conn_ops ops = {on_ready, on_answer, on_end};
	struct redis *r = n->redis;

	loop_timer_stop(n->retry);
	n->conn = redis_conn_new(r->loop, r->jobs, &n->target, &r->limits, &ops, n);
}

static void on_retry(void *ctx)
{
	struct redis_node *n = ctx;
	struct redis *r = n->redis;

	if (n->unwanted) {
		free_node(n);
		return;
	}
	if (n->ready) {
		redis_ask_node(n, (struct str[]){STR("ROLE")}, 1, looked_at);
		return;
	}
	if (n == &r->master && r->sentinel) {
		/* It has perhaps another address by now: the answer makes the connection. */
		redis_sentinel_ask(r->sentinel);
		retry_later(n);
		return;
	}
	connect_node(n);
}

void redis_node_init(struct redis_node *n, struct redis *r, enum redis_role role)
{
	n->redis = r;
	n->role = role;
	n->backoff = REDIS_BACKOFF_MIN_MS;
	list_init(&n->link);
	list_init(&n->sent);
	n->retry = loop_timer_new(r->loop, on_retry, n);
}

void redis_node_deinit(struct redis_node *n)
{
	ASSERT(list_empty(&n->sent));
	list_remove(&n->link);
	redis_conn_free(&n->conn);
	loop_timer_free(&n->retry);
	arena_deinit(&n->arena);
}

static bool same_place(const struct redis_target *a, const struct redis_target *b)
{
	return strcmp(a->path ? a->path : "", b->path ? b->path : "") == 0 && a->port == b->port &&
	       strcmp(a->host ? a->host : "", b->host ? b->host : "") == 0;
}

void redis_node_at(struct redis_node *n, const struct redis_target *t)
{
	bool elsewhere = n->known && !same_place(&n->target, t);

	if (!n->known || elsewhere) {
		/* user and password are the URL's, which lives as long as the client */
		arena_reset(&n->arena);
		n->target = *t;
		n->target.role = n->role;
		n->target.path = t->path ? arena_cstr(&n->arena, str_c(t->path)) : "";
		n->target.host = t->host ? arena_cstr(&n->arena, str_c(t->host)) : "";
		n->known = true;
	}
	if (elsewhere && n->conn) {
		n->backoff = REDIS_BACKOFF_MIN_MS;
		lost(n, "the sentinels name another master");
	}
	if (n->conn == NULL)
		connect_node(n);
	if (elsewhere && n == &n->redis->master)
		redis_pubsub_master_changed(n->redis);
}

void redis_node_send(struct redis_node *n, struct redis_call *c)
{
	ASSERT(n->ready);
	list_remove(&c->link);
	list_append(&n->sent, &c->link);
	c->node = n;
	c->tries++;
	redis_conn_send(n->conn, buf_str(&c->bytes));
}

void redis_node_drop(struct redis_node *n, const char *why)
{
	if (n->conn)
		lost(n, why);
}

/* ---- replicas, and nodes of a Cluster ---------------------------------------------------------- */

struct redis_node *redis_node_replica(struct redis *r)
{
	list_foreach(e, &r->replicas) {
		struct redis_node *n = list_entry(e, struct redis_node, link);

		if (!n->ready || n->unwanted)
			continue;
		list_remove(&n->link); /* its turn comes again behind the others */
		list_append(&r->replicas, &n->link);
		return n;
	}
	return NULL;
}

/* address: "host:port"; no host: that of the server which said so. */
struct redis_node *redis_node_moved(struct redis *r, struct redis_node *from, struct str address)
{
	size_t colon = str_rfind(address, ':');
	struct str host = str_sub(address, 0, colon);
	struct redis_target t = from->target;
	char name[256];
	uint32_t port;
	struct redis_node *n;

	if (!str_u32(str_from(address, colon + 1), &port) || !port || port > 65535 || host.n > 255)
		return NULL;
	snprintf(name, sizeof name, "%.*s", STR_ARG(host));
	t.host = host.n ? name : from->target.host;
	t.port = (uint16_t)port;
	t.path = "";
	if (!t.host || !t.host[0])
		return NULL;
	if (same_place(&r->master.target, &t))
		return &r->master;
	list_foreach(e, &r->others) {
		n = list_entry(e, struct redis_node, link);
		if (same_place(&n->target, &t))
			return n;
	}
	if (r->nothers == OTHERS_MAX)
		return NULL;
	r->nothers++;
	n = xcalloc(1, sizeof *n);
	redis_node_init(n, r, REDIS_ANY);
	list_append(&r->others, &n->link);
	redis_node_at(n, &t);
	return n;
}

/* ---- what the sentinels say --------------------------------------------------------------------- */

static void target_of(struct redis *r, const char *host, uint16_t port, struct redis_target *t)
{
	*t = (struct redis_target){.host = host,
				   .port = port,
				   .user = r->url.user,
				   .password = r->url.password,
				   .db = r->url.db};
}

static void on_master(void *ctx, const char *host, uint16_t port)
{
	struct redis *r = ctx;
	struct redis_target t;

	target_of(r, host, port, &t);
	redis_node_at(&r->master, &t);
}

static struct redis_node *replica_at(struct redis *r, const struct redis_target *t)
{
	list_foreach(e, &r->replicas) {
		struct redis_node *n = list_entry(e, struct redis_node, link);

		if (same_place(&n->target, t))
			return n;
	}
	return NULL;
}

static void on_replicas(void *ctx, const struct redis_host *hosts, size_t count)
{
	struct redis *r = ctx;

	list_foreach(e, &r->replicas)
		list_entry(e, struct redis_node, link)->unwanted = true;
	for (size_t i = 0; i < count; i++) {
		struct redis_target t;
		struct redis_node *n;

		target_of(r, hosts[i].name, hosts[i].port, &t);
		n = replica_at(r, &t);
		if (n == NULL) {
			n = xcalloc(1, sizeof *n);
			redis_node_init(n, r, REDIS_REPLICA);
			list_append(&r->replicas, &n->link);
			redis_node_at(n, &t);
		}
		n->unwanted = false;
	}
	/* Those that have gone are let go where it can be done safely: in their timers. */
	list_foreach(e, &r->replicas) {
		struct redis_node *n = list_entry(e, struct redis_node, link);

		if (n->unwanted) {
			redis_node_drop(n, "the sentinels don't name it any more");
			loop_timer_set(n->retry, 0);
		}
	}
}

static void on_trouble(void *ctx, const char *sentinel, const char *why)
{
	struct redis *r = ctx;

	if (!r->master.ready)
		redis_say(r, &r->trouble, REDIS_TROUBLE, sentinel, why);
}

const struct redis_sentinel_ops redis_node_sentinel_ops = {on_master, on_replicas, on_trouble};
