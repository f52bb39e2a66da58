/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <sys/wait.h>
#include "common/base/log.h"
#include "common/ipc/ipcount.h"
#include "common/sys/main.h"
#include "common/sys/proc.h"
#include "frontend/frontend.h"

enum {
	SUP_FD = 3,
	QUEUE = 1024, /* TLS_CERTS_MAX comes in so many messages when a worker starts */
	RESTART_MS = 100,
	RESTART_MAX_MS = 10000,
	STEADY_MS = 10000, /* a child that lived for so long starts again at once */
	CONNECT_MS = 20,
	CONNECT_MAX_MS = 1000,
};

static bool is_worker(const struct child *c)
{
	return c != &c->frontend->authd;
}

static void send_fds(struct child *c, uint16_t type, struct str body, const int *fds, unsigned n)
{
	if (c->link && link_send(c->link, type, body, fds, n))
		LOG(L_ERROR, "child not reached", L_C("program", c->program),
		    L_U("number", c->number), L_C("error", strerror(errno)));
}

static uint64_t doubled(uint64_t first, unsigned times, uint64_t max)
{
	while (times-- && first < max)
		first *= 2;
	return first < max ? first : max;
}

/* ---- links --------------------------------------------------------------------------------- */

static void link_authd(struct child *worker)
{
	struct child *authd = &worker->frontend->authd;
	struct buf b = BUF_INIT;
	int pair[2];

	if (!worker->link || !authd->link)
		return;
	if (link_pair(pair)) {
		LOG(L_ERROR, "no link to authd", L_C("error", strerror(errno)));
		return;
	}
	wire_u32(&b, worker->number);
	send_fds(authd, SUP_AUTHD_LINK, buf_str(&b), &pair[0], 1);
	send_fds(worker, SUP_AUTHD_LINK, STR(""), &pair[1], 1);
	buf_deinit(&b);
	close(pair[0]);
	close(pair[1]);
}

static void connect_backend(void *ctx)
{
	struct child *c = ctx;
	const char *dir = c->frontend->set->rundir;
	struct buf path = BUF_INIT;
	int fd;

	if (!c->link)
		return;
	buf_printf(&path, "%s/backend.sock", dir);
	fd = link_connect(buf_cstr(&path));
	if (fd < 0 && c->connect_tries == 3)
		LOG(L_WARN, "backend not there yet", L_C("socket", buf_cstr(&path)),
		    L_C("error", strerror(errno)));
	buf_deinit(&path);
	if (fd < 0) {
		loop_timer_set(c->connect, doubled(CONNECT_MS, c->connect_tries++, CONNECT_MAX_MS));
		return;
	}
	if (c->connect_tries > 3)
		LOG(L_INFO, "backend is there", L_U("worker", c->number));
	c->connect_tries = 0;
	c->linked = true;
	send_fds(c, SUP_BACKEND_LINK, STR(""), &fd, 1);
	close(fd);
}

void child_send_certs(struct child *worker, int memfd)
{
	send_fds(worker, SUP_CERT, STR(""), &memfd, 1);
}

void child_send_trust(struct child *c, const int memfds[2])
{
	send_fds(c, SUP_TRUST, STR(""), memfds, 2);
}

void child_send_ticket_keys(struct child *worker, struct str keys)
{
	send_fds(worker, SUP_TICKET_KEYS, keys, NULL, 0);
}

void child_send_server_certs(struct frontend *f, int memfd)
{
	send_fds(&f->authd, SUP_SERVER_CERTS, STR(""), &memfd, 1);
}

void child_send_passwd(struct frontend *f)
{
	if (f->accounts.fd >= 0)
		send_fds(&f->authd, SUP_PASSWD_FILE, STR(""), &f->accounts.fd, 1);
}

void child_send_access(struct child *worker)
{
	struct frontend *f = worker->frontend;

	if (f->access.fd >= 0)
		send_fds(worker, SUP_ACCESS, STR(""), &f->access.fd, 1);
}

static void send_ipcount(struct child *c, bool own, const int *fds, unsigned n)
{
	struct buf b = BUF_INIT;

	wire_u8(&b, own);
	wire_u64(&b, c->frontend->ipcount_key[0]);
	wire_u64(&b, c->frontend->ipcount_key[1]);
	send_fds(c, SUP_IPCOUNT, buf_str(&b), fds, n);
	buf_deinit(&b);
}

static void send_ipcounts(struct child *c)
{
	struct frontend *f = c->frontend;
	int fds[LINK_FDS_MAX];
	unsigned n = 0;

	send_ipcount(c, true, &c->ipcount, 1);
	for (unsigned i = 0; i < f->nworkers; i++) {
		if (&f->workers[i] == c)
			continue;
		fds[n++] = f->workers[i].ipcount_shared;
		if (n == LINK_FDS_MAX) {
			send_ipcount(c, false, fds, n);
			n = 0;
		}
	}
	if (n)
		send_ipcount(c, false, fds, n);
}

/* ---- what children say --------------------------------------------------------------------- */

static int on_msg(void *ctx, struct link_msg *m)
{
	struct child *c = ctx;

	if (m->nfds)
		return -1;
	switch (m->type) {
	case SUP_READY:
		c->ready = true;
		frontend_maybe_ready(c->frontend);
		return 0;
	case SUP_BACKEND_LOST:
		if (!is_worker(c))
			return -1;
		c->linked = false;
		loop_timer_set(c->connect, CONNECT_MS);
		return 0;
	case SUP_COUNTS:
		return stats_counts(c, m->body);
	case SUP_REVOKED:
		return is_worker(c) ? -1 : revoke_authd_said(c->frontend, m->body);
	case SUP_AUTHTESTED:
		return is_worker(c) ? -1 : authtest_authd_said(c->frontend, m->body);
	default:
		return -1;
	}
}

/* Mostly it is ending, and its exit follows; if not, it can't be used any more. */
static void on_close(void *ctx, const char *why)
{
	struct child *c = ctx;

	link_free(&c->link);
	c->ready = false;
	if (c->pid > 0)
		kill(c->pid, SIGTERM);
}

/* ---- start and end ------------------------------------------------------------------------- */

static void equip_worker(struct child *c)
{
	struct frontend *f = c->frontend;

	/* What says whom to refuse, and with which certificate, comes before what lets them in. */
	child_send_access(c);
	notice_send(c);
	send_ipcounts(c);
	tickets_send(c);
	trust_send(c);
	certs_send(c);
	for (size_t i = 0; i < f->nports; i++) {
		struct buf b = BUF_INIT;

		wire_u8(&b, f->ports[i].tls);
		wire_u8(&b, f->ports[i].proxied);
		send_fds(c, SUP_LISTENER, buf_str(&b), &c->listeners[i], 1);
		buf_deinit(&b);
	}
	link_authd(c);
	c->connect_tries = 0;
	connect_backend(c);
}

static void equip_authd(struct child *c)
{
	struct frontend *f = c->frontend;

	send_fds(c, SUP_RUNDIR, STR(""), &f->rundir, 1);
	child_send_passwd(f);
	trust_send(c);
	certs_tell_authd(f);
	for (unsigned i = 0; i < f->nworkers; i++)
		link_authd(&f->workers[i]);
}

static void restart_later(struct child *c)
{
	uint64_t lived = loop_now(c->frontend->loop) - c->started_ms;

	if (lived >= STEADY_MS)
		c->failures = 0;
	loop_timer_set(c->restart, doubled(RESTART_MS, c->failures++, RESTART_MAX_MS));
}

static void on_restart(void *ctx)
{
	child_start(ctx);
}

void child_init(struct frontend *f, struct child *c, const char *program, uint32_t number)
{
	*c = (struct child){.frontend = f, .program = program, .number = number};
	c->restart = loop_timer_new(f->loop, on_restart, c);
	if (is_worker(c))
		c->connect = loop_timer_new(f->loop, connect_backend, c);
}

void child_start(struct child *c)
{
	static const struct link_ops ops = {on_msg, on_close, NULL};
	struct frontend *f = c->frontend;
	struct err e = {.text = ""};
	int pair[2];

	if (f->stopping)
		return;
	c->started_ms = loop_now(f->loop);
	if (link_pair(pair)) {
		LOG(L_ERROR, "child not started", L_C("error", strerror(errno)));
		restart_later(c);
		return;
	}
	c->pid = proc_spawn(c->program, main_child_args(), &(struct proc_fd){pair[1], SUP_FD}, 1,
			    &e);
	close(pair[1]);
	if (c->pid < 0) {
		c->pid = 0;
		close(pair[0]);
		LOG(L_ERROR, "child not started", L_C("error", e.text));
		restart_later(c);
		return;
	}
	c->link = link_new(f->loop, pair[0], QUEUE, &ops, c);
	if (is_worker(c))
		equip_worker(c);
	else
		equip_authd(c);
}

static void ended(struct child *c, int status)
{
	enum log_level level = c->frontend->stopping ? L_DEBUG : L_ERROR;

	LOG(level, "child ended", L_C("program", c->program), L_U("number", c->number),
	    L_I("pid", c->pid), L_I("exit", WIFEXITED(status) ? WEXITSTATUS(status) : -1),
	    L_I("signal", WIFSIGNALED(status) ? WTERMSIG(status) : 0));
	c->pid = 0;
	c->ready = c->linked = false;
	buf_deinit(&c->counts);
	if (is_worker(c))
		ipcount_clear(c->ipcount);
	link_free(&c->link);
	if (!is_worker(c)) {
		revoke_authd_gone(c->frontend);
		authtest_authd_gone(c->frontend);
	}
	if (c->connect)
		loop_timer_stop(c->connect);
	if (!c->frontend->stopping)
		restart_later(c);
}

void child_exited(struct frontend *f, pid_t pid, int status)
{
	if (f->authd.pid == pid)
		ended(&f->authd, status);
	for (unsigned i = 0; i < f->nworkers; i++)
		if (f->workers[i].pid == pid)
			ended(&f->workers[i], status);
}

void child_signal_all(struct frontend *f, int signo)
{
	if (f->authd.pid > 0)
		kill(f->authd.pid, signo);
	for (unsigned i = 0; i < f->nworkers; i++)
		if (f->workers[i].pid > 0)
			kill(f->workers[i].pid, signo);
}

bool child_any_left(const struct frontend *f)
{
	for (unsigned i = 0; i < f->nworkers; i++)
		if (f->workers[i].pid > 0)
			return true;
	return f->authd.pid > 0;
}
