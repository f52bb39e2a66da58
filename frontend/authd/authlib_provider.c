/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/authd/authlib_provider.h"
#include <pwd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include "common/base/log.h"
#include "common/io/conn.h"
#include "common/io/jobs.h"
#include "frontend/authd/account.h"
#include "frontend/authd/authlib_proto.h"
#include "frontend/authd/confine.h"
#include "frontend/authd/username.h"

enum {
	RETRY_MS = 20,	  /* the daemon's backlog is full: a Unix socket can't be waited for */
	QUIET_MS = 10000, /* between two lines about the same trouble */
	PW_BUFFER = 16384,
};

struct authlib {
	struct provider provider;
	struct loop *loop;
	const struct settings *set;
	struct jobs *jobs;
	struct list waiting; /* struct ask, in the order in which they came */
	unsigned connected;
	struct loop_timer *retry;
	bool pumping;	    /* pump is at work further up */
	unsigned failures;  /* since the last whole reply */
	uint64_t logged_ms; /* last line about them */
};

struct ask {
	struct list link;
	struct authlib *authlib;
	struct check *check;
	struct conn *conn;	  /* NULL: waits for its turn, or has its reply */
	struct loop_timer *timer; /* for all of it */
	bool gave_up;
	struct buf text;	    /* the reply; a password may be in it */
	struct authlib_reply reply; /* slices of text */
	struct lookup *lookup;	    /* under way, or NULL */
};

struct lookup { /* getpwnam of the reply's USERNAME */
	struct job job;
	struct ask *ask;
	char *name;
	struct passwd pw, *found;
	int error;
	char buffer[PW_BUFFER];
};

static void pump(struct authlib *a);

/* ---- trouble, once ------------------------------------------------------------------------- */

static void trouble(struct authlib *a, const char *why)
{
	uint64_t now = loop_now(a->loop);

	a->failures++;
	if (a->failures > 1 && now - a->logged_ms < QUIET_MS)
		return;
	a->logged_ms = now;
	LOG(L_ERROR, "courier-authlib can't be asked", L_C("socket", a->set->authlib_socket),
	    L_C("error", why), L_U("failures", a->failures));
}

static void answered(struct authlib *a)
{
	if (a->failures)
		LOG(L_INFO, "courier-authlib answers again", L_U("failures", a->failures));
	a->failures = 0;
}

/* ---- one request --------------------------------------------------------------------------- */

static void disconnect(struct ask *k)
{
	if (k->conn)
		k->authlib->connected--;
	conn_free(&k->conn);
}

static void finish(struct ask *k, enum auth_result result)
{
	struct authlib *a = k->authlib;
	struct check *c = k->check;

	list_remove(&k->link);
	disconnect(k);
	loop_timer_free(&k->timer);
	buf_wipe(&k->text);
	if (k->lookup)
		free(k->lookup->name);
	free(k->lookup);
	free(k);
	c->work = NULL;
	check_done(c, result);
	pump(a);
}

static enum auth_result unusable(struct ask *k, const char *why)
{
	LOG(L_ERROR, "account unusable", L_S("user", k->check->user), L_C("module", "authlib"),
	    L_C("error", why));
	return AUTH_TEMPFAIL;
}

static enum auth_result make_record(struct ask *k)
{
	const struct authlib_reply *r = &k->reply;
	struct check *c = k->check;
	struct account_fields f = {
		.user = r->address.n ? r->address : c->user,
		.uid = r->uid,
		.gid = r->gid,
		.home = r->home,
		.maildir = r->maildir,
		.quota = r->quota,
		.options = r->options,
	};
	struct err e;

	if (!username_valid(f.user))
		return unusable(k, "ADDRESS is no user name");
	if (account_record(&c->arena, k->authlib->set, &f, &c->record, &e))
		return unusable(k, e.text);
	if (c->kind != CHECK_SCRAM) {
		c->verified = true;
		return AUTH_OK;
	}
	if (!r->clear.n)
		return AUTH_IMPOSSIBLE;
	check_credential(c, str_c(arena_printf(&c->arena, "{PLAIN}%.*s", STR_ARG(r->clear))),
			 STR(""));
	return AUTH_OK;
}

/* ---- USERNAME: a user of the system's table, looked up on a thread --------------------------- */

static void run_lookup(struct job *j)
{
	struct lookup *l = container_of(j, struct lookup, job);

	if (!l->ask->check->cancelled)
		l->error = getpwnam_r(l->name, &l->pw, l->buffer, sizeof(l->buffer), &l->found);
}

static void lookup_done(struct job *j)
{
	struct lookup *l = container_of(j, struct lookup, job);
	struct ask *k = l->ask;
	char uid[16], gid[16];

	if (!l->found) {
		finish(k, unusable(k, l->error ? strerror(l->error)
					       : "USERNAME is no user of this system"));
		return;
	}
	snprintf(uid, sizeof(uid), "%u", l->pw.pw_uid);
	snprintf(gid, sizeof(gid), "%u", l->pw.pw_gid);
	k->reply.uid = str_c(uid);
	if (!k->reply.gid.n)
		k->reply.gid = str_c(gid);
	if (!k->reply.home.n)
		k->reply.home = str_c(l->pw.pw_dir);
	finish(k, make_record(k));
}

static void account_came(struct ask *k)
{
	struct lookup *l;

	if (k->reply.uid.n || !k->reply.username.n) {
		finish(k, make_record(k));
		return;
	}
	loop_timer_stop(k->timer);
	l = k->lookup = xcalloc(1, sizeof(*l));
	l->ask = k;
	l->name = str_dup(k->reply.username);
	l->job.run = run_lookup;
	l->job.done = lookup_done;
	jobs_submit(k->authlib->jobs, &l->job);
}

/* ---- the connection ------------------------------------------------------------------------ */

static void failed(struct ask *k, const char *why)
{
	trouble(k->authlib, why);
	finish(k, AUTH_TEMPFAIL);
}

static void on_input(void *ctx)
{
	struct ask *k = ctx;
	struct str in = conn_in(k->conn);

	switch (authlib_parse(in, &k->reply)) {
	case AUTHLIB_MORE:
		return;
	case AUTHLIB_BROKEN:
		failed(k, "its reply is none of courier-authlib's");
		return;
	case AUTHLIB_FAIL:
		answered(k->authlib);
		finish(k, k->check->kind == CHECK_PASSWORD || k->check->kind == CHECK_CRAM
				  ? AUTH_MISMATCH
				  : AUTH_UNKNOWN);
		return;
	case AUTHLIB_ACCOUNT:
		answered(k->authlib);
		/* Once more, from a copy that outlives the connection. */
		buf_str_put(&k->text, in);
		authlib_parse(buf_str(&k->text), &k->reply);
		disconnect(k);
		account_came(k);
		return;
	}
}

static void on_end(void *ctx, enum conn_end end)
{
	struct ask *k = ctx;

	if (end == CONN_ERROR)
		failed(k, conn_error_text(k->conn));
	else
		failed(k, conn_in(k->conn).n ? "it stopped in the middle of a reply"
					     : "it closed the connection without a reply");
}

static void on_timer(void *ctx)
{
	struct ask *k = ctx;

	if (k->gave_up)
		finish(k, AUTH_TEMPFAIL);
	else
		failed(k, k->conn ? "no reply within AUTHLIB_TIMEOUT"
				  : "no connection within AUTHLIB_TIMEOUT");
}

/* The name of the port's service: words PORT=NAME, and NAME for the others; else the protocol. */
static struct str service(const struct authlib *a, const struct check *c)
{
	struct str rest = str_c(a->set->authservice), found = c->facts.protocol;
	uint32_t port;

	while (rest.p) {
		struct str word = str_trim(str_split(&rest, ' '));
		size_t eq = str_find(word, '=');

		if (word.n && eq == word.n)
			found = word;
		else if (str_u32(str_sub(word, 0, eq), &port) && port == c->facts.lport)
			return str_from(word, eq + 1);
	}
	return found;
}

static void put_request(struct ask *k)
{
	const struct check *c = k->check;
	struct str rip = k->authlib->set->authlib_remoteip ? c->facts.rip : STR_NONE;
	struct buf *out = conn_out(k->conn);

	switch (c->kind) {
	case CHECK_PASSWORD:
		authlib_put_login(out, rip, service(k->authlib, c), c->user,
				  secret_str(&c->password));
		break;
	case CHECK_CRAM:
		authlib_put_cram(out, rip, service(k->authlib, c), c->user, c->challenge,
				 c->digest);
		break;
	default:
		authlib_put_pre(out, rip, service(k->authlib, c), c->user);
	}
}

/* The descriptor, or -1 with errno: EAGAIN where the daemon's backlog is full. */
static int connect_socket(const char *path)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd, saved;

	if (strlen(path) >= sizeof(sa.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(sa.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

static void connected(struct ask *k, int fd)
{
	static const struct conn_ops ops = {.on_input = on_input, .on_end = on_end};
	const struct conn_opts opts = {
		.in_max = AUTHLIB_REPLY_MAX + 1, .out_high = SIZE_MAX, .out_low = 0};

	list_remove(&k->link);
	k->authlib->connected++;
	k->conn = conn_new(k->authlib->loop, fd, fd, &opts, &ops, k);
	put_request(k);
}

static void pump(struct authlib *a)
{
	if (a->pumping)
		return; /* within failed() below */
	a->pumping = true;
	while (!list_empty(&a->waiting) && a->connected < a->set->authlib_connections) {
		struct ask *k = list_entry(a->waiting.next, struct ask, link);
		int fd = connect_socket(a->set->authlib_socket);

		if (fd >= 0) {
			connected(k, fd);
		} else if (errno == EAGAIN) {
			loop_timer_set(a->retry, RETRY_MS);
			break;
		} else {
			failed(k, strerror(errno));
		}
	}
	a->pumping = false;
}

static void on_retry(void *ctx)
{
	pump(ctx);
}

/* ---- the provider -------------------------------------------------------------------------- */

static void start(struct provider *p, struct check *c)
{
	struct authlib *a = container_of(p, struct authlib, provider);
	struct ask *k;

	/* No account of the daemon's can have such a name or password. */
	if (!authlib_sendable(c->user) || !authlib_sendable(secret_str(&c->password))) {
		check_done(c, AUTH_MISMATCH);
		return;
	}
	k = xcalloc(1, sizeof(*k));
	k->authlib = a;
	k->check = c;
	c->work = k;
	k->timer = loop_timer_new(a->loop, on_timer, k);
	loop_timer_set(k->timer, a->set->authlib_timeout * 1000);
	list_append(&a->waiting, &k->link);
	pump(a);
}

static void cancel(struct provider *p, struct check *c)
{
	struct ask *k = c->work;

	if (!k || k->lookup)
		return; /* a lookup ends by itself */
	k->gave_up = true;
	loop_timer_set(k->timer, 0);
}

static void provider_free(struct provider *p)
{
	struct authlib *a = container_of(p, struct authlib, provider);

	loop_timer_free(&a->retry);
	free(a);
}

struct provider *authlib_provider_new(struct loop *l, const struct settings *set, struct jobs *jobs)
{
	struct authlib *a = xcalloc(1, sizeof(*a));

	a->provider = (struct provider){
		.name = "authlib",
		.kinds = CHECK_BIT(CHECK_PASSWORD) | CHECK_BIT(CHECK_CRAM) |
			 CHECK_BIT(CHECK_TRUSTED) |
			 (set->authlib_scram ? CHECK_BIT(CHECK_SCRAM) : 0),
		.start = start,
		.cancel = cancel,
		.free = provider_free,
	};
	a->loop = l;
	a->set = set;
	a->jobs = jobs;
	list_init(&a->waiting);
	a->retry = loop_timer_new(l, on_retry, a);
	return &a->provider;
}

void authlib_provider_needs(const struct settings *set, struct confine_needs *n)
{
	n->names = n->names || settings_list_has(set->authmodules, STR("authlib")) ||
		   settings_list_has(set->authmodules, STR("authdaemon"));
}
