/* SPDX-License-Identifier: Apache-2.0 */
#include "common/io/redis_conn.h"

#include <stdio.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/ensure.h"
#include "common/base/secret.h"
#include "common/io/conn.h"
#include "common/io/resolve.h"

enum step { STEP_AUTH, STEP_SELECT, STEP_PROBE, STEP_READY };
enum { IN_CHUNK = 65536, OUT_HIGH = 1 << 20, KEEPALIVE_S = 60 };

struct redis_conn {
	struct loop *loop;
	const struct redis_conn_ops *ops;
	void *ctx;
	struct arena arena;
	struct redis_target target;
	struct secret password;
	char *name;
	struct resolve *resolving;
	struct resolved addresses;
	size_t tried; /* of them */
	struct loop_timer *timer;
	struct loop_defer *later; /* the end that was found within redis_conn_new */
	struct conn *conn;
	struct redis_reader *reader;
	size_t answer_max;
	enum step step;
	bool busy, freed, ended; /* busy: callbacks are being called, the memory has to stay */
	char why[300];
};

static void try_next(struct redis_conn *c);

static void ended(struct redis_conn *c, const char *why)
{
	if (c->ended)
		return;
	c->ended = true;
	snprintf(c->why, sizeof c->why, "%s", why);
	conn_free(&c->conn);
	resolve_cancel(&c->resolving);
	loop_timer_stop(c->timer);
	loop_defer_set(c->later);
}

/* ---- AUTH, SELECT, ROLE ----------------------------------------------------------------------- */

static void send_words(struct redis_conn *c, const struct str *argv, size_t argc)
{
	redis_format(conn_out(c->conn), argv, argc);
}

static void greet(struct redis_conn *c)
{
	struct str auth[3] = {STR("AUTH")};
	char db[16];
	size_t n = 1;

	if (c->target.user.n)
		auth[n++] = c->target.user;
	auth[n++] = secret_str(&c->password);
	snprintf(db, sizeof db, "%u", c->target.db);
	c->step = c->password.n ? STEP_AUTH : c->target.db ? STEP_SELECT : STEP_PROBE;
	if (c->password.n)
		send_words(c, auth, n);
	if (c->target.db)
		send_words(c, (struct str[]){STR("SELECT"), str_c(db)}, 2);
	/* PING shows whether more is wanted (NOAUTH) or it isn't ready yet (LOADING, MASTERDOWN) */
	send_words(c, (struct str[]){c->target.role == REDIS_ANY ? STR("PING") : STR("ROLE")}, 1);
}

static bool fault_is(const struct redis_value *v, const char *code)
{
	return v->kind == REDIS_FAULT && str_starts(v->text, str_c(code));
}

bool redis_conn_role_ok(enum redis_role wanted, const struct redis_value *v)
{
	struct str role;

	if (v->kind == REDIS_FAULT)
		return fault_is(v, "NOPERM") || fault_is(v, "ERR unknown command");
	if (wanted == REDIS_ANY)
		return true;
	if (v->kind != REDIS_LIST || v->n < 1 || v->list[0]->kind != REDIS_TEXT)
		return false;
	role = v->list[0]->text;
	if (wanted == REDIS_MASTER)
		return str_eq(role, STR("master"));
	/* [slave, host, port, state, offset]: one that has lost its master may be far behind */
	return str_eq(role, STR("slave")) && v->n >= 4 && v->list[3]->kind == REDIS_TEXT &&
	       str_eq(v->list[3]->text, STR("connected"));
}

static void refused(struct redis_conn *c, const char *what, const struct redis_value *v)
{
	char why[256];

	if (v->kind == REDIS_FAULT)
		snprintf(why, sizeof why, "%s: %.*s", what, STR_ARG(str_sub(v->text, 0, 160)));
	else
		snprintf(why, sizeof why, "%s", what);
	ended(c, why);
}

static void greeted(struct redis_conn *c, const struct redis_value *v)
{
	switch (c->step) {
	case STEP_AUTH:
		if (v->kind == REDIS_FAULT) {
			refused(c, "AUTH refused", v);
			return;
		}
		c->step = c->target.db ? STEP_SELECT : STEP_PROBE;
		return;
	case STEP_SELECT:
		if (v->kind == REDIS_FAULT) {
			refused(c, "SELECT refused", v);
			return;
		}
		c->step = STEP_PROBE;
		return;
	default:
		if (!redis_conn_role_ok(c->target.role, v)) {
			refused(c,
				v->kind == REDIS_FAULT ? "not ready"
				: c->target.role == REDIS_MASTER
					? "it is not the master"
					: "it is no replica in touch with its master",
				v);
			return;
		}
		c->step = STEP_READY;
		loop_timer_stop(c->timer);
		c->ops->on_ready(c->ctx);
	}
}

/* ---- bytes ------------------------------------------------------------------------------------ */

static void destroy(struct redis_conn *c)
{
	conn_free(&c->conn);
	resolve_cancel(&c->resolving);
	loop_timer_free(&c->timer);
	loop_defer_free(&c->later);
	redis_reader_free(&c->reader);
	secret_wipe(&c->password);
	arena_deinit(&c->arena);
	free(c->name);
	free(c);
}

static void tell_end(void *ctx)
{
	struct redis_conn *c = ctx;

	c->busy = true; /* why outlives what the owner does with it */
	c->ops->on_end(c->ctx, c->why);
	c->busy = false;
	if (c->freed)
		destroy(c);
}

static void answers(struct redis_conn *c)
{
	const struct redis_value *v;
	struct err e;
	int rc = 1;

	while (!c->freed && !c->ended && (rc = redis_reader_next(c->reader, &v, &e)) == 1) {
		if (c->step == STEP_READY)
			c->ops->on_answer(c->ctx, v);
		else
			greeted(c, v);
	}
	if (rc < 0)
		ended(c, e.text);
}

static void on_input(void *ctx)
{
	struct redis_conn *c = ctx;
	struct str in = conn_in(c->conn);
	struct err e;

	c->busy = true;
	if (redis_reader_feed(c->reader, in, &e)) {
		ended(c, e.text);
	} else {
		conn_consume(c->conn, in.n);
		answers(c);
	}
	c->busy = false;
	if (c->freed)
		destroy(c);
}

static void on_end(void *ctx, enum conn_end e)
{
	struct redis_conn *c = ctx;
	char why[128];

	snprintf(why, sizeof why, "%s",
		 e == CONN_EOF ? "the server closed the connection" : conn_error_text(c->conn));
	/* Refused by this address: perhaps the name's next one is better. */
	if (c->step != STEP_READY && e == CONN_ERROR && c->tried < c->addresses.n) {
		try_next(c);
		return;
	}
	ended(c, why);
}

/* ---- connecting ------------------------------------------------------------------------------- */

static void use_socket(struct redis_conn *c, int fd, const struct sockaddr *sa, socklen_t len)
{
	static const struct conn_ops ops = {on_input, NULL, on_end};
	const struct conn_opts opts = {
		.in_max = IN_CHUNK, .out_high = OUT_HIGH, .out_low = OUT_HIGH / 2};
	char why[160];

	if (connect(fd, sa, len) != 0 && errno != EINPROGRESS) {
		snprintf(why, sizeof why, "%s", strerror(errno));
		close(fd);
		if (c->tried < c->addresses.n)
			try_next(c);
		else
			ended(c, why);
		return;
	}
	conn_free(&c->conn);
	c->conn = conn_new(c->loop, fd, fd, &opts, &ops, c);
	greet(c); /* goes out when the connection is there */
}

static int new_socket(struct redis_conn *c, int family)
{
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		ended(c, strerror(errno));
	else if (family != AF_UNIX)
		sock_keepalive(fd, KEEPALIVE_S);
	return fd;
}

static void try_next(struct redis_conn *c)
{
	const struct sock_addr *a = &c->addresses.addr[c->tried++];
	int fd = new_socket(c, a->ss.ss_family);

	if (fd >= 0)
		use_socket(c, fd, (const struct sockaddr *)&a->ss, a->len);
}

static void connect_unix(struct redis_conn *c)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int fd;

	ASSERT(strlen(c->target.path) < sizeof sun.sun_path);
	memcpy(sun.sun_path, c->target.path, strlen(c->target.path) + 1);
	fd = new_socket(c, AF_UNIX);
	if (fd >= 0)
		use_socket(c, fd, (const struct sockaddr *)&sun, sizeof sun);
}

static void on_resolved(void *ctx, const struct resolved *r)
{
	struct redis_conn *c = ctx;
	char why[200];

	c->resolving = NULL;
	if (r->n == 0) {
		snprintf(why, sizeof why, "no address: %s", r->error);
		ended(c, why);
		return;
	}
	c->addresses = *r;
	try_next(c);
}

static void on_timeout(void *ctx)
{
	struct redis_conn *c = ctx;

	ended(c, c->resolving ? "the name's look-up takes too long"
		 : c->conn    ? "no connection, or no answer, in time"
			      : "not connected in time");
}

struct redis_conn *redis_conn_new(struct loop *l, struct jobs *jobs, const struct redis_target *t,
				  const struct redis_limits *limits,
				  const struct redis_conn_ops *ops, void *ctx)
{
	struct redis_conn *c = xcalloc(1, sizeof *c);
	bool local = t->path && t->path[0];

	c->loop = l;
	c->ops = ops;
	c->ctx = ctx;
	c->target = *t;
	c->target.path = local ? arena_cstr(&c->arena, str_c(t->path)) : "";
	c->target.user = arena_str(&c->arena, t->user);
	secret_set(&c->password, t->password);
	c->reader = redis_reader_new(limits->answer_max);
	c->timer = loop_timer_new(l, on_timeout, c);
	c->later = loop_defer_new(l, tell_end, c);
	loop_timer_set(c->timer, limits->connect_ms);
	if (local) {
		c->name = xstrdup(t->path);
		connect_unix(c);
		return c;
	}
	c->name = str_dup(str_c(arena_printf(&c->arena, strchr(t->host, ':') ? "[%s]:%u" : "%s:%u",
					     t->host, t->port)));
	if (resolve_numeric(t->host, t->port, &c->addresses.addr[0])) {
		c->addresses.n = 1;
		try_next(c);
	} else {
		c->resolving = resolve_start(jobs, t->host, t->port, on_resolved, c);
	}
	return c;
}

void redis_conn_send(struct redis_conn *c, struct str formatted)
{
	if (c->step == STEP_READY && !c->ended)
		buf_str_put(conn_out(c->conn), formatted);
}

const char *redis_conn_name(const struct redis_conn *c)
{
	return c->name;
}

void redis_conn_free(struct redis_conn **cp)
{
	struct redis_conn *c = *cp;

	if (c == NULL)
		return;
	*cp = NULL;
	c->freed = true;
	c->ops = NULL;
	if (!c->busy)
		destroy(c);
}
