/* SPDX-License-Identifier: Apache-2.0 */
/* inlet: clients that somebody else accepted (common/ipc/inlet.h) go to the login workers in turn. */
#include "common/ipc/inlet.h"
#include <netinet/in.h>
#include <netinet/tcp.h>
#include "common/base/log.h"
#include "common/io/sock.h"
#include "frontend/frontend.h"

enum { PEERS_MAX = 256, PEER_MS = 5000, KEEPALIVE_S = 300, SSF_MAX = 256, QUEUED = 4 };

struct inlet {
	struct frontend *frontend;
	int fd;
	struct loop_io *io;
	unsigned npeers, next;
};

struct peer {
	struct inlet *inlet;
	struct link *link;
	struct loop_timer *timeout;
};

static void drop(struct peer *p)
{
	p->inlet->npeers--;
	link_free(&p->link);
	loop_timer_free(&p->timeout);
	free(p);
}

static void on_timeout(void *ctx)
{
	drop(ctx);
}

static void on_close(void *ctx, const char *why)
{
	drop(ctx);
}

static struct child *choose(struct inlet *in)
{
	struct frontend *f = in->frontend;

	for (unsigned i = 0; i < f->nworkers; i++) {
		struct child *c = &f->workers[in->next++ % f->nworkers];

		if (c->ready && c->link)
			return c;
	}
	return NULL;
}

static bool is_client(int fd)
{
	struct sock_addr a = {.len = sizeof(a.ss)};
	socklen_t n = sizeof(int);
	int type = 0;

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &n) == 0 && type == SOCK_STREAM &&
	       getpeername(fd, (struct sockaddr *)&a.ss, &a.len) == 0 &&
	       (a.ss.ss_family == AF_INET || a.ss.ss_family == AF_INET6);
}

/* NULL, or why not. */
static const char *pass_on(struct inlet *in, int fd, bool tls, bool nocheck, uint32_t ssf)
{
	struct frontend *f = in->frontend;
	struct child *worker = choose(in);
	struct buf b = BUF_INIT;
	int one = 1, rc;

	if (!is_client(fd))
		return "this is not a connected TCP socket";
	if (nocheck && f->set->auth_password_check)
		return "-N: the front end checks passwords (AUTH_PASSWORD_CHECK)";
	if (tls && !certs_there())
		return "-s: there is no certificate (TLS_CERTFILE)";
	if (!worker || f->stopping)
		return "no login worker is ready";
	sock_keepalive(fd, KEEPALIVE_S);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	wire_u8(&b, tls);
	wire_u32(&b, ssf);
	rc = link_send(worker->link, SUP_CLIENT, buf_str(&b), &fd, 1);
	buf_deinit(&b);
	return rc ? "the login worker is busy" : NULL;
}

static int on_msg(void *ctx, struct link_msg *m)
{
	struct peer *p = ctx;
	struct wire w = wire_reader(m->body);
	bool tls = wire_get_bool(&w), nocheck = wire_get_bool(&w);
	uint32_t ssf = wire_get_u32(&w);
	struct buf b = BUF_INIT;
	const char *fault;

	if (m->type != INLET_CLIENT || m->nfds != 1 || !wire_end(&w) || ssf > SSF_MAX)
		return -1;
	fault = pass_on(p->inlet, m->fds[0], tls, nocheck, ssf);
	if (fault)
		wire_str(&b, str_c(fault));
	(void)link_send(p->link, fault ? INLET_REFUSED : INLET_TAKEN, buf_str(&b), NULL, 0);
	buf_deinit(&b);
	return 0;
}

static void on_peer(void *ctx, int events)
{
	static const struct link_ops ops = {on_msg, on_close, NULL};
	struct inlet *in = ctx;
	struct peer *p;
	unsigned uid;
	int pid, fd = link_accept(in->fd, &uid, &pid);

	if (fd < 0)
		return;
	if ((uid != 0 && uid != geteuid()) || in->npeers >= PEERS_MAX) {
		LOG(L_WARN, "inlet refused", L_U("uid", uid), L_I("pid", pid),
		    L_U("peers", in->npeers));
		close(fd);
		return;
	}
	p = xcalloc(1, sizeof(*p));
	p->inlet = in;
	in->npeers++;
	p->link = link_new(in->frontend->loop, fd, QUEUED, &ops, p);
	p->timeout = loop_timer_new(in->frontend->loop, on_timeout, p);
	loop_timer_set(p->timeout, PEER_MS);
}

int inlet_open(struct frontend *f, struct err *e)
{
	struct inlet *in = xcalloc(1, sizeof(*in));
	struct buf path = BUF_INIT;

	buf_printf(&path, "%s/frontend.in", f->set->rundir);
	in->frontend = f;
	in->fd = link_listen(buf_cstr(&path), 0600);
	if (in->fd < 0)
		err_sys(e, "can't listen on %s", buf_cstr(&path));
	buf_deinit(&path);
	if (in->fd < 0) {
		free(in);
		return -1;
	}
	in->io = loop_io_new(f->loop, in->fd, LOOP_READ, on_peer, in);
	return 0;
}
