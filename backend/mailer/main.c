/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mailer: sends what is put into the Outbox. It is told by the backend master whose messages come on
 * which link, forks a process for each, and touches neither message nor network itself. Its end costs
 * nothing that is under way.
 */
#include <signal.h>
#include <sys/resource.h>
#include "backend/mailer/mailer.h"
#include "common/base/clock.h"
#include "common/base/list.h"
#include "common/base/log.h"
#include "common/io/link.h"
#include "common/sys/main.h"

#define MASTER_QUEUE_MAX 16
#define SEND_WAIT_MS 20000 /* imapd has the message ready when it asks for a link */
#define WAITING_MAX 10000

struct mailer {
	struct loop *loop;
	const struct settings *set;
	struct link *master;
	struct list waiting; /* links without their message */
	unsigned nwaiting;
	struct list running;
	unsigned nrunning;
};

struct waiting {
	struct list link;
	struct mailer *m;
	int fd;
	struct loop_io *io;
	struct loop_timer *timer;
	struct buf body; /* into which who points */
	struct mailer_serve who;
};

struct running {
	struct list link;
	pid_t pid;
	char *user;
};

static void waiting_free(struct waiting *w)
{
	list_remove(&w->link);
	w->m->nwaiting--;
	loop_io_free(&w->io);
	loop_timer_free(&w->timer);
	buf_deinit(&w->body);
	close(w->fd);
	free(w);
}

static void on_late(void *ctx)
{
	waiting_free(ctx);
}

/* ---- processes that send ------------------------------------------------------------------------ */

static unsigned running_of(const struct mailer *m, struct str user)
{
	unsigned n = 0;

	list_foreach(e, &m->running)
		n += str_eq(str_c(list_entry(e, struct running, link)->user), user);
	return n;
}

static void on_child(void *ctx, pid_t pid, int status)
{
	struct mailer *m = ctx;

	list_foreach(e, &m->running) {
		struct running *r = list_entry(e, struct running, link);

		if (r->pid != pid)
			continue;
		list_remove(&r->link);
		m->nrunning--;
		free(r->user);
		free(r);
		return;
	}
}

static void refuse(struct waiting *w, const char *text)
{
	struct mailer_verdict v = {MAILER_FAILED, STR("LIMIT"), str_c(text)};
	struct buf b = BUF_INIT;

	LOG(L_WARN, "outbox-refused", L_S("user", w->who.user), L_C("reason", text));
	mailer_verdict_put(&b, &v);
	(void)link_send_blocking(w->fd, MAILER_VERDICT, buf_str(&b), NULL, 0);
	buf_deinit(&b);
}

static void start(struct waiting *w, const struct link_msg *msg)
{
	struct mailer *m = w->m;
	struct attempt a = {.set = m->set,
			    .who = w->who,
			    .link = w->fd,
			    .message = msg->fds[0],
			    .area = msg->fds[1],
			    .wall = clock_wall_s() + (int64_t)m->set->outbox_wait};
	struct running *r;
	pid_t pid;

	if (m->nrunning >= m->set->outbox_sends) {
		refuse(w, "too many messages are being sent (OUTBOX_SENDS)");
		return;
	}
	if (running_of(m, w->who.user) >= m->set->outbox_sends_user) {
		refuse(w, "too many messages of this account are being sent (OUTBOX_SENDS_USER)");
		return;
	}
	pid = fork();
	if (pid == 0)
		attempt_run(&a);
	if (pid < 0) {
		refuse(w, "no process can be made");
		return;
	}
	r = xcalloc(1, sizeof *r);
	r->pid = pid;
	r->user = str_dup(w->who.user);
	list_append(&m->running, &r->link);
	m->nrunning++;
}

static void on_send(void *ctx, int events)
{
	struct waiting *w = ctx;
	struct buf store = BUF_INIT;
	struct link_msg msg = {.nfds = 0};
	int rc = link_recv_blocking(w->fd, &store, &msg, 0);

	if (rc == 1 && msg.type == MAILER_SEND && msg.nfds == 2 && msg.body.n == 0)
		start(w, &msg);
	for (unsigned i = 0; rc == 1 && i < msg.nfds; i++)
		close(msg.fds[i]);
	buf_deinit(&store);
	waiting_free(w);
}

/* ---- the master --------------------------------------------------------------------------------- */

static int on_msg(void *ctx, struct link_msg *msg)
{
	struct mailer *m = ctx;
	struct waiting *w;

	if (msg->type != MAILER_SERVE || msg->nfds != 1)
		return -1;
	if (m->nwaiting >= WAITING_MAX)
		return 0; /* the link closes: that message was not sent */
	w = xcalloc(1, sizeof *w);
	buf_str_put(&w->body, msg->body);
	if (!mailer_serve_get(buf_str(&w->body), &w->who)) {
		buf_deinit(&w->body);
		free(w);
		return -1;
	}
	w->m = m;
	w->fd = msg->fds[0];
	msg->fds[0] = -1;
	list_append(&m->waiting, &w->link);
	m->nwaiting++;
	w->io = loop_io_new(m->loop, w->fd, LOOP_READ, on_send, w);
	w->timer = loop_timer_new(m->loop, on_late, w);
	loop_timer_set(w->timer, SEND_WAIT_MS);
	return 0;
}

static void on_close(void *ctx, const char *why)
{
	struct mailer *m = ctx;

	loop_stop(m->loop);
}

static const struct link_ops master_ops = {.on_msg = on_msg, .on_close = on_close};

static void on_stop(void *ctx, int signo)
{
	loop_stop(ctx);
}

int main(int argc, char **argv)
{
	static struct mailer m;
	static struct settings set;
	struct rlimit none = {0, 0};

	if (main_init(argc, argv, "mailer", &set) == MAIN_CHECK) {
		printf("settings are valid\n");
		return 0;
	}
	setrlimit(RLIMIT_CORE, &none);
	m.set = &set;
	m.loop = loop_new();
	list_init(&m.waiting);
	list_init(&m.running);
	loop_on_child(m.loop, on_child, &m);
	loop_signal_new(m.loop, SIGTERM, on_stop, m.loop);
	loop_signal_new(m.loop, SIGINT, on_stop, m.loop);
	m.master = link_new(m.loop, MAILER_FD, MASTER_QUEUE_MAX, &master_ops, &m);
	loop_run(m.loop);
	return 0;
}
