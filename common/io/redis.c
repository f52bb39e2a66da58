/* SPDX-License-Identifier: Apache-2.0 */
#include "common/io/redis.h"

#include <stdio.h>

#include "common/base/ensure.h"
#include "common/io/jobs.h"
#include "common/io/redis_client.h"

enum { NAME_THREADS = 2, TRIES_MAX = 2 };

void redis_say(struct redis *r, struct redis_say *s, enum redis_notice n, const char *server,
	       const char *why)
{
	uint64_t now = loop_now(r->loop);
	char text[sizeof s->last];

	snprintf(text, sizeof text, "%d %s %s", n, server, why);
	if (r->notice == NULL ||
	    (strcmp(text, s->last) == 0 && now - s->at < REDIS_NOTICE_AGAIN_MS))
		return;
	snprintf(s->last, sizeof s->last, "%s", text);
	s->at = now;
	r->notice(r->ctx, n, server, why);
}

/* ---- calls --------------------------------------------------------------------------------------- */

static void call_free(struct redis_call *c)
{
	c->redis->ncalls--;
	list_remove(&c->link);
	loop_timer_free(&c->timer);
	buf_wipe(&c->bytes);
	free(c);
}

static void finish(struct redis_call *c, const struct redis_value *v, const char *why)
{
	redis_done_fn *done = c->done;
	void *ctx = c->ctx;

	c->redis->count.failed += v == NULL;
	call_free(c);
	if (done)
		done(ctx, v, why);
}

static void dispatch(struct redis_call *c)
{
	struct redis *r = c->redis;
	struct redis_node *n = c->moved;

	if (n == NULL && c->read && !c->to_master &&
	    !(r->master.ready && loop_now(r->loop) < r->prefer_master_until))
		n = redis_node_replica(r);
	if (n == NULL)
		n = &r->master;
	if (n->ready)
		redis_node_send(n, c);
}

static void flush(void *ctx)
{
	struct redis *r = ctx;

	list_foreach(e, &r->waiting)
		dispatch(list_entry(e, struct redis_call, link));
}

void redis_flush(struct redis *r)
{
	loop_defer_set(r->flush);
}

static void wait_again(struct redis_call *c)
{
	list_remove(&c->link);
	list_append(&c->redis->waiting, &c->link);
	c->node = NULL;
	c->redis->count.again++;
	redis_flush(c->redis);
}

void redis_unsent(struct redis_node *n, const char *why)
{
	struct list calls;

	/* callbacks may start and cancel calls: each is taken from the front of a list of our own */
	list_init(&calls);
	while (!list_empty(&n->sent)) {
		struct list *first = n->sent.next;

		list_remove(first);
		list_append(&calls, first);
	}
	while (!list_empty(&calls)) {
		struct redis_call *c = list_entry(calls.next, struct redis_call, link);

		list_remove(&c->link);
		c->node = NULL;
		c->moved = NULL;
		if (c->finished)
			call_free(c);
		else if (c->read && c->tries < TRIES_MAX)
			wait_again(c);
		else
			finish(c, NULL, why);
	}
}

static void on_timeout(void *ctx)
{
	struct redis_call *c = ctx;
	struct redis_node *n = c->node;
	redis_done_fn *done = c->done;
	void *done_ctx = c->ctx;

	if (n == NULL) {
		const char *why = c->redis->away_why;

		finish(c, NULL, why[0] ? why : "no connection in time");
		return;
	}
	c->redis->count.failed++;
	/* Answers come in order: what is behind it waits as well, so this connection is of no use. */
	c->finished = true;
	c->done = NULL;
	redis_node_drop(n, "no answer in time");
	if (done)
		done(done_ctx, NULL, "no answer in time");
}

/* ---- answers that are about the server, not about the command --------------------------------------- */

static bool code_is(const struct redis_value *v, const char *code)
{
	size_t n = strlen(code);

	return str_starts(v->text, str_mem(code, n)) && (v->text.n == n || v->text.p[n] == ' ');
}

static bool servers_fault(const struct redis_value *v)
{
	static const char *const codes[] = {"LOADING",	"MASTERDOWN", "BUSY",	 "CLUSTERDOWN",
					    "TRYAGAIN", "READONLY",   "NOAUTH",	 "WRONGPASS",
					    "NOPERM",	"OOM",	      "MISCONF", "NOREPLICAS",
					    "ASK"};

	for (size_t i = 0; i < ARRAY_LEN(codes); i++)
		if (code_is(v, codes[i]))
			return true;
	return false;
}

/* "MOVED 3999 127.0.0.1:6381". True: the call is on its way there. */
static bool follow(struct redis_node *n, struct redis_call *c, const struct redis_value *v)
{
	struct str rest = v->text;

	if (!code_is(v, "MOVED") || c->moved)
		return false;
	str_split(&rest, ' ');
	str_split(&rest, ' ');
	c->moved = redis_node_moved(c->redis, n, rest);
	if (c->moved == NULL)
		return false;
	wait_again(c);
	return true;
}

/* True: another server is asked. Such an answer means that nothing was done. */
static bool ask_elsewhere(struct redis_node *n, struct redis_call *c, const struct redis_value *v)
{
	struct redis *r = c->redis;
	bool master = n == &r->master;

	if (follow(n, c, v))
		return true;
	if (!servers_fault(v))
		return false;
	if (!master && c->moved == NULL) { /* a replica: the master will know */
		c->to_master = true;
		wait_again(c);
		if (code_is(v, "LOADING") || code_is(v, "MASTERDOWN"))
			redis_node_drop(n, "it is not in touch with its master");
		return true;
	}
	if (master && code_is(v, "READONLY") && r->sentinel && c->tries < TRIES_MAX) {
		wait_again(c);
		redis_node_drop(n, "it is a replica now");
		return true;
	}
	return false;
}

void redis_answered(struct redis_node *n, struct redis_call *c, const struct redis_value *v)
{
	c->node = NULL;
	if (c->finished) {
		call_free(c);
		return;
	}
	if (v->kind == REDIS_FAULT && (servers_fault(v) || code_is(v, "MOVED"))) {
		char why[120];

		snprintf(why, sizeof why, "%.*s", STR_ARG(str_sub(v->text, 0, sizeof why - 1)));
		if (ask_elsewhere(n, c, v))
			return;
		redis_say(c->redis, &c->redis->trouble, REDIS_TROUBLE, redis_conn_name(n->conn),
			  why);
	}
	finish(c, v, "");
}

/* ---- for the user of the client ---------------------------------------------------------------------- */

static bool refuses(struct redis *r, struct err *e)
{
	if (r->ncalls >= r->queue_max)
		err_set(e, EAGAIN, "%zu commands wait already", r->ncalls);
	else if (r->away_since && loop_now(r->loop) - r->away_since >= r->command_ms)
		err_set(e, ENOTCONN, "Redis is away: %s",
			r->away_why[0] ? r->away_why : "not connected yet");
	else
		return false;
	r->count.refused++;
	return true;
}

static struct redis_call *call_new(struct redis *r, const struct str *argv, size_t argc,
				   redis_done_fn *done, void *ctx)
{
	struct redis_call *c = xcalloc(1, sizeof *c);

	c->redis = r;
	c->done = done;
	c->ctx = ctx;
	redis_format(&c->bytes, argv, argc);
	c->timer = loop_timer_new(r->loop, on_timeout, c);
	loop_timer_set(c->timer, r->command_ms);
	list_init(&c->link);
	r->ncalls++;
	return c;
}

struct redis_call *redis_start(struct redis *r, const struct str *argv, size_t argc, bool read,
			       redis_done_fn *done, void *ctx, struct err *e)
{
	struct redis_call *c;

	if (refuses(r, e))
		return NULL;
	c = call_new(r, argv, argc, done, ctx);
	c->read = read;
	list_append(&r->waiting, &c->link);
	r->count.started++;
	/* at once; where others wait, behind those of them that can go now */
	if (r->waiting.next == &c->link)
		dispatch(c);
	else
		redis_flush(r);
	return c;
}

void redis_ask_node(struct redis_node *n, const struct str *argv, size_t argc, redis_done_fn *done)
{
	redis_node_send(n, call_new(n->redis, argv, argc, done, n));
}

struct redis_counts redis_counts(const struct redis *r)
{
	struct redis_counts c = r->count;

	c.pending = r->ncalls;
	return c;
}

void redis_prefer_master(struct redis *r, uint64_t ms)
{
	r->prefer_master_until = loop_now(r->loop) + ms;
}

void redis_cancel(struct redis_call **call)
{
	struct redis_call *c = *call;

	*call = NULL;
	if (c == NULL)
		return;
	if (c->node == NULL) {
		call_free(c);
		return;
	}
	c->done = NULL;
	c->finished = true;
	/* its timer still watches that the answer comes, for those behind it */
}

static int add_replicas(struct redis *r, struct str urls, struct err *e)
{
	struct str rest = urls;

	while (rest.n) {
		struct str word = str_split(&rest, ' ');
		struct redis_url *u = arena_new(&r->arena, struct redis_url);
		struct redis_target t;
		struct redis_node *n;

		if (!word.n)
			continue;
		if (redis_url_parse(&r->arena, word, u, e))
			return -1;
		if (u->kind == REDIS_SENTINEL)
			return err_set(e, 0, "Redis URL: sentinels among the replicas");
		t = (struct redis_target){.path = u->path,
					  .host = u->hosts[0].name,
					  .port = u->hosts[0].port,
					  .user = u->user,
					  .password = u->password,
					  .db = u->db};
		n = xcalloc(1, sizeof *n);
		redis_node_init(n, r, REDIS_REPLICA);
		list_append(&r->replicas, &n->link);
		redis_node_at(n, &t);
	}
	return 0;
}

static void begin(struct redis *r, bool read_from_replicas)
{
	struct redis_target t = {.path = r->url.path,
				 .user = r->url.user,
				 .password = r->url.password,
				 .db = r->url.db};

	if (r->url.kind == REDIS_SENTINEL) {
		r->sentinel = redis_sentinel_new(r->loop, r->jobs, &r->url, &r->limits,
						 read_from_replicas, &redis_node_sentinel_ops, r);
		return;
	}
	t.host = r->url.hosts[0].name;
	t.port = r->url.hosts[0].port;
	redis_node_at(&r->master, &t);
}

struct redis *redis_new(struct loop *l, const struct redis_opts *o, struct err *e)
{
	struct redis *r = xcalloc(1, sizeof *r);

	r->loop = l;
	r->jobs = jobs_new(l, NAME_THREADS);
	r->limits = (struct redis_limits){.connect_ms = o->connect_ms, .answer_max = o->answer_max};
	r->queue_max = o->queue_max;
	r->command_ms = o->command_ms;
	r->notice = o->notice;
	r->ctx = o->ctx;
	r->flush = loop_defer_new(l, flush, r);
	r->away_since = loop_now(l);
	list_init(&r->replicas);
	list_init(&r->others);
	list_init(&r->waiting);
	list_init(&r->subs);
	/* A URL without sentinels means this server, whatever it is. */
	redis_node_init(&r->master, r, REDIS_ANY);
	if (redis_url_parse(&r->arena, o->url, &r->url, e) || add_replicas(r, o->replica_urls, e)) {
		redis_free(&r);
		return NULL;
	}
	if (r->url.kind == REDIS_SENTINEL)
		r->master.role = REDIS_MASTER;
	begin(r, o->read_from_replicas);
	return r;
}

static void free_calls(struct list *calls)
{
	list_foreach(e, calls)
		call_free(list_entry(e, struct redis_call, link));
}

static void free_nodes(struct list *nodes)
{
	list_foreach(e, nodes) {
		struct redis_node *n = list_entry(e, struct redis_node, link);

		free_calls(&n->sent);
		redis_node_deinit(n);
		free(n);
	}
}

void redis_free(struct redis **rp)
{
	struct redis *r = *rp;

	if (r == NULL)
		return;
	redis_sentinel_free(&r->sentinel);
	redis_pubsub_free(r);
	free_calls(&r->waiting);
	free_calls(&r->master.sent);
	free_nodes(&r->replicas);
	free_nodes(&r->others);
	redis_node_deinit(&r->master);
	loop_defer_free(&r->flush);
	jobs_free(&r->jobs);
	arena_deinit(&r->arena);
	free(r);
	*rp = NULL;
}
