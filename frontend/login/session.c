/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/login/session.h"
#include "common/base/log.h"
#include "common/config/listener.h"
#include "common/imap/reply.h"
#include "common/sys/tlspolicy.h"
#include "frontend/login/login.h"
#include "frontend/login/preauth.h"
#include "frontend/login/tlsconn.h"
#include "frontend/login/tlsctx.h"
#include "frontend/login/tlspeer.h"

enum { SSF_PRIVATE = 2, LINGER_MS = 2000, IN_MIN = 4096 };

static void on_input(void *ctx);
static void on_end(void *ctx, enum conn_end e);
static const struct conn_ops ops = {on_input, on_input, on_end};

size_t session_in_max(const struct worker *w)
{
	size_t n = w->set->prelogin_max;

	if (n > IPC_UNREAD_MAX)
		return IPC_UNREAD_MAX;
	return n < IN_MIN ? IN_MIN : n;
}

static struct conn *make_conn(struct session *s, int fd)
{
	size_t in_max = session_in_max(s->worker);
	struct conn_opts o = {.in_max = in_max, .out_high = in_max, .out_low = in_max / 2};

	return conn_new(s->worker->loop, fd, fd, &o, &ops, s);
}

static void session_free(struct session **sp)
{
	struct session *s = *sp;
	struct worker *w = s->worker;

	login_free(&s->login);
	list_remove(&s->link);
	conn_free(&s->conn);
	loop_timer_free(&s->deadline);
	loop_timer_free(&s->penalty);
	imap_parser_wipe(&s->parser);
	imap_parser_deinit(&s->parser);
	buf_deinit(&s->answer);
	if (s->counted)
		door_left(w, &s->addr);
	free(s->proxied);
	w->nsessions--;
	free(s);
	*sp = NULL;
	worker_ended(w);
}

static void end_now(struct session *s)
{
	session_free(&s);
}

void session_bye(struct session *s, const char *text)
{
	if (s->state == SESSION_CLOSING)
		return;
	if (!s->conn || s->state == SESSION_SHAKING) {
		end_now(s);
		return;
	}
	login_free(&s->login);
	loop_timer_free(&s->penalty);
	imap_put_untagged(conn_out(s->conn), "BYE %s", text);
	s->state = SESSION_CLOSING;
	conn_pause(s->conn, false);
	conn_finish(s->conn, LINGER_MS);
}

static void on_deadline(void *ctx)
{
	struct session *s = ctx;

	/* AUTH_TIMEOUT bounds this, and imapd may be answering already. */
	if (s->state == SESSION_LOGIN && s->login->state == LOGIN_PASSED) {
		loop_timer_set(s->deadline, 1000);
		return;
	}
	LOG_COURIER(L_DEBUG, "TIMEOUT", L_B("ip", s->rip), L_P("port", s->rport),
		    L_C("session", s->id));
	session_bye(s, "Login took too long.");
}

static void log_shake_fault(struct session *s)
{
	const char *why = s->tls->error;

	/* A load balancer that only looks whether the port is open. */
	if (!why && s->proxied && s->proxied->own)
		return;
	if (ration_take(&s->worker->shake_faults, loop_now(s->worker->loop),
			"TLS handshake failed"))
		LOG(L_INFO, "TLS handshake failed", L_C("ip", s->rip), L_U("port", s->rport),
		    L_C("reason", why ? why : "closed by the client"));
}

static void on_end(void *ctx, enum conn_end e)
{
	struct session *s = ctx;

	if (s->tls && !s->tls->shaken)
		log_shake_fault(s);
	else
		LOG_COURIER(L_DEBUG, "DISCONNECTED", L_B("ip", s->rip), L_P("port", s->rport),
			    L_C("session", s->id),
			    L_C("reason", e == CONN_EOF ? "closed" : "error"));
	end_now(s);
}

static void on_input(void *ctx)
{
	struct session *s = ctx;

	/* Only what the load balancer sent first is its word. */
	if (s->proxied && !s->tls && conn_bytes_in(s->conn) == conn_in(s->conn).n &&
	    proxied_again(conn_in(s->conn))) {
		proxied_complain(s->worker, s->proxied->addr, s->proxied->port, "a second header");
		end_now(s);
		return;
	}
	preauth_input(s);
}

static bool on_shaken(void *ctx)
{
	struct session *s = ctx;

	if (s->state != SESSION_SHAKING)
		return false;
	preauth_greet(s);
	return true;
}

static bool on_shaken_starttls(void *ctx)
{
	return false;
}

static void push_tls(struct session *s, tlsconn_shaken_fn *shaken)
{
	s->tls = tlsconn_new(tlsctx_get(s->worker->tls), conn_fd(s->conn), shaken, s);
	s->tls->local_ip = s->lip;
	conn_push_layer(s->conn, tlsconn_layer(s->tls));
}

int session_start_tls(struct session *s)
{
	conn_flush(s->conn);
	if (conn_queued(s->conn) || !tlsctx_get(s->worker->tls))
		return -1;
	push_tls(s, on_shaken_starttls);
	SSL_set_min_proto_version(s->tls->ssl, tlspolicy_starttls_version(s->worker->set));
	return 0;
}

static void log_connection(const struct session *s)
{
	const struct proxied *p = s->proxied;

	LOG_COURIER(L_DEBUG, "Connection", L_B("ip", s->rip), L_P("port", s->rport),
		    L_C("session", s->id), L_C("proxy", p ? p->addr : "none"),
		    L_S("proxy_id", str_mem(p ? p->id : "", p ? p->nid : 0)));
}

static uint64_t time_left(const struct worker *w, const struct arrival *a)
{
	uint64_t past = loop_now(w->loop) - a->since_ms, all = w->set->prelogin_timeout * 1000;

	return past < all ? all - past : 1;
}

static void set_addresses(struct session *s, const struct arrival *a)
{
	sock_ip(&a->peer, s->rip);
	s->rport = sock_port(&a->peer);
	s->ssf = a->ssf > s->worker->set->external_ssf ? a->ssf
						       : (uint32_t)s->worker->set->external_ssf;
	s->loopback = sock_loopback(&a->peer);
	sock_ip(&a->local, s->lip);
	s->lport = sock_port(&a->local);
	net_addr_of_sock(&a->peer, &s->addr);
	s->counted = a->counted;
	s->ssl = a->tls;
	s->proxied = a->proxied;
}

void session_new(struct worker *w, const struct arrival *a)
{
	struct session *s = xcalloc(1, sizeof(*s));
	struct imap_limits limits = IMAP_LIMITS_PRELOGIN(
		w->set->prelogin_max, strcmp(w->set->imap_literal, "minus") == 0);

	limits.login_parens = w->set->imap_client_workarounds;
	s->worker = w;
	set_addresses(s, a);
	worker_session_id(w, s->id);
	imap_parser_init(&s->parser, &limits);
	list_append(&w->waiting, &s->link);
	w->nsessions++;
	s->deadline = loop_timer_new(w->loop, on_deadline, s);
	loop_timer_set(s->deadline, time_left(w, a));
	s->conn = make_conn(s, a->fd);
	log_connection(s);
	if (a->tls)
		push_tls(s, on_shaken);
	else
		preauth_greet(s);
}

void session_close_oldest(struct worker *w)
{
	struct session *s;

	if (proxied_close_oldest(w) || list_empty(&w->waiting))
		return;
	s = list_entry(w->waiting.next, struct session, link);
	LOG(L_INFO, "oldest unauthenticated client closed", L_C("ip", s->rip),
	    L_U("prelogin", w->nsessions));
	if (s->state != SESSION_SHAKING && s->state != SESSION_CLOSING && s->conn) {
		imap_put_untagged(conn_out(s->conn), "BYE [UNAVAILABLE] Too many connections.");
		conn_flush(s->conn);
	}
	end_now(s);
}

void session_close_all(struct worker *w, const char *text)
{
	struct list *lists[] = {&w->waiting, &w->logging_in};

	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		while (!list_empty(lists[i])) {
			struct session *s = list_entry(lists[i]->next, struct session, link);

			if (s->state != SESSION_SHAKING && s->state != SESSION_CLOSING && s->conn) {
				imap_put_untagged(conn_out(s->conn), "BYE %s", text);
				conn_flush(s->conn);
			}
			end_now(s);
		}
}

void session_count_bad(struct session *s)
{
	if (++s->bad >= s->worker->set->prelogin_bad_max)
		session_bye(s, "Too many bad commands.");
}

bool session_secure(const struct session *s)
{
	return s->tls || (s->proxied && s->proxied->tls && s->worker->set->proxy_tls);
}

bool session_may_login(const struct session *s)
{
	const char *required = s->worker->set->imap_tls_required;

	if (session_secure(s) || s->ssf >= SSF_PRIVATE || strcmp(required, "0") == 0)
		return true;
	return strcmp(required, "remote") == 0 && s->loopback;
}

void session_put_caps(const struct session *s, struct buf *out)
{
	const struct settings *set = s->worker->set;
	struct imap_caps c = {
		.state = session_secure(s) ? IMAP_CAPS_TLS : IMAP_CAPS_PLAIN,
		.literal_minus = strcmp(set->imap_literal, "minus") == 0,
		.starttls = set->imapdstarttls && tlsctx_get(s->worker->tls),
		.login_disabled = !session_may_login(s),
		.mechanisms = session_mechanisms(s),
		.filter = listener_capability(set, !session_secure(s) ? LISTENER_CLEAR
						   : s->ssl	      ? LISTENER_SSL
								      : LISTENER_STARTTLS),
	};

	imap_caps_put(out, &c);
}

void session_facts(const struct session *s, struct session_facts *f, struct buf *tls_info)
{
	if (s->tls)
		tlsconn_describe(s->tls, tls_info);
	else if (session_secure(s))
		buf_puts(tls_info, s->proxied->tls_info);
	*f = (struct session_facts){.protocol = STR("imap"),
				    .session = str_c(s->id),
				    .rip = str_c(s->rip),
				    .lip = str_c(s->lip),
				    .rport = s->rport,
				    .lport = s->lport,
				    .tls = session_secure(s),
				    .tls_info = buf_str(tls_info)};
}

void session_peer(const struct session *s, enum sasl_id mechanism, struct auth_peer *p,
		  struct arena *a)
{
	const struct proxied *x = s->proxied;

	*p = (struct auth_peer){.proxied = x != NULL};
	if (s->tls)
		tlspeer_fill(s->tls, s->worker->tls, mechanism, p, a);
	if (!x)
		return;
	p->proxy_addr = str_c(x->addr);
	p->proxy_port = x->port;
	p->proxy_server_addr = str_c(x->server_addr);
	p->proxy_server_port = x->server_port;
	if (!s->tls && session_secure(s))
		p->sni = str_c(x->authority);
}

unsigned session_mechanisms(const struct session *s)
{
	unsigned bits = s->worker->mechanisms;

	if (!s->tls)
		bits &= ~(SASL_BITS_PLUS | SASL_BIT(SASL_EXTERNAL));
	else if (!tlspeer_external(s->tls, s->worker->set))
		bits &= ~SASL_BIT(SASL_EXTERNAL);
	return bits;
}

void session_reconnect(struct session *s, int fd, struct str unread)
{
	s->conn = make_conn(s, fd);
	conn_pause(s->conn, true);
	conn_unread(s->conn, unread);
}

static void answer_refused(struct session *s)
{
	buf_str_put(conn_out(s->conn), buf_str(&s->answer));
	buf_deinit(&s->answer);
	s->state = SESSION_COMMANDS;
	if (s->refused >= s->worker->set->login_failure_max) {
		session_bye(s, "Too many refused logins.");
		return;
	}
	conn_pause(s->conn, false);
}

static void on_penalty(void *ctx)
{
	answer_refused(ctx);
}

static void move_to(struct session *s, struct list *l)
{
	list_remove(&s->link);
	list_append(l, &s->link);
}

void session_login_busy(struct session *s)
{
	s->state = SESSION_LOGIN;
	move_to(s, &s->worker->logging_in);
	conn_pause(s->conn, true);
}

void session_await_sasl(struct session *s)
{
	s->state = SESSION_SASL;
	move_to(s, &s->worker->waiting);
	conn_pause(s->conn, false);
}

void session_login_refused(struct session *s, struct str line, uint64_t due_ms)
{
	struct worker *w = s->worker;
	uint64_t now = loop_now(w->loop);

	move_to(s, &w->waiting);
	buf_str_put(&s->answer, line);
	s->refused++;
	if (now >= due_ms) {
		answer_refused(s);
		return;
	}
	s->state = SESSION_PENALTY;
	if (!s->penalty)
		s->penalty = loop_timer_new(w->loop, on_penalty, s);
	loop_timer_set(s->penalty, due_ms - now);
}

void session_login_malformed(struct session *s)
{
	move_to(s, &s->worker->waiting);
	s->state = SESSION_COMMANDS;
	conn_pause(s->conn, false);
	session_count_bad(s);
}

void session_login_over(struct session *s)
{
	end_now(s);
}
