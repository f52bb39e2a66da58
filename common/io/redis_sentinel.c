/* SPDX-License-Identifier: Apache-2.0 */
#include "common/io/redis_sentinel.h"

#include "common/base/ensure.h"
#include "common/io/loop.h"

enum { REFRESH_MS = 30000, BACKOFF_MIN_MS = 50, BACKOFF_MAX_MS = 1000 };

enum step { STEP_MASTER, STEP_REPLICAS, STEP_WATCH };

struct redis_sentinel {
	struct loop *loop;
	struct jobs *jobs;
	const struct redis_url *url;
	struct redis_limits limits;
	bool replicas;
	const struct redis_sentinel_ops *ops;
	void *ctx;
	struct redis_conn *conn;
	struct loop_timer *timer; /* connected: to ask again; else: to connect to the next one */
	enum step step;
	size_t at; /* which of url->hosts */
	uint64_t backoff;
};

static void leave(struct redis_sentinel *s, uint64_t after_ms)
{
	redis_conn_free(&s->conn);
	s->at = (s->at + 1) % s->url->nhosts;
	loop_timer_set(s->timer, after_ms);
}

static void no_help(struct redis_sentinel *s, const char *why)
{
	s->ops->on_trouble(s->ctx, redis_conn_name(s->conn), why);
	leave(s, s->backoff);
	s->backoff = s->backoff * 2 < BACKOFF_MAX_MS ? s->backoff * 2 : BACKOFF_MAX_MS;
}

static void on_ready(void *ctx)
{
	struct redis_sentinel *s = ctx;
	struct str service = str_c(s->url->service);
	struct buf b = BUF_INIT;

	redis_format(&b, (struct str[]){STR("SENTINEL"), STR("get-master-addr-by-name"), service},
		     3);
	if (s->replicas)
		redis_format(&b, (struct str[]){STR("SENTINEL"), STR("replicas"), service}, 3);
	redis_format(&b, (struct str[]){STR("SUBSCRIBE"), STR("+switch-master")}, 2);
	redis_conn_send(s->conn, buf_str(&b));
	buf_deinit(&b);
	s->step = STEP_MASTER;
	loop_timer_set(s->timer, s->limits.connect_ms); /* for the answers */
}

static bool is_text(const struct redis_value *list, size_t i)
{
	return i < list->n && list->list[i]->kind == REDIS_TEXT;
}

static bool read_host(const struct redis_value *host, const struct redis_value *port,
		      char name[256], uint16_t *number)
{
	uint32_t n;

	if (host->kind != REDIS_TEXT || port->kind != REDIS_TEXT || !host->text.n ||
	    host->text.n > 255 || str_has_nul(host->text) || !str_u32(port->text, &n) || !n ||
	    n > 65535)
		return false;
	memcpy(name, host->text.p, host->text.n);
	name[host->text.n] = '\0';
	*number = (uint16_t)n;
	return true;
}

static void take_master(struct redis_sentinel *s, const struct redis_value *v)
{
	char host[256];
	uint16_t port;

	if (v->kind == REDIS_NIL) {
		no_help(s, "it knows no service of this name");
	} else if (v->kind != REDIS_LIST || v->n != 2 ||
		   !read_host(v->list[0], v->list[1], host, &port)) {
		no_help(s, "it doesn't say where the master is");
	} else {
		s->step = s->replicas ? STEP_REPLICAS : STEP_WATCH;
		s->backoff = BACKOFF_MIN_MS;
		loop_timer_set(s->timer, REFRESH_MS);
		s->ops->on_master(s->ctx, host, port);
	}
}

static const struct redis_value *attribute(const struct redis_value *list, const char *name)
{
	static const struct redis_value none = {.kind = REDIS_NIL};

	for (size_t i = 0; i + 1 < list->n; i += 2)
		if (is_text(list, i) && str_eq(list->list[i]->text, str_c(name)))
			return list->list[i + 1];
	return &none;
}

static bool usable(const struct redis_value *replica)
{
	const struct redis_value *flags = attribute(replica, "flags"),
				 *link = attribute(replica, "master-link-status");

	return replica->kind == REDIS_LIST && flags->kind == REDIS_TEXT &&
	       str_eq(flags->text, STR("slave")) && link->kind == REDIS_TEXT &&
	       str_eq(link->text, STR("ok"));
}

static void take_replicas(struct redis_sentinel *s, const struct redis_value *v)
{
	static char names[REDIS_REPLICAS_MAX][256];
	struct redis_host hosts[REDIS_REPLICAS_MAX];
	size_t n = 0;

	s->step = STEP_WATCH;
	for (size_t i = 0; v->kind == REDIS_LIST && i < v->n && n < REDIS_REPLICAS_MAX; i++) {
		const struct redis_value *r = v->list[i];

		hosts[n].name = names[n];
		if (usable(r) &&
		    read_host(attribute(r, "ip"), attribute(r, "port"), names[n], &hosts[n].port))
			n++;
	}
	s->ops->on_replicas(s->ctx, hosts, n);
}

/* ["message", "+switch-master", "service old-host old-port new-host new-port"] */
static void take_news(struct redis_sentinel *s, const struct redis_value *v)
{
	struct str rest, word[5];
	struct redis_value host = {.kind = REDIS_TEXT}, port = {.kind = REDIS_TEXT};
	char name[256];
	uint16_t number;

	if (v->kind != REDIS_LIST || v->n != 3 || !is_text(v, 0) || !is_text(v, 2) ||
	    !str_eq(v->list[0]->text, STR("message")))
		return;
	rest = v->list[2]->text;
	for (size_t i = 0; i < ARRAY_LEN(word); i++)
		word[i] = str_split(&rest, ' ');
	host.text = word[3];
	port.text = word[4];
	if (str_eq(word[0], str_c(s->url->service)) && read_host(&host, &port, name, &number))
		s->ops->on_master(s->ctx, name, number);
}

static void on_answer(void *ctx, const struct redis_value *v)
{
	struct redis_sentinel *s = ctx;

	switch (s->step) {
	case STEP_MASTER:
		take_master(s, v);
		return;
	case STEP_REPLICAS:
		take_replicas(s, v);
		return;
	case STEP_WATCH:
		take_news(s, v);
		return;
	}
}

static void on_end(void *ctx, const char *why)
{
	no_help(ctx, why);
}

static void on_timer(void *ctx)
{
	static const struct redis_conn_ops ops = {on_ready, on_answer, on_end};
	struct redis_sentinel *s = ctx;
	const struct redis_host *h = &s->url->hosts[s->at];
	struct redis_target t = {
		.host = h->name,
		.port = h->port,
		.user = s->url->sentinel_user,
		.password = s->url->sentinel_password,
	};

	if (s->conn && s->step == STEP_MASTER) {
		no_help(s, "no answer in time");
		return;
	}
	redis_conn_free(&s->conn);
	s->step = STEP_MASTER;
	s->conn = redis_conn_new(s->loop, s->jobs, &t, &s->limits, &ops, s);
}

void redis_sentinel_ask(struct redis_sentinel *s)
{
	if (s->conn && s->step != STEP_MASTER)
		leave(s, s->backoff);
}

struct redis_sentinel *redis_sentinel_new(struct loop *l, struct jobs *jobs,
					  const struct redis_url *url,
					  const struct redis_limits *limits, bool replicas,
					  const struct redis_sentinel_ops *ops, void *ctx)
{
	struct redis_sentinel *s = xcalloc(1, sizeof *s);

	s->loop = l;
	s->jobs = jobs;
	s->url = url;
	s->limits = *limits;
	s->replicas = replicas;
	s->ops = ops;
	s->ctx = ctx;
	s->backoff = BACKOFF_MIN_MS;
	s->timer = loop_timer_new(l, on_timer, s);
	loop_timer_set(s->timer, 0);
	return s;
}

void redis_sentinel_free(struct redis_sentinel **s)
{
	if (*s == NULL)
		return;
	redis_conn_free(&(*s)->conn);
	loop_timer_free(&(*s)->timer);
	free(*s);
	*s = NULL;
}
