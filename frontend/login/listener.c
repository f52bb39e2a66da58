/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/login/listener.h"
#include "common/base/log.h"
#include "common/io/sock.h"
#include "frontend/login/proxied.h"
#include "frontend/login/session.h"

enum { ACCEPTS_PER_TURN = 16, REOPEN_MS = 100 };

struct listener {
	struct worker *worker;
	struct list link;
	int fd;
	bool tls, proxied;
	struct loop_io *io;
};

static void set_all(struct worker *w, int events)
{
	list_foreach(e, &w->listeners)
		loop_io_set(list_entry(e, struct listener, link)->io, events);
}

static void reopen(void *ctx)
{
	struct worker *w = ctx;

	set_all(w, LOOP_READ);
}

/* Out of descriptors or memory: the connection stays in the backlog, and asking again at once would
 * only burn the CPU. An unauthenticated client makes room. */
static void pause_accepting(struct worker *w)
{
	LOG(L_WARN, "accept paused", L_C("error", strerror(errno)), L_U("prelogin", w->nsessions),
	    L_U("sessions", w->npumps));
	session_close_oldest(w);
	set_all(w, 0);
	loop_timer_set(w->reopen, REOPEN_MS);
}

static void arrived(struct listener *l, int fd, const struct sock_addr *peer)
{
	struct worker *w = l->worker;
	struct arrival a = {.fd = fd, .tls = l->tls, .since_ms = loop_now(w->loop), .peer = *peer};

	sock_local(fd, &a.local);
	if (l->proxied)
		proxied_wait(w, &a);
	else
		door_arrived(w, &a);
}

static void on_client(void *ctx, int events)
{
	struct listener *l = ctx;

	for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
		struct sock_addr peer;
		int fd = sock_accept(l->fd, &peer);

		if (fd >= 0) {
			arrived(l, fd, &peer);
			continue;
		}
		if (errno == ECONNABORTED || errno == EINTR)
			continue;
		if (errno != EAGAIN)
			pause_accepting(l->worker);
		return;
	}
}

void listener_add(struct worker *w, int fd, bool tls, bool proxied)
{
	struct listener *l = xcalloc(1, sizeof(*l));

	l->worker = w;
	l->fd = fd;
	l->tls = tls;
	l->proxied = proxied;
	l->io = loop_io_new(w->loop, fd, LOOP_READ, on_client, l);
	list_append(&w->listeners, &l->link);
	if (!w->reopen)
		w->reopen = loop_timer_new(w->loop, reopen, w);
}

void listener_client(struct worker *w, int fd, bool tls, uint32_t ssf)
{
	struct arrival a = {.fd = fd, .tls = tls, .ssf = ssf, .since_ms = loop_now(w->loop)};

	a.peer.len = sizeof(a.peer.ss);
	if (getpeername(fd, (struct sockaddr *)&a.peer.ss, &a.peer.len) < 0) {
		close(fd); /* it has gone */
		return;
	}
	sock_local(fd, &a.local);
	sock_nonblock(fd);
	door_arrived(w, &a);
}

bool listener_wants_tls(const struct worker *w)
{
	list_foreach(e, &w->listeners)
		if (list_entry(e, struct listener, link)->tls)
			return true;
	return false;
}

void listener_close_all(struct worker *w)
{
	list_foreach(e, &w->listeners) {
		struct listener *l = list_entry(e, struct listener, link);

		list_remove(&l->link);
		loop_io_free(&l->io);
		close(l->fd);
		free(l);
	}
	loop_timer_free(&w->reopen);
}
