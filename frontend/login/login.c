/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/login/login.h"
#include <fcntl.h>
#include <sys/socket.h>
#include "common/base/base64.h"
#include "common/imap/reply.h"
#include "frontend/login/auth_client.h"
#include "frontend/login/loglines.h"
#include "frontend/login/pump.h"
#include "frontend/login/tlsconn.h"

static void log_login(const struct login *l, enum loglines_event event, const char *reason)
{
	struct loglines_login line = {event, l->user, l->method, reason,
				      loop_now(l->session->worker->loop) - l->began_ms};

	loglines_login(l->session, &line);
}

static struct login *login_new(struct session *s, const struct login_start *st)
{
	struct login *l = xcalloc(1, sizeof(*l));

	l->session = s;
	l->fd = -1;
	l->began_ms = l->spoke_ms = loop_now(s->worker->loop);
	l->tag = arena_str(&l->arena, st->tag);
	l->verb = arena_str(&l->arena, st->verb);
	l->mechanism = st->mechanism;
	l->method = st->method;
	l->user = arena_str(&l->arena, st->user);
	l->has_initial = st->initial.p != NULL;
	secret_set(&l->initial, st->initial);
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
	if ((l->state == LOGIN_AUTH || l->state == LOGIN_CLIENT) && l->id)
		auth_client_cancel(w->auth, l->id);
	if (l->state == LOGIN_PASSED && l->id)
		handoff_client_forget(w->handoff, l->id);
	if (l->fd >= 0)
		close(l->fd);
	loop_timer_free(&l->timeout);
	secret_wipe(&l->initial);
	buf_wipe(&l->unread);
	arena_deinit(&l->arena);
	free(l);
	*lp = NULL;
}

static void give_back_nonce(struct login *l)
{
	if (l->have_nonce)
		handoff_client_give_back(l->session->worker->handoff, &l->nonce);
	l->have_nonce = false;
}

/* The client stays ours and hears NO, delay_ms after it sent what was refused: one that takes its time
 * within a dialogue doesn't use the delay up, which hides how long the check took (B16). */
static void fail(struct login *l, struct str code, struct str text, uint64_t delay_ms)
{
	struct session *s = l->session;
	uint64_t due = l->spoke_ms + delay_ms;
	struct buf line = BUF_INIT;

	give_back_nonce(l);
	imap_put_tagged(&line, l->tag, "NO [%.*s] %.*s", STR_ARG(code), STR_ARG(text));
	login_free(&s->login);
	session_login_refused(s, buf_str(&line), due);
	buf_deinit(&line);
}

/* What the client sent is no message of this mechanism, or it gave up: BAD. */
static void fail_malformed(struct login *l, const char *text)
{
	struct session *s = l->session;

	give_back_nonce(l);
	imap_put_tagged(conn_out(s->conn), l->tag, "BAD %s", text);
	login_free(&s->login);
	session_login_malformed(s);
}

#define TEMPORARILY STR("UNAVAILABLE"), STR("Temporary problem, please try again later.")

static void fail_temporarily(struct login *l, const char *reason)
{
	log_login(l, LOGLINES_DEFERRED, reason);
	fail(l, TEMPORARILY, 0);
}

static void on_timeout(void *ctx)
{
	struct login *l = ctx;
	struct session *s = l->session;

	/* Where the socket is on its way, imapd may be writing its OK just now: both must not answer. */
	if (l->state == LOGIN_PASSED) {
		log_login(l, LOGLINES_DEFERRED, "backend timeout");
		session_login_over(s);
		return;
	}
	if (l->state == LOGIN_AUTH)
		l->have_nonce = false;
	fail_temporarily(l, l->state == LOGIN_AUTH ? "authd timeout" : "no nonce from the backend");
}

/* Penalties are waited out within authd. */
static uint64_t auth_timeout_ms(const struct settings *set)
{
	return set->auth_timeout * 1000 + set->login_penalty_max;
}

static void ask(struct login *l)
{
	struct session *s = l->session;
	struct buf tls_info = BUF_INIT;
	struct arena a = ARENA_INIT;
	struct auth_request r = {.mechanism = str_c(sasl_name(l->mechanism)),
				 .has_initial = l->has_initial,
				 .initial = secret_str(&l->initial),
				 .attempt = s->refused + 1};

	memcpy(r.nonce, l->nonce.bytes, sizeof(r.nonce));
	session_facts(s, &r.facts, &tls_info);
	session_peer(s, l->mechanism, &r.peer, &a);
	l->state = LOGIN_AUTH;
	l->id = auth_client_ask(s->worker->auth, &r, l);
	buf_deinit(&tls_info);
	arena_deinit(&a);
	secret_wipe(&l->initial);
	if (l->id)
		loop_timer_set(l->timeout, auth_timeout_ms(s->worker->set));
	else
		fail_temporarily(l, "no link to authd");
}

void login_challenge(struct login *l, struct str message)
{
	struct buf line = BUF_INIT;

	if (l->state != LOGIN_AUTH)
		return;
	l->state = LOGIN_CLIENT;
	loop_timer_stop(l->timeout); /* the session's deadline goes on */
	base64_encode(&line, message);
	imap_put_continue(conn_out(l->session->conn), buf_cstr(&line));
	buf_wipe(&line);
	session_await_sasl(l->session);
}

void login_respond(struct login *l, struct str line)
{
	struct session *s = l->session;
	struct buf message = BUF_INIT;
	bool sent;

	if (str_eq(line, STR("*"))) {
		fail_malformed(l, "Authentication cancelled.");
		return;
	}
	if (base64_decode(&message, line) || message.n > AUTH_MESSAGE_MAX) {
		buf_wipe(&message);
		fail_malformed(l, "Broken SASL message.");
		return;
	}
	l->state = LOGIN_AUTH;
	l->spoke_ms = loop_now(s->worker->loop);
	loop_timer_set(l->timeout, auth_timeout_ms(s->worker->set));
	session_login_busy(s);
	sent = auth_client_respond(s->worker->auth, l->id, buf_str(&message));
	buf_wipe(&message);
	if (!sent)
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
	session_login_busy(s);
	if (st->initial.n > AUTH_MESSAGE_MAX) {
		fail_malformed(l, "SASL message is too long.");
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
		struct str code, text;
		enum loglines_event event;
		const char *reason;
	} kinds[AUTH_RESULT_N] = {
		[AUTH_MISMATCH] = {STR("AUTHENTICATIONFAILED"), STR("Login failed."),
				   LOGLINES_FAILED, "mismatch"},
		[AUTH_UNKNOWN] = {STR("AUTHENTICATIONFAILED"), STR("Login failed."),
				  LOGLINES_FAILED, "unknown user"},
		[AUTH_IMPOSSIBLE] = {STR("AUTHENTICATIONFAILED"), STR("Login failed."),
				     LOGLINES_DENIED, "mechanism"},
		[AUTH_TEMPFAIL] = {TEMPORARILY, LOGLINES_DEFERRED, "authd"},
		[AUTH_DISABLED] = {STR("AUTHORIZATIONFAILED"), STR("Access disabled."),
				   LOGLINES_DENIED, "disabled"},
		[AUTH_EXPIRED] = {STR("EXPIRED"), STR("The password has expired."), LOGLINES_DENIED,
				  "expired"},
	};

	if (a->result == AUTH_MALFORMED) {
		fail_malformed(l, "Broken SASL message.");
		return;
	}
	if (!kinds[a->result].reason) {
		fail_temporarily(l, "authd");
		return;
	}
	log_login(l, kinds[a->result].event, kinds[a->result].reason);
	fail(l, a->code.n ? a->code : kinds[a->result].code,
	     a->text.n ? a->text : kinds[a->result].text, a->delay_ms);
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
		log_login(l, LOGLINES_DEFERRED, "served by another host");
		l->have_nonce = false;
		fail(l, STR("UNAVAILABLE"), STR("This account is served by another host."), 0);
	} else {
		pass(l, a);
	}
}

void login_taken(struct login *l)
{
	struct session *s = l->session;

	l->id = 0;
	log_login(l, LOGLINES_PASSED, "ok");
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
	l->id = 0;
	take_client_back(l);
	log_login(l, LOGLINES_DENIED, "refused by the backend");
	fail(l, code.n ? code : STR("UNAVAILABLE"), text, 0);
}

void login_lost(struct login *l)
{
	l->id = 0;
	if (l->state == LOGIN_PASSED) {
		log_login(l, LOGLINES_DEFERRED, "backend link lost");
		session_login_over(l->session);
		return;
	}
	fail_temporarily(l, "backend link lost");
}
