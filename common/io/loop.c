/* SPDX-License-Identifier: Apache-2.0 */
#include "common/io/loop.h"

#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/ensure.h"
#include "common/base/list.h"
#include "common/base/log.h"

struct loop {
	struct ev_loop *ev;
	int epoll_fd; /* libev's own, for deleting descriptors from it */
	uint64_t now;
	uint64_t turn_us, worst_us; /* when this turn began; the longest since loop_worst_turn_us */
	struct list deferred;
	ev_prepare before_wait;
	ev_check after_wait;
	ev_idle do_not_wait; /* active while something is deferred to the next turn */
	ev_signal sigchld;
	loop_child_fn *on_child;
	void *on_child_ctx;
};

struct loop_io {
	ev_io w;
	struct loop *loop;
	int events;
	loop_io_fn *fn;
	void *ctx;
};

struct loop_timer {
	ev_timer w;
	struct loop *loop;
	loop_fn *fn;
	void *ctx;
};

struct loop_signal {
	ev_signal w;
	struct loop *loop;
	loop_signal_fn *fn;
	void *ctx;
};

struct loop_defer {
	struct list link;
	struct loop *loop;
	loop_fn *fn;
	void *ctx;
};

struct loop_wake {
	ev_async w;
	struct loop *loop;
	loop_fn *fn;
	void *ctx;
};

/* ---- the loop ------------------------------------------------------------------------------ */

static int lowest_free_fd(void)
{
	int fd = eventfd(0, EFD_CLOEXEC);

	ASSERT(fd >= 0);
	close(fd);
	return fd;
}

/* Ends the process if fd is not libev's epoll descriptor after all. */
static void verify_epoll_fd(int fd)
{
	struct epoll_event e = {.events = 0};
	int probe = eventfd(0, EFD_CLOEXEC);

	ASSERT(probe >= 0);
	ASSERT(epoll_ctl(fd, EPOLL_CTL_ADD, probe, &e) == 0);
	ASSERT(epoll_ctl(fd, EPOLL_CTL_DEL, probe, NULL) == 0);
	close(probe);
}

static void note_turn(struct loop *l)
{
	uint64_t us = clock_us() - l->turn_us;

	if (us > l->worst_us)
		l->worst_us = us;
}

uint64_t loop_worst_turn_us(struct loop *l)
{
	uint64_t us = l->worst_us;

	l->worst_us = 0;
	return us;
}

static void run_deferred(struct ev_loop *ev, ev_prepare *w, int revents)
{
	struct loop *l = w->data;
	struct list batch;

	list_init(&batch);
	/* What is deferred by these functions belongs to the next turn. */
	while (!list_empty(&l->deferred)) {
		struct list *first = l->deferred.next;

		list_remove(first);
		list_append(&batch, first);
	}
	while (!list_empty(&batch)) {
		struct loop_defer *d = list_entry(batch.next, struct loop_defer, link);

		list_remove(&d->link);
		d->fn(d->ctx);
	}
	if (list_empty(&l->deferred))
		ev_idle_stop(ev, &l->do_not_wait);
	else
		ev_idle_start(ev, &l->do_not_wait);
	note_turn(l);
}

static void note_time(struct ev_loop *ev, ev_check *w, int revents)
{
	struct loop *l = w->data;

	l->turn_us = clock_us();
	l->now = l->turn_us / 1000;
}

static void do_nothing(struct ev_loop *ev, ev_idle *w, int revents)
{
}

struct loop *loop_new(void)
{
	struct loop *l = xcalloc(1, sizeof *l);

	signal(SIGPIPE, SIG_IGN);
	/* libev doesn't tell its epoll descriptor; it opens that one first, and it gets the lowest
	 * free number. */
	l->epoll_fd = lowest_free_fd();
	l->ev = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
	if (l->ev == NULL) {
		LOG(L_ERROR, "no-epoll", L_I("errno", errno));
		exit(1);
	}
	verify_epoll_fd(l->epoll_fd);
	l->turn_us = clock_us();
	l->now = l->turn_us / 1000;
	list_init(&l->deferred);
	ev_prepare_init(&l->before_wait, run_deferred);
	l->before_wait.data = l;
	ev_prepare_start(l->ev, &l->before_wait);
	ev_check_init(&l->after_wait, note_time);
	ev_set_priority(&l->after_wait, EV_MAXPRI);
	l->after_wait.data = l;
	ev_check_start(l->ev, &l->after_wait);
	ev_idle_init(&l->do_not_wait, do_nothing);
	ev_set_priority(&l->do_not_wait, EV_MAXPRI);
	return l;
}

void loop_free(struct loop **l)
{
	if (*l == NULL)
		return;
	ev_signal_stop((*l)->ev, &(*l)->sigchld);
	ev_prepare_stop((*l)->ev, &(*l)->before_wait);
	ev_check_stop((*l)->ev, &(*l)->after_wait);
	ev_idle_stop((*l)->ev, &(*l)->do_not_wait);
	ev_loop_destroy((*l)->ev);
	free(*l);
	*l = NULL;
}

void loop_run(struct loop *l)
{
	ev_run(l->ev, 0);
}

void loop_stop(struct loop *l)
{
	ev_break(l->ev, EVBREAK_ALL);
}

uint64_t loop_now(struct loop *l)
{
	return l->now;
}

/* ---- descriptors --------------------------------------------------------------------------- */

static void io_event(struct ev_loop *ev, ev_io *w, int revents)
{
	struct loop_io *io = w->data;
	int events = (revents & EV_READ ? LOOP_READ : 0) | (revents & EV_WRITE ? LOOP_WRITE : 0);

	if (revents & EV_ERROR)
		events = io->events; /* the descriptor is bad: its user finds out by using it */
	io->fn(io->ctx, events);
}

static int ev_events(int events)
{
	return (events & LOOP_READ ? EV_READ : 0) | (events & LOOP_WRITE ? EV_WRITE : 0);
}

struct loop_io *loop_io_new(struct loop *l, int fd, int events, loop_io_fn *fn, void *ctx)
{
	struct loop_io *io = xcalloc(1, sizeof *io);

	ASSERT(fd >= 0);
	io->loop = l;
	io->fn = fn;
	io->ctx = ctx;
	ev_io_init(&io->w, io_event, fd, 0);
	io->w.data = io;
	loop_io_set(io, events);
	return io;
}

void loop_io_set(struct loop_io *io, int events)
{
	struct loop *l = io->loop;

	if (events == io->events)
		return;
	ev_io_stop(l->ev, &io->w);
	io->events = events;
	if (events) {
		/* ev_io_set makes libev call epoll_ctl even where the events are those it had. */
		ev_io_set(&io->w, io->w.fd, ev_events(events));
		ev_io_start(l->ev, &io->w);
	} else {
		/* Fails where libev had not added it yet, and for files, which epoll doesn't take. */
		epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, io->w.fd, NULL);
	}
}

void loop_io_free(struct loop_io **io)
{
	if (*io == NULL)
		return;
	loop_io_set(*io, 0);
	free(*io);
	*io = NULL;
}

/* ---- timers -------------------------------------------------------------------------------- */

static void timer_event(struct ev_loop *ev, ev_timer *w, int revents)
{
	struct loop_timer *t = w->data;

	t->fn(t->ctx);
}

struct loop_timer *loop_timer_new(struct loop *l, loop_fn *fn, void *ctx)
{
	struct loop_timer *t = xcalloc(1, sizeof *t);

	t->loop = l;
	t->fn = fn;
	t->ctx = ctx;
	ev_init(&t->w, timer_event);
	t->w.data = t;
	return t;
}

void loop_timer_set(struct loop_timer *t, uint64_t after_ms)
{
	ev_timer_stop(t->loop->ev, &t->w);
	ev_now_update(t->loop->ev); /* else a timer set after long work would fire early */
	ev_timer_set(&t->w, (double)after_ms / 1000, 0.);
	ev_timer_start(t->loop->ev, &t->w);
}

void loop_timer_stop(struct loop_timer *t)
{
	ev_timer_stop(t->loop->ev, &t->w);
}

bool loop_timer_active(const struct loop_timer *t)
{
	return ev_is_active(&t->w) || ev_is_pending(&t->w);
}

void loop_timer_free(struct loop_timer **t)
{
	if (*t == NULL)
		return;
	loop_timer_stop(*t);
	free(*t);
	*t = NULL;
}

/* ---- signals and children ------------------------------------------------------------------ */

static void signal_event(struct ev_loop *ev, ev_signal *w, int revents)
{
	struct loop_signal *s = w->data;

	s->fn(s->ctx, w->signum);
}

struct loop_signal *loop_signal_new(struct loop *l, int signo, loop_signal_fn *fn, void *ctx)
{
	struct loop_signal *s = xcalloc(1, sizeof *s);

	s->loop = l;
	s->fn = fn;
	s->ctx = ctx;
	ev_signal_init(&s->w, signal_event, signo);
	s->w.data = s;
	ev_signal_start(l->ev, &s->w);
	return s;
}

void loop_signal_free(struct loop_signal **s)
{
	if (*s == NULL)
		return;
	ev_signal_stop((*s)->loop->ev, &(*s)->w);
	free(*s);
	*s = NULL;
}

static void reap(struct ev_loop *ev, ev_signal *w, int revents)
{
	struct loop *l = w->data;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		l->on_child(l->on_child_ctx, pid, status);
}

void loop_on_child(struct loop *l, loop_child_fn *fn, void *ctx)
{
	ASSERT(l->on_child == NULL);
	l->on_child = fn;
	l->on_child_ctx = ctx;
	ev_signal_init(&l->sigchld, reap, SIGCHLD);
	l->sigchld.data = l;
	ev_signal_start(l->ev, &l->sigchld);
	ev_feed_event(l->ev, &l->sigchld, EV_SIGNAL); /* for those that ended before */
}

/* ---- later, and from other threads --------------------------------------------------------- */

struct loop_defer *loop_defer_new(struct loop *l, loop_fn *fn, void *ctx)
{
	struct loop_defer *d = xcalloc(1, sizeof *d);

	list_init(&d->link);
	d->loop = l;
	d->fn = fn;
	d->ctx = ctx;
	return d;
}

void loop_defer_set(struct loop_defer *d)
{
	if (list_empty(&d->link))
		list_append(&d->loop->deferred, &d->link);
}

void loop_defer_free(struct loop_defer **d)
{
	if (*d == NULL)
		return;
	list_remove(&(*d)->link);
	free(*d);
	*d = NULL;
}

static void wake_event(struct ev_loop *ev, ev_async *w, int revents)
{
	struct loop_wake *k = w->data;

	k->fn(k->ctx);
}

struct loop_wake *loop_wake_new(struct loop *l, loop_fn *fn, void *ctx)
{
	struct loop_wake *k = xcalloc(1, sizeof *k);

	k->loop = l;
	k->fn = fn;
	k->ctx = ctx;
	ev_async_init(&k->w, wake_event);
	k->w.data = k;
	ev_async_start(l->ev, &k->w);
	return k;
}

void loop_wake_up(struct loop_wake *w)
{
	ev_async_send(w->loop->ev, &w->w);
}

void loop_wake_free(struct loop_wake **w)
{
	if (*w == NULL)
		return;
	ev_async_stop((*w)->loop->ev, &(*w)->w);
	free(*w);
	*w = NULL;
}
