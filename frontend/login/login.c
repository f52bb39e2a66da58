/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/login/login.h"
#include <fcntl.h>
#include <sys/socket.h>
#include "common/base/log.h"
#include "common/imap/reply.h"
#include "frontend/login/auth_client.h"
#include "frontend/login/pump.h"
#include "frontend/login/tlsconn.h"

static void log_login(const struct login *l, enum log_level level, const char *event,
		      const char *reason)
{
	const struct session *s = l->session;

	LOG(level, event, L_S("user", l->user), L_C("ip", s->rip), L_U("port", s->rport),
	    L_C("session", s->id), L_S("method", l->mechanism), L_C("tls", s->tls ? "1" : "0"),
	    L_C("reason", reason));
}

static struct login *login_new(struct session *s, const struct login_start *st)
{
	struct login *l = xcalloc(1, sizeof(*l));

	l->session = s;
	l->fd = -1;
	l->began_ms = loop_now(s->worker->loop);
	l->tag = arena_str(&l->arena, st->tag);
	l->verb = arena_str(&l->arena, st->verb);
	l->mechanism = arena_str(&l->arena, st->mechanism);
	l->authzid = arena_str(&l->arena, st->authzid);
	l->user = arena_str(&l->arena, st->user);
	secret_set(&l->password, st->password);
	list_init(&l->waiting);
	return l;
}

void login_free(struct login **lp)
{
	struct login *l = *lp;
	struct worker *w;

	if (!l)
		return;
	w = l->session->worker;
	handoff_client_no_nonce(w->handoff, l);
	if (l->state == LOGIN_AUTH && l->id)
		auth_client_cancel(w->auth, l->id);
	if (l->state == LOGIN_PASSED && l->id)
		handoff_client_forget(w->handoff, l->id);
	if (l->fd >= 0)
		close(l->fd);
	loop_timer_free(&l->timeout);
	secret_wipe(&l->password);
	buf_wipe(&l->unread);
	arena_deinit(&l->arena);
	free(l);
	*lp = NULL;
}

/* The client stays ours and hears NO. */
static void fail(struct login *l, const char *code, struct str text, bool penalty)
{
	struct session *s = l->session;
	uint64_t began = l->began_ms;
	struct buf line = BUF_INIT;

	if (l->have_nonce)
		handoff_client_give_back(s->worker->handoff, &l->nonce);
	imap_put_tagged(&line, l->tag, "NO [%s] %.*s", code, STR_ARG(text));
	login_free(&s->login);
	session_login_refused(s, buf_str(&line), began, penalty);
	buf_deinit(&line);
}

static void fail_temporarily(struct login *l, const char *reason)
{
	log_login(l, L_WARN, "LOGIN FAILED", reason);
	fail(l, "UNAVAILABLE", STR("Temporary problem, please try again later."), false);
}

static void on_timeout(void *ctx)
{
	struct login *l = ctx;
	struct session *s = l->session;

	/* Where the socket is on its way, imapd may be writing its OK just now: both must not answer. */
	if (l->state == LOGIN_PASSED) {
		log_login(l, L_WARN, "LOGIN FAILED", "backend timeout");
		session_login_over(s);
		return;
	}
	if (l->state == LOGIN_AUTH)
		l->have_nonce = false;
	fail_temporarily(l, l->state == LOGIN_AUTH ? "authd timeout" : "no nonce from the backend");
}

static void ask(struct login *l)
{
	struct session *s = l->session;
	struct buf tls_info = BUF_INIT;
	struct auth_request r = {.mechanism = l->mechanism, .authzid = l->authzid, .user = l->user,
				 .password = secret_str(&l->password), .attempt = s->refused + 1};

	memcpy(r.nonce, l->nonce.bytes, sizeof(r.nonce));
	session_facts(s, &r.facts, &tls_info);
	l->state = LOGIN_AUTH;
	l->id = auth_client_ask(s->worker->auth, &r, l);
	buf_deinit(&tls_info);
	secret_wipe(&l->password);
	if (l->id)
		loop_timer_set(l->timeout, s->worker->set->auth_timeout * 1000);
	else
		fail_temporarily(l, "no link to authd");
}

void login_nonces_came(struct login *l)
{
	if (handoff_client_nonce(l->session->worker->handoff, l, &l->nonce)) {
		l->have_nonce = true;
		ask(l);
	}
}

void login_begin(struct session *s, const struct login_start *st)
{
	struct worker *w = s->worker;
	struct login *l = login_new(s, st);

	s->login = l;
	s->state = SESSION_LOGIN;
	list_remove(&s->link);
	list_append(&w->logging_in, &s->link);
	conn_pause(s->conn, true);
	if (st->user.n > IPC_NAME_MAX || st->authzid.n > IPC_NAME_MAX) {
		log_login(l, L_INFO, "LOGIN FAILED", "name too long");
		fail(l, "AUTHENTICATIONFAILED", STR("Login failed."), true);
		return;
	}
	l->timeout = loop_timer_new(w->loop, on_timeout, l);
	loop_timer_set(l->timeout, w->set->auth_timeout * 1000);
	if (!handoff_client_up(w->handoff))
		fail_temporarily(l, "no link to the backend");
	else
		login_nonces_came(l);
}

static bool is_this_host(struct str mailhost)
{
	char name[256];

	return !mailhost.n || (gethostname(name, sizeof(name)) == 0 &&
			       str_ieq(mailhost, str_mem(name, strnlen(name, sizeof(name)))));
}

static int pass_pair(struct login *l, struct handoff_give *g)
{
	struct session *s = l->session;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair))
		return -1;
	g->unread = conn_in(s->conn);
	l->id = handoff_client_pass(s->worker->handoff, g, pair[1], l);
	close(pair[1]);
	l->fd = pair[0];
	return l->id ? 0 : -1;
}

/* The connection is taken apart first, so that the socket is in nobody's epoll set when it goes. */
static int pass_socket(struct login *l, struct handoff_give *g)
{
	struct session *s = l->session;

	l->fd = conn_detach(&s->conn, &l->unread);
	g->unread = buf_str(&l->unread);
	l->id = handoff_client_pass(s->worker->handoff, g, l->fd, l);
	return l->id ? 0 : -1;
}

static void take_client_back(struct login *l)
{
	struct session *s = l->session;

	if (s->conn)
		return;
	session_reconnect(s, l->fd, buf_str(&l->unread));
	l->fd = -1;
}

static void pass(struct login *l, const struct auth_answer *a)
{
	struct session *s = l->session;
	struct handoff_give g = {.ticket = a->ticket, .tag = l->tag, .verb = l->verb};

	l->state = LOGIN_PASSED;
	l->id = 0;
	l->have_nonce = false;
	/* What was answered before must be out: imapd's first word comes behind it. */
	conn_flush(s->conn);
	if (conn_queued(s->conn) == 0 && (s->tls ? pass_pair(l, &g) : pass_socket(l, &g)) == 0) {
		loop_timer_set(l->timeout, s->worker->set->auth_timeout * 1000);
		return;
	}
	take_client_back(l);
	fail_temporarily(l, "backend doesn't take it");
}

static void not_ok(struct login *l, const struct auth_answer *a)
{
	static const struct {
		const char *code, *text, *reason;
		bool penalty;
	} kinds[AUTH_RESULT_N] = {
		[AUTH_MISMATCH] = {"AUTHENTICATIONFAILED", "Login failed.", "mismatch", true},
		[AUTH_UNKNOWN] = {"AUTHENTICATIONFAILED", "Login failed.", "unknown user", true},
		[AUTH_IMPOSSIBLE] = {"AUTHENTICATIONFAILED", "Login failed.", "mechanism", true},
		[AUTH_DISABLED] = {"AUTHORIZATIONFAILED", "Access disabled.", "disabled", false},
		[AUTH_EXPIRED] = {"EXPIRED", "The password has expired.", "expired", true},
	};

	if (!kinds[a->result].code) {
		fail_temporarily(l, "authd");
		return;
	}
	log_login(l, L_INFO, "LOGIN FAILED", kinds[a->result].reason);
	fail(l, kinds[a->result].code, a->text.n ? a->text : str_c(kinds[a->result].text),
	     kinds[a->result].penalty);
}

void login_auth_answer(struct login *l, const struct auth_answer *a)
{
	l->id = 0;
	loop_timer_stop(l->timeout);
	if (a->user.n)
		l->user = arena_str(&l->arena, a->user);
	if (a->result != AUTH_OK) {
		not_ok(l, a);
	} else if (!is_this_host(a->mailhost)) {
		log_login(l, L_WARN, "LOGIN FAILED", "served by another host");
		l->have_nonce = false;
		fail(l, "UNAVAILABLE", STR("This account is served by another host."), false);
	} else {
		pass(l, a);
	}
}

void login_taken(struct login *l)
{
	struct session *s = l->session;

	l->id = 0;
	log_login(l, L_INFO, "LOGIN", "ok");
	if (s->tls) {
		int fd = fcntl(conn_fd(s->conn), F_DUPFD_CLOEXEC, 3);

		if (fd >= 0)
			pump_new(s->worker, tlsconn_release(s->tls, fd), l->fd, s->id);
		else
			close(l->fd);
		l->fd = -1;
	}
	session_login_over(s);
}

void login_refused(struct login *l, struct str code, struct str text)
{
	char name[64];

	l->id = 0;
	take_client_back(l);
	log_login(l, L_WARN, "LOGIN FAILED", "refused by the backend");
	snprintf(name, sizeof(name), "%.*s", STR_ARG(code.n ? code : STR("UNAVAILABLE")));
	fail(l, name, text, false);
}

void login_lost(struct login *l)
{
	l->id = 0;
	if (l->state == LOGIN_PASSED) {
		log_login(l, L_WARN, "LOGIN FAILED", "backend link lost");
		session_login_over(l->session);
		return;
	}
	fail_temporarily(l, "backend link lost");
}
