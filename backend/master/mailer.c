/* SPDX-License-Identifier: Apache-2.0 */
/* mailer: starts the mailer, and makes the links by which imapds give it messages. */
#include <sys/wait.h>
#include "backend/master/master.h"
#include "common/base/log.h"
#include "common/ipc/mailer.h"
#include "common/sys/main.h"
#include "common/sys/proc.h"

#define QUEUE_MAX 1024
#define BACKOFF_FIRST_MS 50
#define BACKOFF_MAX_MS 5000
#define STEADY_MS 10000 /* a mailer that lived so long was no failed start */

struct mailhouse {
	struct master *m;
	pid_t pid;
	struct link *link; /* NULL: no mailer */
	struct loop_timer *timer;
	uint64_t started, backoff;
};

bool mailhouse_needed(const struct settings *set)
{
	return *set->outbox;
}

/* ---- the mailer's life -------------------------------------------------------------------------- */

static void lost(struct mailhouse *h)
{
	bool steady = loop_now(h->m->loop) - h->started > STEADY_MS;

	link_free(&h->link);
	h->backoff = steady || h->backoff == 0 ? BACKOFF_FIRST_MS : h->backoff * 2;
	if (h->backoff > BACKOFF_MAX_MS)
		h->backoff = BACKOFF_MAX_MS;
	if (h->m->stopping)
		return;
	LOG(L_ERROR, "mailer-gone", L_U("again_in_ms", h->backoff));
	loop_timer_set(h->timer, h->backoff);
}

static int on_msg(void *ctx, struct link_msg *m)
{
	return -1; /* it has nothing to say */
}

static void on_close(void *ctx, const char *why)
{
	lost(ctx);
}

static const struct link_ops mailer_ops = {.on_msg = on_msg, .on_close = on_close};

static void on_timer(void *ctx)
{
	struct mailhouse *h = ctx;
	int pair[2];
	struct err e;

	if (h->link || h->m->stopping)
		return;
	if (link_pair(pair) < 0) {
		LOG(L_ERROR, "mailer", L_C("error", strerror(errno)));
		loop_timer_set(h->timer, BACKOFF_MAX_MS);
		return;
	}
	h->started = loop_now(h->m->loop);
	h->pid = proc_spawn("mailer", main_child_args(), &(struct proc_fd){pair[1], MAILER_FD}, 1,
			    &e);
	close(pair[1]);
	if (h->pid < 0) {
		close(pair[0]);
		LOG(L_ERROR, "mailer", L_C("error", e.text));
		loop_timer_set(h->timer, BACKOFF_MAX_MS);
		return;
	}
	h->link = link_new(h->m->loop, pair[0], QUEUE_MAX, &mailer_ops, h);
}

bool mailhouse_exit(struct mailhouse *h, pid_t pid, int status)
{
	if (!h || pid != h->pid)
		return false;
	h->pid = 0;
	LOG(h->m->stopping ? L_DEBUG : L_ERROR, "mailer-exit",
	    L_I("status", WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status)));
	return true;
}

struct mailhouse *mailhouse_new(struct master *m)
{
	struct mailhouse *h;

	if (!mailhouse_needed(m->set))
		return NULL;
	h = xcalloc(1, sizeof *h);
	h->m = m;
	h->timer = loop_timer_new(m->loop, on_timer, h);
	on_timer(h);
	return h;
}

/* ---- links -------------------------------------------------------------------------------------- */

static int serve(struct mailhouse *h, const struct child *p, struct str user, int fd)
{
	struct mailer_serve s = {
		.user = user, .uid = p->uid, .gid = p->gid, .home = str_c(p->home)};
	struct buf b = BUF_INIT;
	int rc;

	mailer_serve_put(&b, &s);
	rc = link_send(h->link, MAILER_SERVE, buf_str(&b), &fd, 1);
	buf_deinit(&b);
	return rc;
}

void mailhouse_link(struct mailhouse *h, struct child *p, uint32_t conn, struct str user)
{
	struct buf b = BUF_INIT;
	int pair[2] = {-1, -1};

	wire_u32(&b, conn);
	if (h && h->link && user.n && link_pair(pair) == 0 && serve(h, p, user, pair[1]) == 0)
		(void)link_send(p->chan, SESSION_MAILER, buf_str(&b), pair, 1);
	else
		(void)link_send(p->chan, SESSION_MAILER, buf_str(&b), NULL, 0);
	for (int i = 0; i < 2; i++)
		if (pair[i] >= 0)
			close(pair[i]);
	buf_deinit(&b);
}
