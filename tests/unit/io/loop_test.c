/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/ensure.h"
#include "common/io/jobs.h"
#include "common/io/link.h"
#include "common/io/loop.h"

static void stop(void *ctx)
{
	loop_stop(ctx);
}

static void run_for(struct loop *l, uint64_t ms)
{
	struct loop_timer *t = loop_timer_new(l, stop, l);

	loop_timer_set(t, ms);
	loop_run(l);
	loop_timer_free(&t);
}

static void count_event(void *ctx, int events)
{
	*(int *)ctx += events;
}

/* How many descriptors this process's epoll sets hold, as the kernel sees it. */
static int in_epoll(void)
{
	int n = 0;

	for (int fd = 0; fd < 64; fd++) {
		char path[64], line[256];
		FILE *f;

		snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
		f = fopen(path, "re");
		while (f && fgets(line, sizeof line, f))
			n += strncmp(line, "tfd:", 4) == 0;
		if (f)
			fclose(f);
	}
	return n;
}

static void test_io(void **state)
{
	struct loop *l = loop_new();
	struct loop_io *io;
	int pair[2], events = 0, base;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	run_for(l, 1);
	base = in_epoll();
	io = loop_io_new(l, pair[0], 0, count_event, &events);
	assert_int_equal(write(pair[1], "x", 1), 1);
	run_for(l, 5);
	assert_int_equal(events, 0);
	assert_int_equal(in_epoll(), base);
	loop_io_set(io, LOOP_READ);
	run_for(l, 5);
	assert_true(events > 0);
	loop_io_set(io, 0); /* at once, without a turn of the loop */
	assert_int_equal(in_epoll(), base);
	loop_io_set(io, LOOP_READ);
	loop_io_set(io, 0);
	loop_io_set(io, LOOP_READ); /* as before: must be in the set again */
	events = 0;
	run_for(l, 5);
	assert_true(events > 0);
	loop_io_free(&io);
	assert_int_equal(in_epoll(), base);
	assert_null(io);
	close(pair[0]);
	close(pair[1]);
	loop_free(&l);
}

/* A descriptor that lives on elsewhere after close() leaves nothing behind in our epoll set, and its
 * number can be used anew at once. */
static void test_passed_on(void **state)
{
	struct loop *l = loop_new();
	int kept[200], n = 0, base, events = 0;

	run_for(l, 1);
	base = in_epoll();
	for (; n < 200; n++) {
		struct loop_io *io;
		int pair[2];

		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
		io = loop_io_new(l, pair[0], LOOP_READ, count_event, &events);
		run_for(l, 0);
		kept[n] = fcntl(pair[0], F_DUPFD_CLOEXEC, 100); /* as if another process had it */
		loop_io_free(&io);
		close(pair[0]);
		assert_int_equal(write(pair[1], "x", 1), 1); /* would wake the loop for ever */
		close(pair[1]);
	}
	assert_int_equal(in_epoll(), base);
	run_for(l, 5);
	assert_int_equal(events, 0);
	while (n)
		close(kept[--n]);
	loop_free(&l);
}

struct self_freeing {
	struct loop *loop;
	struct loop_io *io;
	struct loop_timer *timer;
	struct loop_defer *defer;
	int calls;
};

static void free_io(void *ctx, int events)
{
	struct self_freeing *s = ctx;

	s->calls++;
	loop_io_free(&s->io);
}

static void free_timer(void *ctx)
{
	struct self_freeing *s = ctx;

	s->calls++;
	loop_timer_free(&s->timer);
}

static void free_defer(void *ctx)
{
	struct self_freeing *s = ctx;

	s->calls++;
	loop_defer_free(&s->defer);
}

static void test_free_in_callback(void **state)
{
	struct self_freeing s = {.loop = loop_new()};
	int p[2];

	assert_int_equal(pipe2(p, O_NONBLOCK), 0);
	s.io = loop_io_new(s.loop, p[1], LOOP_WRITE, free_io, &s);
	s.timer = loop_timer_new(s.loop, free_timer, &s);
	s.defer = loop_defer_new(s.loop, free_defer, &s);
	loop_timer_set(s.timer, 1);
	loop_defer_set(s.defer);
	run_for(s.loop, 10);
	assert_int_equal(s.calls, 3);
	close(p[0]);
	close(p[1]);
	loop_free(&s.loop);
}

static void test_timers(void **state)
{
	struct loop *l = loop_new();
	struct loop_timer *t = loop_timer_new(l, stop, l);
	uint64_t start;

	assert_false(loop_timer_active(t));
	usleep(30000); /* the loop's idea of now is old by this */
	start = clock_ms();
	loop_timer_set(t, 1000);
	loop_timer_set(t, 20);
	assert_true(loop_timer_active(t));
	loop_run(l);
	assert_in_range(clock_ms() - start, 19, 500);
	assert_false(loop_timer_active(t));
	assert_true(clock_ms() - loop_now(l) < 50);
	loop_timer_set(t, 1);
	loop_timer_stop(t);
	run_for(l, 10);
	loop_timer_free(&t);
	loop_free(&l);
}

struct chain {
	struct loop *loop;
	struct loop_defer *defer;
	struct loop_io *io;
	int calls, io_calls, io_between;
};

static void again(void *ctx)
{
	struct chain *c = ctx;

	c->calls++;
	c->io_between += c->io_calls > 0;
	c->io_calls = 0;
	if (c->calls < 10)
		loop_defer_set(c->defer);
	else
		loop_stop(c->loop);
}

static void note_io(void *ctx, int events)
{
	((struct chain *)ctx)->io_calls++;
}

/* What defers itself again runs without waiting, but descriptors have their turn between. */
static void test_defer(void **state)
{
	struct chain c = {.loop = loop_new()};
	int p[2];

	assert_int_equal(pipe2(p, O_NONBLOCK), 0);
	c.io = loop_io_new(c.loop, p[1], LOOP_WRITE, note_io, &c);
	c.defer = loop_defer_new(c.loop, again, &c);
	loop_defer_set(c.defer);
	loop_defer_set(c.defer);
	loop_run(c.loop);
	assert_int_equal(c.calls, 10);
	assert_int_equal(c.io_between, 9);
	loop_defer_set(c.defer);
	loop_defer_free(&c.defer);
	run_for(c.loop, 5);
	assert_int_equal(c.calls, 10);
	loop_io_free(&c.io);
	close(p[0]);
	close(p[1]);
	loop_free(&c.loop);
}

static int signals_seen, children_seen, last_status;

static void on_signal(void *ctx, int signo)
{
	signals_seen += signo == SIGUSR1;
}

static void on_child(void *ctx, pid_t pid, int status)
{
	children_seen++;
	last_status = status;
}

static void test_signals_and_children(void **state)
{
	struct loop *l = loop_new();
	struct loop_signal *s = loop_signal_new(l, SIGUSR1, on_signal, NULL);

	if (fork() == 0)
		_exit(3); /* before anybody asked */
	usleep(20000);
	loop_on_child(l, on_child, NULL);
	for (int i = 0; i < 3; i++)
		if (fork() == 0)
			_exit(3);
	kill(getpid(), SIGUSR1);
	kill(getpid(), SIGPIPE); /* ignored since loop_new */
	run_for(l, 100);
	assert_int_equal(signals_seen, 1);
	assert_int_equal(children_seen, 4);
	assert_int_equal(WEXITSTATUS(last_status), 3);
	loop_signal_free(&s);
	loop_free(&l);
}

static void *wake_from_thread(void *w)
{
	for (int i = 0; i < 1000; i++)
		loop_wake_up(w);
	return NULL;
}

static void test_wake(void **state)
{
	struct loop *l = loop_new();
	struct loop_wake *w = loop_wake_new(l, stop, l);
	pthread_t t;

	pthread_create(&t, NULL, wake_from_thread, w);
	loop_run(l);
	pthread_join(t, NULL);
	loop_wake_free(&w);
	loop_free(&l);
}

/* ---- jobs ---------------------------------------------------------------------------------- */

struct sum_job {
	struct job job;
	struct jobs *again; /* submits one more when done */
	pthread_t ran_on;
	sigset_t blocked;
	int *done;
};

static void sum_run(struct job *j)
{
	struct sum_job *s = container_of(j, struct sum_job, job);

	s->ran_on = pthread_self();
	pthread_sigmask(SIG_SETMASK, NULL, &s->blocked);
	usleep(1000);
}

static void sum_done(struct job *j)
{
	struct sum_job *s = container_of(j, struct sum_job, job);

	assert_false(pthread_equal(s->ran_on, pthread_self()));
	assert_true(sigismember(&s->blocked, SIGTERM));
	++*s->done;
	if (s->again) {
		struct jobs *js = s->again;

		s->again = NULL;
		jobs_submit(js, j);
		return;
	}
	free(s);
}

static int threads_now(void)
{
	char line[256];
	int n = -1;
	FILE *f = fopen("/proc/self/status", "re");

	while (fgets(line, sizeof line, f))
		if (sscanf(line, "Threads: %d", &n) == 1)
			break;
	fclose(f);
	return n;
}

static void submit_sum(struct jobs *js, int *done, struct jobs *again)
{
	struct sum_job *s = xcalloc(1, sizeof *s);

	s->job.run = sum_run;
	s->job.done = sum_done;
	s->done = done;
	s->again = again;
	jobs_submit(js, &s->job);
}

static void test_jobs(void **state)
{
	struct loop *l = loop_new();
	struct jobs *js = jobs_new(l, 3);
	int done = 0, before = threads_now();

	for (int i = 0; i < 100; i++)
		submit_sum(js, &done, NULL);
	assert_int_equal(jobs_pending(js), 100);
	assert_int_equal(done, 0); /* only on the loop */
	assert_true(threads_now() <= before + 3);
	for (int i = 0; i < 100 && jobs_pending(js); i++)
		run_for(l, 10);
	assert_int_equal(done, 100);
	run_for(l, 1500);
	assert_int_equal(threads_now(), before); /* idle threads are gone */
	submit_sum(js, &done, NULL);
	submit_sum(js, &done, js);
	jobs_free(&js); /* waits, and calls done() */
	assert_int_equal(done, 103);
	assert_null(js);
	loop_free(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_io),
		cmocka_unit_test(test_passed_on),
		cmocka_unit_test(test_free_in_callback),
		cmocka_unit_test(test_timers),
		cmocka_unit_test(test_defer),
		cmocka_unit_test(test_signals_and_children),
		cmocka_unit_test(test_wake),
		cmocka_unit_test(test_jobs),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
