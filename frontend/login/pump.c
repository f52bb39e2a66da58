/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/login/pump.h"
#include <sys/socket.h>
#include "common/base/log.h"
#include "frontend/login/tlsconn.h"

enum { BATCHES_PER_TURN = 4 };

struct pump {
	struct worker *worker;
	struct list link;
	struct tlsconn *tls;
	int pair;
	struct loop_io *client_io, *pair_io;
	struct loop_timer *stuck; /* there only while the client takes nothing, or has closed */
	struct buf up;            /* decrypted, and not taken by imapd yet */
	bool client_eof;
	char session[24];
};

/* Plain bytes on their way, of the pump at hand: one for all, so that an idle pump has none. */
static uint8_t plain[TLSCONN_BATCH];

static void pump_free(struct pump **pp)
{
	struct pump *p = *pp;
	struct worker *w = p->worker;
	int fd = p->tls->fd;

	list_remove(&p->link);
	loop_io_free(&p->client_io);
	loop_io_free(&p->pair_io);
	loop_timer_free(&p->stuck);
	tlsconn_free(&p->tls);
	close(fd);
	close(p->pair);
	buf_wipe(&p->up);
	free(p);
	*pp = NULL;
	w->npumps--;
	worker_ended(w);
}

static void end(struct pump *p, const char *reason)
{
	LOG(L_DEBUG, "pump ended", L_C("session", p->session), L_C("reason", reason));
	pump_free(&p);
}

static void on_stuck(void *ctx)
{
	struct pump *p = ctx;

	LOG(L_INFO, "DISCONNECTED", L_C("session", p->session),
	    L_C("reason", p->client_eof ? "closed by the client" : "client takes no output"));
	pump_free(&p);
}

/* What to wait for follows from what is buffered, in one place. */
static void set_events(struct pump *p)
{
	bool blocked = p->tls->out.n > 0;

	loop_io_set(p->client_io, (p->client_eof || p->up.n ? 0 : LOOP_READ) | (blocked ? LOOP_WRITE : 0));
	loop_io_set(p->pair_io, (blocked ? 0 : LOOP_READ) | (p->up.n ? LOOP_WRITE : 0));
	if (!blocked && !p->client_eof) {
		loop_timer_free(&p->stuck);
	} else if (!p->stuck) {
		p->stuck = loop_timer_new(p->worker->loop, on_stuck, p);
		loop_timer_set(p->stuck, p->worker->set->imap_stuck_timeout * 1000);
	}
}

/* ---- imapd to client: each returns false when the pump has ended --------------------------- */

static bool finish_down(struct pump *p)
{
	tlsconn_shutdown(p->tls);
	end(p, "closed by imapd");
	return false;
}

static bool pump_down(struct pump *p)
{
	for (int i = 0; i < BATCHES_PER_TURN && !p->tls->out.n; i++) {
		ssize_t n = recv(p->pair, plain, sizeof(plain), 0);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return true;
		if (n <= 0)
			return finish_down(p);
		if (tlsconn_send(p->tls, plain, (size_t)n) < 0) {
			end(p, p->tls->error ? p->tls->error : "client gone");
			return false;
		}
		if ((size_t)n < sizeof(plain))
			return true;
	}
	return true;
}

static bool flush_down(struct pump *p)
{
	size_t before = p->tls->out.n;

	if (tlsconn_flush(p->tls) < 0) {
		end(p, "client gone");
		return false;
	}
	if (p->tls->out.n < before && p->stuck)
		loop_timer_set(p->stuck, p->worker->set->imap_stuck_timeout * 1000);
	return true;
}

/* ---- client to imapd ----------------------------------------------------------------------- */

/* imapd has closed: what it wrote before is still in the pair, and pump_down meets the end. */
static void imapd_gone(struct pump *p)
{
	buf_wipe(&p->up);
	p->client_eof = true;
}

static void send_up(struct pump *p, const uint8_t *bytes, size_t n)
{
	ssize_t sent = send(p->pair, bytes, n, MSG_NOSIGNAL);

	if (sent < 0 && errno != EAGAIN && errno != EINTR) {
		imapd_gone(p);
		return;
	}
	if (sent < 0)
		sent = 0;
	if ((size_t)sent < n)
		buf_put(&p->up, bytes + sent, n - (size_t)sent);
}

static void flush_up(struct pump *p)
{
	ssize_t sent = send(p->pair, p->up.p + p->up.off, p->up.n, MSG_NOSIGNAL);

	if (sent < 0) {
		if (errno != EAGAIN && errno != EINTR)
			imapd_gone(p);
		return;
	}
	buf_consume(&p->up, (size_t)sent);
	if (!p->up.n)
		buf_deinit(&p->up);
}

static bool pump_up(struct pump *p)
{
	for (int i = 0; i < BATCHES_PER_TURN && !p->up.n && !p->client_eof; i++) {
		ssize_t n = tlsconn_read(p->tls, plain, sizeof(plain));

		if (n < 0 && errno == EAGAIN)
			return true;
		if (n < 0) {
			end(p, p->tls->error ? p->tls->error : "client gone");
			return false;
		}
		if (n == 0) {
			/* What imapd still says goes out; a command without its end is never run. */
			p->client_eof = true;
			shutdown(p->pair, SHUT_WR);
			return true;
		}
		send_up(p, plain, (size_t)n);
		if (!tlsconn_pending(p->tls) && (size_t)n < sizeof(plain) / 2)
			return true;
	}
	return true;
}

static void on_client(void *ctx, int events)
{
	struct pump *p = ctx;

	if (events & LOOP_WRITE && p->tls->out.n && !flush_down(p))
		return;
	if (events & LOOP_READ && !pump_up(p))
		return;
	set_events(p);
}

static void on_pair(void *ctx, int events)
{
	struct pump *p = ctx;

	if (events & LOOP_WRITE && p->up.n)
		flush_up(p);
	/* Records that were received, but waited for room. */
	if (!p->up.n && tlsconn_pending(p->tls) && !pump_up(p))
		return;
	if (events & LOOP_READ && !p->tls->out.n && !pump_down(p))
		return;
	set_events(p);
}

void pump_new(struct worker *w, struct tlsconn *tls, int pair, const char *session)
{
	struct pump *p = xcalloc(1, sizeof(*p));

	p->worker = w;
	p->tls = tls;
	p->pair = pair;
	snprintf(p->session, sizeof(p->session), "%s", session);
	list_append(&w->pumps, &p->link);
	w->npumps++;
	p->client_io = loop_io_new(w->loop, tls->fd, 0, on_client, p);
	p->pair_io = loop_io_new(w->loop, pair, 0, on_pair, p);
	/* What came behind the login may be here already, and no socket will tell of it. */
	if (tlsconn_pending(tls) && !pump_up(p))
		return;
	set_events(p);
}

void pump_close_all(struct worker *w)
{
	while (!list_empty(&w->pumps)) {
		struct pump *p = list_entry(w->pumps.next, struct pump, link);

		tlsconn_shutdown(p->tls);
		pump_free(&p);
	}
}
