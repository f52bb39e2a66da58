/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/login/proxied.h"
#include <sys/socket.h>
#include "common/base/log.h"
#include "common/io/proxyproto.h"
#include "frontend/login/session.h"

struct waiting {
	struct worker *worker;
	struct list link;
	struct arrival arrival;
	struct loop_io *io;
	struct loop_timer *timeout;
	struct proxyproto header;
};

/* The descriptor stays open. */
static void forget(struct waiting **wp)
{
	struct waiting *p = *wp;

	list_remove(&p->link);
	loop_io_free(&p->io);
	loop_timer_free(&p->timeout);
	p->worker->nsessions--;
	free(p);
	*wp = NULL;
}

static void end(struct waiting *p)
{
	struct worker *w = p->worker;
	int fd = p->arrival.fd;

	forget(&p);
	close(fd);
	worker_ended(w);
}

void proxied_complain(struct worker *w, const char *ip, uint16_t port, const char *reason)
{
	if (ration_take(&w->misproxied, loop_now(w->loop), "PROXY header refused"))
		LOG(L_WARN, "PROXY header refused", L_C("ip", ip), L_U("port", port),
		    L_C("reason", reason));
}

static void complain(struct worker *w, const struct sock_addr *peer, const char *reason)
{
	char ip[64];

	sock_ip(peer, ip);
	proxied_complain(w, ip, sock_port(peer), reason);
}

static void refuse(struct waiting *p, const char *reason)
{
	complain(p->worker, &p->arrival.peer, reason);
	end(p);
}

static void on_timeout(void *ctx)
{
	refuse(ctx, "PROXY_TIMEOUT");
}

static bool is_name(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~')
			return false;
	return true;
}

static struct proxied *keep(const struct waiting *p)
{
	const struct proxyproto *h = &p->header;
	struct proxied *r = xcalloc(1, sizeof(*r));

	r->own = h->own;
	r->tls = h->tls && !h->own;
	sock_ip(&p->arrival.peer, r->addr);
	sock_ip(&p->arrival.local, r->server_addr);
	r->port = sock_port(&p->arrival.peer);
	r->server_port = sock_port(&p->arrival.local);
	if (r->tls)
		snprintf(r->tls_info, sizeof(r->tls_info), "%.*s %.*s",
			 STR_ARG(h->tls_version.n ? h->tls_version : STR("TLS")),
			 STR_ARG(h->tls_cipher));
	if (is_name(h->authority))
		memcpy(r->authority, h->authority.p ? h->authority.p : "", h->authority.n);
	r->nid = (uint8_t)h->unique_id.n;
	memcpy(r->id, h->unique_id.p ? h->unique_id.p : "", r->nid);
	return r;
}

static void done(struct waiting *p)
{
	struct worker *w = p->worker;
	struct arrival a = p->arrival;

	a.proxied = keep(p);
	if (!p->header.own) {
		a.peer = p->header.src;
		a.local = p->header.dst;
	}
	forget(&p);
	door_arrived(w, &a);
	worker_ended(w);
}

/* Bytes are looked at in the socket first, and only the header's are taken out. */
static void on_readable(void *ctx, int events)
{
	struct waiting *p = ctx;
	char bytes[PROXYPROTO_MAX];
	ssize_t n = recv(p->arrival.fd, bytes, sizeof(bytes), MSG_PEEK);
	enum proxyproto_result r;
	size_t used;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0 && p->header.have == 0) {
		end(p); /* a balancer's look at the port */
		return;
	}
	if (n <= 0) {
		refuse(p, "closed within the header");
		return;
	}
	r = proxyproto_feed(&p->header, str_mem(bytes, (size_t)n), &used);
	if (r == PROXYPROTO_BAD || recv(p->arrival.fd, bytes, used, 0) != (ssize_t)used)
		refuse(p, r == PROXYPROTO_BAD ? p->header.error : "closed within the header");
	else if (r == PROXYPROTO_DONE)
		done(p);
}

void proxied_wait(struct worker *w, const struct arrival *a)
{
	struct net_addr ip;
	struct waiting *p;

	if (!net_addr_of_sock(&a->peer, &ip) || !netlist_has(&w->trusted, &ip)) {
		complain(w, &a->peer, "not in PROXY_TRUSTED");
		close(a->fd);
		return;
	}
	if (w->nsessions >= w->set->maxprelogin)
		session_close_oldest(w);
	p = xcalloc(1, sizeof(*p));
	p->worker = w;
	p->arrival = *a;
	proxyproto_init(&p->header);
	list_append(&w->proxied, &p->link);
	w->nsessions++;
	p->io = loop_io_new(w->loop, a->fd, LOOP_READ, on_readable, p);
	p->timeout = loop_timer_new(w->loop, on_timeout, p);
	loop_timer_set(p->timeout, 1000 * (w->set->proxy_timeout < w->set->prelogin_timeout
						   ? w->set->proxy_timeout
						   : w->set->prelogin_timeout));
}

bool proxied_close_oldest(struct worker *w)
{
	if (list_empty(&w->proxied))
		return false;
	refuse(list_entry(w->proxied.next, struct waiting, link), "MAXPRELOGIN");
	return true;
}

void proxied_close_all(struct worker *w)
{
	while (!list_empty(&w->proxied))
		end(list_entry(w->proxied.next, struct waiting, link));
}

bool proxied_again(struct str in)
{
	return str_starts(in, STR("PROXY TCP")) || str_starts(in, STR("PROXY UNKNOWN")) ||
	       str_starts(in, STR("\r\n\r\n\0\r\nQUIT\n"));
}
