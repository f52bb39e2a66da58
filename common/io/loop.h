/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loop: the event loop of a process, and the one place that knows libev. All callbacks run on the
 * thread that called loop_run. A watcher belongs to exactly one struct and is freed in that
 * struct's destructor. Freeing a watcher from its own callback is allowed.
 *
 * libev does not delete a descriptor from epoll by itself when it is closed or passed on:
 * loop_io_free and loop_io_set(io, 0) do it explicitly (DESIGN.md P2), so free the watcher
 * BEFORE close() and before the descriptor is sent to another process.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct loop;
struct loop_io;
struct loop_timer;
struct loop_signal;
struct loop_wake;
enum { LOOP_READ = 1, LOOP_WRITE = 2 };

typedef void loop_io_fn(void *ctx, int events);
typedef void loop_fn(void *ctx);
typedef void loop_signal_fn(void *ctx, int signo);
typedef void loop_child_fn(void *ctx, pid_t pid, int wait_status);

struct loop *loop_new(void); /* one per process; ends the process if epoll can't be had */
void loop_free(struct loop **l);
void loop_run(struct loop *l); /* until loop_stop */
void loop_stop(struct loop *l);
uint64_t loop_now(struct loop *l); /* ms, as of this turn (cheap) */
/* The longest turn since the last call: what a descriptor had to wait for the others, at most. */
uint64_t loop_worst_turn_us(struct loop *l);

/* fd: non-blocking, stays the caller's. events may be 0: registered, but silent. */
struct loop_io *loop_io_new(struct loop *l, int fd, int events, loop_io_fn *fn, void *ctx);
void loop_io_set(struct loop_io *io, int events); /* no system call if nothing changes */
void loop_io_free(struct loop_io **io);

/* One-shot timers; not running when made. Setting a running one moves it. */
struct loop_timer *loop_timer_new(struct loop *l, loop_fn *fn, void *ctx);
void loop_timer_set(struct loop_timer *t, uint64_t after_ms);
void loop_timer_stop(struct loop_timer *t);
bool loop_timer_active(const struct loop_timer *t);
void loop_timer_free(struct loop_timer **t);

struct loop_signal *loop_signal_new(struct loop *l, int signo, loop_signal_fn *fn, void *ctx);
void loop_signal_free(struct loop_signal **s);

/* Called for every child that ends (one handler per process). */
void loop_on_child(struct loop *l, loop_child_fn *fn, void *ctx);

/* Runs fn once, later in this turn of the loop, after the callbacks that are pending. For
 * iterators that yield: they come back after the other descriptors had their turn. */
struct loop_defer;
struct loop_defer *loop_defer_new(struct loop *l, loop_fn *fn, void *ctx);
void loop_defer_set(struct loop_defer *d);    /* schedule (idempotent) */
void loop_defer_free(struct loop_defer **d);

/* The only object that another thread may touch: loop_wake_up runs fn on the loop soon. */
struct loop_wake *loop_wake_new(struct loop *l, loop_fn *fn, void *ctx);
void loop_wake_up(struct loop_wake *w); /* thread-safe, cheap when already pending */
void loop_wake_free(struct loop_wake **w);
