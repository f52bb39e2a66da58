/* SPDX-License-Identifier: Apache-2.0 */
/* pool: the zygote, which forks, and the processes that it has forked ahead of logins. */
#include <signal.h>
#include <sys/wait.h>
#include "backend/master/master.h"
#include "common/base/log.h"
#include "common/base/vec.h"
#include "common/ipc/spawn.h"
#include "common/sys/main.h"
#include "common/sys/proc.h"

#define BACKOFF_FIRST_MS 100
#define BACKOFF_MAX_MS 5000
#define STEADY_MS 10000 /* a zygote that lived so long was no failed start */
#define FORKS_MAX 256   /* asked for at a time */

struct pool {
	struct master *m;
	pid_t zygote;
	struct link *link;     /* NULL: no zygote */
	uint64_t started;
	uint64_t backoff;
	struct loop_timer *timer; /* starts a zygote, or fills the pool, later */
	struct list ready;
	unsigned nready;
	struct list wanting;   /* storent.of_pool */
	unsigned nwanting;
	unsigned asked;        /* SPAWN_FORK without SPAWN_FORKED */
	struct hmap *bypid;
};

static void fill(struct pool *p)
{
	uint64_t want = p->m->set->imapd_pool + p->nwanting;
	uint64_t have = p->nready + p->asked;
	struct buf b = BUF_INIT;

	if (!p->link || p->m->stopping || have >= want)
		return;
	want = want - have > FORKS_MAX ? FORKS_MAX : want - have;
	wire_u32(&b, (uint32_t)want);
	if (link_send(p->link, SPAWN_FORK, buf_str(&b), NULL, 0) == 0)
		p->asked += (unsigned)want;
	buf_deinit(&b);
}

static void serve(struct pool *p)
{
	while (!list_empty(&p->wanting) && !list_empty(&p->ready)) {
		struct storent *s = list_entry(p->wanting.next, struct storent, of_pool);
		struct child *c = list_entry(p->ready.next, struct child, link);

		list_remove(&s->of_pool);
		p->nwanting--;
		list_remove(&c->link);
		p->nready--;
		store_child(s, c);
	}
	fill(p);
}

void pool_want(struct pool *p, struct storent *s)
{
	list_append(&p->wanting, &s->of_pool);
	p->nwanting++;
	serve(p);
}

void pool_unwant(struct pool *p, struct storent *s)
{
	list_remove(&s->of_pool);
	p->nwanting--;
	s->wants_child = false;
}

unsigned pool_ready(const struct pool *p)
{
	return p->nready;
}

void pool_forget(struct pool *p, struct child *c)
{
	if (hmap_get_u64(p->bypid, (uint64_t)c->pid) == c)
		hmap_del_u64(p->bypid, (uint64_t)c->pid);
}

void pool_gone(struct pool *p, struct child *c)
{
	LOG(L_WARN, "pool-process-gone", L_I("imapd", c->pid));
	p->nready--;
	child_free(&c);
	if (!loop_timer_active(p->timer))
		loop_timer_set(p->timer, BACKOFF_FIRST_MS); /* not at once: it may be the rule */
}

/* ---- the zygote ------------------------------------------------------------------------------- */

static void exit_of(struct pool *p, pid_t pid, int status)
{
	struct child *c = hmap_get_u64(p->bypid, (uint64_t)pid);

	if (!c)
		return;
	hmap_del_u64(p->bypid, (uint64_t)pid);
	child_exited(c, status);
}

static int on_forked(struct pool *p, struct link_msg *m)
{
	struct wire w = wire_reader(m->body);
	uint32_t pid = wire_get_u32(&w);
	struct child *c;

	if (!wire_end(&w) || m->nfds != 1 || p->asked == 0)
		return -1;
	p->asked--;
	p->m->count.spawned++;
	c = child_new(p->m, (pid_t)pid, m->fds[0]);
	m->fds[0] = -1;
	hmap_put_u64(p->bypid, pid, c);
	list_append(&p->ready, &c->link);
	p->nready++;
	serve(p);
	return 0;
}

static int on_msg(void *ctx, struct link_msg *m)
{
	struct pool *p = ctx;
	struct wire w;
	uint32_t pid;
	int64_t status;

	if (m->type == SPAWN_FORKED)
		return on_forked(p, m);
	if (m->type != SPAWN_EXITED || m->nfds != 0)
		return -1;
	w = wire_reader(m->body);
	pid = wire_get_u32(&w);
	status = wire_get_i64(&w);
	if (!wire_end(&w))
		return -1;
	exit_of(p, (pid_t)pid, (int)status);
	return 0;
}

static void zygote_lost(struct pool *p, const char *why)
{
	bool steady = loop_now(p->m->loop) - p->started > STEADY_MS;

	link_free(&p->link);
	p->asked = 0;
	p->backoff = steady || p->backoff == 0 ? BACKOFF_FIRST_MS : p->backoff * 2;
	if (p->backoff > BACKOFF_MAX_MS)
		p->backoff = BACKOFF_MAX_MS;
	if (p->m->stopping)
		return;
	LOG(L_ERROR, "zygote-gone", L_C("reason", why), L_U("again_in_ms", p->backoff));
	if (p->zygote > 0)
		kill(p->zygote, SIGKILL);
	loop_timer_set(p->timer, p->backoff);
}

static void on_close(void *ctx, const char *why)
{
	zygote_lost(ctx, why);
}

static const struct link_ops spawn_ops = {.on_msg = on_msg, .on_close = on_close};

static int zygote_start(struct pool *p, struct err *e)
{
	const char *const *more = main_child_args();
	VEC(const char *) args = {0};
	int pair[2];
	pid_t pid;

	*vec_push(&args) = "--zygote";
	do {
		*vec_push(&args) = *more;
	} while (*more++);
	if (link_pair(pair) < 0)
		return err_sys(e, "socketpair");
	pid = proc_spawn("imapd", args.a, &(struct proc_fd){pair[1], SPAWN_FD}, 1, e);
	close(pair[1]);
	vec_free(&args);
	if (pid < 0) {
		close(pair[0]);
		return -1;
	}
	p->zygote = pid;
	p->started = loop_now(p->m->loop);
	p->link = link_new(p->m->loop, pair[0], FORKS_MAX, &spawn_ops, p);
	return 0;
}

static void on_timer(void *ctx)
{
	struct pool *p = ctx;
	struct err e;

	if (!p->link && !p->m->stopping && zygote_start(p, &e) < 0) {
		LOG(L_ERROR, "zygote", L_C("error", e.text));
		loop_timer_set(p->timer, BACKOFF_MAX_MS);
	}
	serve(p);
}

void pool_child_exit(struct pool *p, pid_t pid, int status)
{
	if (pid != p->zygote) {
		exit_of(p, pid, status); /* an orphan of an earlier zygote */
		return;
	}
	p->zygote = 0;
	LOG(p->m->stopping ? L_DEBUG : L_ERROR, "zygote-exit",
	    L_I("status", WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status)));
}

struct pool *pool_new(struct master *m, struct err *e)
{
	struct pool *p = xcalloc(1, sizeof *p);

	p->m = m;
	list_init(&p->ready);
	list_init(&p->wanting);
	p->bypid = hmap_new();
	p->timer = loop_timer_new(m->loop, on_timer, p);
	if (zygote_start(p, e) < 0) {
		loop_timer_free(&p->timer);
		hmap_free(&p->bypid);
		free(p);
		return NULL;
	}
	fill(p);
	return p;
}
