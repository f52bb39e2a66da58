/* SPDX-License-Identifier: Apache-2.0 */
#include "common/io/jobs.h"

#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>

#include "common/io/loop.h"

enum { STACK_SIZE = 256 * 1024, IDLE_SECONDS = 1 };

struct jobs {
	unsigned max_threads;
	size_t pending; /* the loop thread's alone */
	bool delivering;
	struct loop_wake *wake;
	pthread_mutex_t mutex; /* what follows is under it */
	pthread_cond_t work, ended;
	struct list queue, done;
	size_t queued;
	unsigned threads, idle;
	bool closing;
};

/* Waits for a job. False: this thread has been idle for long enough, or jobs_free is at work. */
static bool wait_for_work(struct jobs *js)
{
	struct timespec until;
	int rc = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += IDLE_SECONDS;
	js->idle++;
	while (js->queued == 0 && !js->closing && rc == 0)
		rc = pthread_cond_timedwait(&js->work, &js->mutex, &until);
	js->idle--;
	return js->queued > 0;
}

static void *thread_main(void *arg)
{
	struct jobs *js = arg;
	bool last;

	pthread_mutex_lock(&js->mutex);
	while (wait_for_work(js)) {
		struct job *j = list_entry(js->queue.next, struct job, link);

		list_remove(&j->link);
		js->queued--;
		pthread_mutex_unlock(&js->mutex);
		j->run(j);
		pthread_mutex_lock(&js->mutex);
		list_append(&js->done, &j->link);
		loop_wake_up(js->wake);
	}
	last = --js->threads == 0;
	pthread_cond_signal(&js->ended);
	pthread_mutex_unlock(&js->mutex);
	if (last)
		malloc_trim(0); /* the work is over for now: what it took goes back */
	return NULL;
}

static void deliver(void *ctx)
{
	struct jobs *js = ctx;
	struct list batch;

	list_init(&batch);
	pthread_mutex_lock(&js->mutex);
	while (!list_empty(&js->done)) {
		struct list *first = js->done.next;

		list_remove(first);
		list_append(&batch, first);
	}
	pthread_mutex_unlock(&js->mutex);
	js->delivering = true;
	while (!list_empty(&batch)) {
		struct job *j = list_entry(batch.next, struct job, link);

		list_remove(&j->link);
		js->pending--;
		j->done(j);
	}
	js->delivering = false;
}

struct jobs *jobs_new(struct loop *l, unsigned max_threads)
{
	struct jobs *js = xcalloc(1, sizeof *js);
	pthread_condattr_t attr;

	/* One malloc arena: each further one costs an idle process some pages for ever. */
	mallopt(M_ARENA_MAX, 1);
	js->max_threads = max_threads ? max_threads : 1;
	js->wake = loop_wake_new(l, deliver, js);
	list_init(&js->queue);
	list_init(&js->done);
	pthread_mutex_init(&js->mutex, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&js->work, &attr);
	pthread_cond_init(&js->ended, &attr);
	pthread_condattr_destroy(&attr);
	return js;
}

/* Signals are the loop's: the thread is born with all of them blocked. */
static int start_thread(struct jobs *js)
{
	pthread_attr_t attr;
	sigset_t all, before;
	pthread_t id;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	rc = pthread_create(&id, &attr, thread_main, js);
	pthread_attr_destroy(&attr);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return rc;
}

/* No thread could be had (a process limit): the loop does the work itself rather than not at all. */
static void run_here(struct jobs *js)
{
	while (!list_empty(&js->queue)) {
		struct job *j = list_entry(js->queue.next, struct job, link);

		list_remove(&j->link);
		js->queued--;
		j->run(j);
		list_append(&js->done, &j->link);
	}
	loop_wake_up(js->wake);
}

void jobs_submit(struct jobs *js, struct job *j)
{
	js->pending++;
	pthread_mutex_lock(&js->mutex);
	ASSERT(!js->closing);
	list_append(&js->queue, &j->link);
	js->queued++;
	if (js->queued > js->idle && js->threads < js->max_threads) {
		js->threads++;
		if (start_thread(js) != 0 && --js->threads == 0)
			run_here(js);
	}
	if (js->idle)
		pthread_cond_signal(&js->work);
	pthread_mutex_unlock(&js->mutex);
}

size_t jobs_pending(const struct jobs *js)
{
	return js->pending;
}

void jobs_free(struct jobs **jsp)
{
	struct jobs *js = *jsp;

	if (js == NULL)
		return;
	ASSERT(!js->delivering);
	do { /* done() may submit more */
		pthread_mutex_lock(&js->mutex);
		js->closing = true;
		pthread_cond_broadcast(&js->work);
		while (js->threads)
			pthread_cond_wait(&js->ended, &js->mutex);
		js->closing = false;
		pthread_mutex_unlock(&js->mutex);
		deliver(js);
	} while (js->pending);
	loop_wake_free(&js->wake);
	pthread_cond_destroy(&js->work);
	pthread_cond_destroy(&js->ended);
	pthread_mutex_destroy(&js->mutex);
	free(js);
	*jsp = NULL;
}
