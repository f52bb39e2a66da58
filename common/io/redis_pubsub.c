/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/ensure.h"
#include "common/io/redis_client.h"

enum { PING_MS = 10000 };

struct redis_sub {
	struct redis *redis;
	struct list link;
	struct str channel; /* owned */
	redis_message_fn *fn;
	void *ctx;
	struct redis_conn *conn;
	struct loop_timer *timer; /* connected: for the next PING; else: for the next try */
	uint64_t backoff;
	bool asked; /* a PING is unanswered */
	struct redis_say said;
	bool busy, freed; /* within fn */
};

static void destroy(struct redis_sub *s)
{
	list_remove(&s->link);
	redis_conn_free(&s->conn);
	loop_timer_free(&s->timer);
	free((char *)s->channel.p);
	free(s);
}

static void tell(struct redis_sub *s, struct str message)
{
	s->busy = true;
	s->fn(s->ctx, message);
	s->busy = false;
	if (s->freed)
		destroy(s);
}

static void try_again(struct redis_sub *s)
{
	redis_conn_free(&s->conn);
	loop_timer_set(s->timer, s->backoff);
	s->backoff = s->backoff * 2 < REDIS_BACKOFF_MAX_MS ? s->backoff * 2 : REDIS_BACKOFF_MAX_MS;
}

static void on_end(void *ctx, const char *why)
{
	struct redis_sub *s = ctx;

	redis_say(s->redis, &s->said, REDIS_LOST, redis_conn_name(s->conn), why);
	try_again(s);
}

static void send_words(struct redis_sub *s, const struct str *argv, size_t argc)
{
	struct buf b = BUF_INIT;

	redis_format(&b, argv, argc);
	redis_conn_send(s->conn, buf_str(&b));
	buf_deinit(&b);
}

static void on_ready(void *ctx)
{
	struct redis_sub *s = ctx;

	send_words(s, (struct str[]){STR("SUBSCRIBE"), s->channel}, 2);
	s->asked = true;
	loop_timer_set(s->timer, s->redis->command_ms);
}

static bool word_is(const struct redis_value *v, size_t i, struct str word)
{
	return v->kind == REDIS_LIST && i < v->n && v->list[i]->kind == REDIS_TEXT &&
	       str_eq(v->list[i]->text, word);
}

static void on_answer(void *ctx, const struct redis_value *v)
{
	struct redis_sub *s = ctx;

	s->asked = false;
	loop_timer_set(s->timer, PING_MS);
	if (word_is(v, 0, STR("message")) && word_is(v, 1, s->channel) && v->n == 3 &&
	    v->list[2]->kind == REDIS_TEXT) {
		/* an empty message has an address as well: only a gap has none */
		tell(s, v->list[2]->text.n ? v->list[2]->text : STR(""));
	} else if (word_is(v, 0, STR("subscribe"))) {
		s->backoff = REDIS_BACKOFF_MIN_MS;
		redis_say(s->redis, &s->said, REDIS_CONNECTED, redis_conn_name(s->conn),
			  "subscriber");
		tell(s, STR_NONE);
	} else if (v->kind == REDIS_FAULT) {
		redis_say(s->redis, &s->said, REDIS_TROUBLE, redis_conn_name(s->conn),
			  "SUBSCRIBE was refused");
		s->backoff = REDIS_BACKOFF_MAX_MS;
		try_again(s);
	}
}

static void on_timer(void *ctx)
{
	static const struct redis_conn_ops ops = {on_ready, on_answer, on_end};
	struct redis_sub *s = ctx;
	struct redis *r = s->redis;

	if (s->conn && s->asked) {
		on_end(s, "no answer in time");
	} else if (s->conn) {
		s->asked = true;
		send_words(s, (struct str[]){STR("PING")}, 1);
		loop_timer_set(s->timer, r->command_ms);
	} else if (!r->master.known) {
		try_again(s); /* the sentinels have not said yet where it is */
	} else {
		s->asked = false;
		s->conn = redis_conn_new(r->loop, r->jobs, &r->master.target, &r->limits, &ops, s);
	}
}

struct redis_sub *redis_subscribe(struct redis *r, struct str channel, redis_message_fn *fn,
				  void *ctx)
{
	struct redis_sub *s = xcalloc(1, sizeof *s);

	s->redis = r;
	s->channel = (struct str){str_dup(channel), channel.n};
	s->fn = fn;
	s->ctx = ctx;
	s->backoff = REDIS_BACKOFF_MIN_MS;
	s->timer = loop_timer_new(r->loop, on_timer, s);
	list_init(&s->link);
	list_append(&r->subs, &s->link);
	loop_timer_set(s->timer, 0);
	return s;
}

void redis_unsubscribe(struct redis_sub **sp)
{
	struct redis_sub *s = *sp;

	if (s == NULL)
		return;
	*sp = NULL;
	redis_conn_free(&s->conn);
	loop_timer_stop(s->timer);
	s->freed = true;
	if (!s->busy)
		destroy(s);
}

void redis_pubsub_master_changed(struct redis *r)
{
	list_foreach(e, &r->subs) {
		struct redis_sub *s = list_entry(e, struct redis_sub, link);

		s->backoff = REDIS_BACKOFF_MIN_MS;
		redis_conn_free(&s->conn);
		loop_timer_set(s->timer, 0);
	}
}

void redis_pubsub_free(struct redis *r)
{
	list_foreach(e, &r->subs)
		destroy(list_entry(e, struct redis_sub, link));
}
