/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/login/worker.h"
#include "common/base/log.h"
#include "common/base/rand.h"
#include "common/ipc/certs.h"
#include "common/ipc/supervise.h"
#include "frontend/login/auth_client.h"
#include "frontend/login/handoff_client.h"
#include "frontend/login/listener.h"
#include "frontend/login/proxied.h"
#include "frontend/login/pump.h"
#include "frontend/login/session.h"
#include "frontend/login/tlsctx.h"

/* ---- what several parts use ---------------------------------------------------------------- */

void worker_session_id(struct worker *w, char id[24])
{
	static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";
	uint64_t v = ++w->serial;
	size_t n = 8;

	memcpy(id, w->prefix, n);
	do {
		id[n++] = digits[v % 36];
		v /= 36;
	} while (v && n < 23);
	id[n] = '\0';
}

static void make_prefix(struct worker *w)
{
	static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";
	uint64_t v = rand_u64();

	for (size_t i = 0; i < 8; i++, v /= 36)
		w->prefix[i] = digits[v % 36];
}

void worker_ended(struct worker *w)
{
	if (w->draining && w->nsessions == 0 && w->npumps == 0)
		loop_stop(w->loop);
}

/* Says SUP_READY once everything is there. */
static void maybe_ready(struct worker *w)
{
	if (w->announced || !w->sup || !auth_client_up(w->auth) || !handoff_client_up(w->handoff))
		return;
	if (!w->mechanisms || (!tlsctx_get(w->tls) && listener_wants_tls(w)))
		return;
	w->announced = link_send(w->sup, SUP_READY, STR(""), NULL, 0) == 0;
}

void worker_mechanisms_came(struct worker *w)
{
	maybe_ready(w);
}

/* ---- from frontend main -------------------------------------------------------------------- */

static void drain(struct worker *w)
{
	if (w->draining)
		return;
	LOG(L_INFO, "draining", L_U("prelogin", w->nsessions), L_U("sessions", w->npumps));
	w->draining = true;
	listener_close_all(w);
	worker_ended(w);
}

static int on_certs(struct worker *w, int fd)
{
	struct buf b = BUF_INIT;
	int rc = certs_read(fd, &b);

	if (rc == 0)
		rc = tlsctx_take_certs(w->tls, buf_str(&b));
	buf_wipe(&b);
	return rc;
}

static int on_trust(struct worker *w, const int fds[2])
{
	struct buf ca = BUF_INIT, crl = BUF_INIT;
	int rc = certs_read(fds[0], &ca) || certs_read(fds[1], &crl) ? -1 : 0;

	if (rc == 0)
		tlsctx_take_trust(w->tls, buf_str(&ca), buf_str(&crl));
	buf_deinit(&ca);
	buf_deinit(&crl);
	return rc;
}

static void send_counts(struct worker *w)
{
	struct buf b = BUF_INIT;

	wire_count(&b, "prelogin", w->nsessions);
	wire_count(&b, "sessions", w->npumps);
	wire_count(&b, "worst_turn_us", loop_worst_turn_us(w->loop));
	link_send(w->sup, SUP_COUNTS, buf_str(&b), NULL, 0);
	buf_deinit(&b);
}

static int take_fd(struct link_msg *m)
{
	int fd = m->fds[0];

	m->fds[0] = -1;
	return fd;
}

static int on_listener(struct worker *w, struct link_msg *m)
{
	struct wire r = wire_reader(m->body);
	bool tls = wire_get_bool(&r), proxied = wire_get_bool(&r);

	if (!wire_end(&r))
		return -1;
	listener_add(w, take_fd(m), tls, proxied);
	return 0;
}

/* Main has looked at it before; a change meanwhile is only another fault to be told. */
static void use_access(struct worker *w, int fd)
{
	struct access *a;
	struct err e;

	a = access_read(fd, w->set->imapaccessfile, &e);
	if (!a) {
		LOG(L_ERROR, "access rules not used", L_C("error", e.text));
		return;
	}
	access_free(&w->access);
	w->access = a;
}

static int on_ipcount(struct worker *w, const struct link_msg *m)
{
	struct wire r = wire_reader(m->body);
	bool own = wire_get_bool(&r);
	uint64_t key[2];
	int bad = 0;

	key[0] = wire_get_u64(&r);
	key[1] = wire_get_u64(&r);
	if (!wire_end(&r) || m->nfds == 0 || (own && m->nfds != 1))
		return -1;
	if (own)
		bad = ipcount_set_own(w->ipcount, key, m->fds[0]);
	for (unsigned i = 0; !own && i < m->nfds; i++)
		bad |= ipcount_add_other(w->ipcount, m->fds[i]);
	if (bad)
		LOG(L_ERROR, "connections are not counted", L_C("error", strerror(errno)));
	return 0;
}

static int on_msg(void *ctx, struct link_msg *m)
{
	static const uint8_t fds[] = {
		[SUP_LISTENER] = 1,	[SUP_CERT] = 1,	 [SUP_AUTHD_LINK] = 1,
		[SUP_BACKEND_LINK] = 1, [SUP_DRAIN] = 0, [SUP_COUNTS_WANTED] = 0,
		[SUP_TICKET_KEYS] = 0,	[SUP_TRUST] = 2, [SUP_ACCESS] = 1};
	struct worker *w = ctx;

	if (m->type == SUP_IPCOUNT)
		return on_ipcount(w, m);
	if (m->type >= sizeof(fds) || m->nfds != fds[m->type])
		return -1;
	switch (m->type) {
	case SUP_LISTENER:
		return on_listener(w, m);
	case SUP_CERT:
		if (on_certs(w, m->fds[0]))
			return -1;
		break;
	case SUP_TICKET_KEYS:
		return tlsctx_take_keys(w->tls, m->body);
	case SUP_TRUST:
		return on_trust(w, m->fds);
	case SUP_AUTHD_LINK:
		auth_client_set_link(w->auth, take_fd(m));
		break;
	case SUP_BACKEND_LINK:
		handoff_client_set_link(w->handoff, take_fd(m));
		break;
	case SUP_ACCESS:
		use_access(w, m->fds[0]);
		break;
	case SUP_DRAIN:
		drain(w);
		return 0;
	case SUP_COUNTS_WANTED:
		send_counts(w);
		return 0;
	default:
		return -1;
	}
	maybe_ready(w);
	return 0;
}

/* Main has gone. Its successor has listeners of its own; the clients that are here stay served. */
static void on_close(void *ctx, const char *why)
{
	struct worker *w = ctx;

	LOG(L_WARN, "frontend link lost", L_C("why", why));
	link_free(&w->sup);
	drain(w);
}

struct worker *worker_new(struct loop *l, const struct settings *set, int sup_fd)
{
	static const struct link_ops ops = {on_msg, on_close, NULL};
	struct worker *w = xcalloc(1, sizeof(*w));

	w->loop = l;
	w->set = set;
	list_init(&w->listeners);
	list_init(&w->waiting);
	list_init(&w->logging_in);
	list_init(&w->pumps);
	list_init(&w->proxied);
	w->ipcount = ipcount_new();
	/* Main has looked at both; an error leaves them empty: nobody is trusted, nobody exempt. */
	netlist_parse(&w->trusted, set->proxy_trusted, "PROXY_TRUSTED", NULL);
	netlist_parse(&w->exempt, set->limit_exempt, "LIMIT_EXEMPT", NULL);
	make_prefix(w);
	w->tls = tlsctx_new(set);
	w->auth = auth_client_new(w);
	w->handoff = handoff_client_new(w);
	w->sup = link_new(l, sup_fd, 64, &ops, w);
	return w;
}

void worker_free(struct worker **wp)
{
	struct worker *w = *wp;

	listener_close_all(w);
	proxied_close_all(w);
	session_close_all(w, "[UNAVAILABLE] The server is shutting down.");
	pump_close_all(w);
	link_free(&w->sup);
	auth_client_free(&w->auth);
	handoff_client_free(&w->handoff);
	ipcount_free(&w->ipcount);
	access_free(&w->access);
	netlist_deinit(&w->trusted);
	netlist_deinit(&w->exempt);
	tlsctx_free(&w->tls);
	free(w);
	*wp = NULL;
}
