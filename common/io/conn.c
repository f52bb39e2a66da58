/* SPDX-License-Identifier: Apache-2.0 */
#include "common/io/conn.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/ensure.h"
#include "common/base/secret.h"
#include "common/io/sock.h"

struct conn {
	struct loop *loop;
	const struct conn_ops *ops;
	void *ctx;
	conn_tap_fn *tap;
	struct conn_opts opts;
	int in_fd, out_fd;
	struct loop_io *in_io, *out_io; /* out_io: only where out_fd is another descriptor */
	struct loop_defer *later;
	struct loop_timer *timer; /* stuck or linger; there only while output waits */
	struct conn_layer socket, *top;
	struct buf in, out;
	uint64_t bytes_in, bytes_out, progress_ms;
	int read_waits, write_waits; /* LOOP_ bits that the top layer waits for */
	int error;                   /* errno */
	enum conn_end end;
	bool busy, freed; /* busy: a callback is running, and the memory outlives conn_free */
	bool paused, eof, dead, finishing, finished;
	bool blocked;                             /* the last write took nothing */
	bool was_full;                            /* on_drained is owed */
	bool input_due, read_due, drained_due, end_due; /* for the next work() */
};

static char scratch[65536]; /* one read; no idle connection keeps room for input */

/* ---- the bottom layer ---------------------------------------------------------------------- */

static ssize_t socket_read(struct conn_layer *l, void *p, size_t n)
{
	return read(container_of(l, struct conn, socket)->in_fd, p, n);
}

static ssize_t socket_write(struct conn_layer *l, const void *p, size_t n)
{
	return write(container_of(l, struct conn, socket)->out_fd, p, n);
}

static bool socket_pending(struct conn_layer *l)
{
	return false;
}

static void socket_shutdown(struct conn_layer *l)
{
	shutdown(container_of(l, struct conn, socket)->out_fd, SHUT_WR);
}

static void socket_free(struct conn_layer *l)
{
}

/* ---- what to wait for ---------------------------------------------------------------------- */

static bool wants_read(const struct conn *c)
{
	return !c->paused && !c->eof && !c->dead && !c->finishing && c->in.n < c->opts.in_max;
}

static bool wants_write(const struct conn *c)
{
	return c->blocked && c->out.n && !c->dead;
}

static void set_events(struct conn *c)
{
	int events = (wants_read(c) ? c->read_waits : 0) | (wants_write(c) ? c->write_waits : 0);

	if (c->busy)
		return; /* work() does it once, when the callback is over */
	if (c->out_io) {
		loop_io_set(c->in_io, events & LOOP_READ);
		loop_io_set(c->out_io, events & LOOP_WRITE);
	} else {
		loop_io_set(c->in_io, events);
	}
	if (wants_read(c) && c->top->pending(c->top)) {
		c->read_due = true;
		loop_defer_set(c->later);
	}
}

static void owe_end(struct conn *c, enum conn_end end)
{
	c->end = end;
	c->end_due = true;
	if (end == CONN_EOF)
		c->eof = true;
	else
		c->dead = true;
	loop_defer_set(c->later);
}

/* ---- reading and writing ------------------------------------------------------------------- */

static void read_once(struct conn *c)
{
	size_t room = c->opts.in_max - c->in.n;
	ssize_t n;

	c->read_due = false;
	do {
		n = c->top->read(c->top, scratch, room < sizeof scratch ? room : sizeof scratch);
	} while (n < 0 && errno == EINTR);
	if (n > 0) {
		buf_put(&c->in, scratch, (size_t)n);
		if (c->tap)
			c->tap(c->ctx, false, str_mem(scratch, (size_t)n));
		secret_zero(scratch, (size_t)n); /* logins pass here */
		c->bytes_in += (uint64_t)n;
		c->read_waits = LOOP_READ;
		c->input_due = true;
	} else if (n == 0) {
		owe_end(c, CONN_EOF);
	} else if (errno == EAGAIN) {
		c->read_waits = c->top->want ? c->top->want : LOOP_READ;
	} else {
		c->error = errno;
		owe_end(c, CONN_ERROR);
	}
}

static void timer_event(void *ctx);

static void watch_progress(struct conn *c)
{
	if (c->finishing)
		return; /* the timer measures the linger time */
	if (!wants_write(c)) {
		loop_timer_free(&c->timer);
	} else if (c->opts.stuck_ms && c->timer == NULL) {
		c->progress_ms = loop_now(c->loop);
		c->timer = loop_timer_new(c->loop, timer_event, c);
		loop_timer_set(c->timer, c->opts.stuck_ms);
	}
}

static void write_out(struct conn *c)
{
	if (c->opts.out_high && c->out.n > c->opts.out_high)
		c->was_full = true;
	while (c->out.n && !c->dead) {
		ssize_t n = c->top->write(c->top, buf_str(&c->out).p, c->out.n);

		if (n > 0) {
			if (c->tap)
				c->tap(c->ctx, true, str_sub(buf_str(&c->out), 0, (size_t)n));
			buf_consume(&c->out, (size_t)n);
			c->bytes_out += (uint64_t)n;
			c->progress_ms = loop_now(c->loop);
			c->blocked = false;
		} else if (n < 0 && errno == EINTR) {
			continue;
		} else if (n < 0 && errno == EAGAIN) {
			c->blocked = true;
			c->write_waits = c->top->want ? c->top->want : LOOP_WRITE;
			break;
		} else {
			c->error = n < 0 ? errno : EPIPE;
			owe_end(c, CONN_ERROR);
		}
	}
	if (c->dead)
		buf_reset(&c->out);
	buf_trim(&c->out);
	if (c->was_full && (c->out.n == 0 || c->out.n < c->opts.out_low)) {
		c->was_full = false;
		c->drained_due = !c->dead;
	}
	watch_progress(c);
}

/* Everything is written: say goodbye. What the peer sent and we won't read would turn the close
 * into a reset, which can eat the last bytes on their way: take it from the kernel. */
static void say_goodbye(struct conn *c)
{
	for (struct conn_layer *l = c->top; l; l = l->below)
		l->shutdown(l);
	for (int i = 0; i < 4 && read(c->in_fd, scratch, sizeof scratch) > 0; i++)
		;
}

static void finish_if_written(struct conn *c)
{
	if (!c->finishing || c->finished || c->out.n)
		return;
	c->finished = true;
	if (!c->dead)
		say_goodbye(c);
	owe_end(c, CONN_EOF);
}

/* ---- one turn ------------------------------------------------------------------------------ */

/* All calls of the owner's functions are made here; each may free the conn. */
static void call_owner(struct conn *c)
{
	if (c->drained_due) {
		c->drained_due = false;
		if (c->ops->on_drained)
			c->ops->on_drained(c->ctx);
	}
	if (!c->freed && c->end_due) {
		c->end_due = false;
		c->ops->on_end(c->ctx, c->end);
	}
}

static void work(struct conn *c, int events)
{
	c->busy = true;
	if (wants_read(c) && (events & c->read_waits || c->read_due))
		read_once(c);
	if (c->input_due && !c->paused && !c->finishing) {
		c->input_due = false;
		if (c->in.n)
			c->ops->on_input(c->ctx);
	}
	if (!c->freed && (!c->blocked || c->dead || events & c->write_waits))
		write_out(c);
	if (!c->freed)
		finish_if_written(c);
	if (!c->freed)
		call_owner(c);
	c->busy = false;
	if (c->freed)
		free(c);
	else
		set_events(c);
}

static void io_event(void *ctx, int events)
{
	work(ctx, events);
}

static void later_event(void *ctx)
{
	work(ctx, 0);
}

static void timer_event(void *ctx)
{
	struct conn *c = ctx;
	uint64_t waited = loop_now(c->loop) - c->progress_ms;

	if (c->finishing) {
		c->dead = true; /* so that work() drops what is left and ends */
	} else if (waited < c->opts.stuck_ms) {
		loop_timer_set(c->timer, c->opts.stuck_ms - waited);
		return;
	} else {
		owe_end(c, CONN_STUCK);
	}
	work(c, 0);
}

/* ---- making and ending --------------------------------------------------------------------- */

struct conn *conn_new(struct loop *l, int in_fd, int out_fd, const struct conn_opts *o,
		      const struct conn_ops *ops, void *ctx)
{
	struct conn *c = xcalloc(1, sizeof *c);

	c->loop = l;
	c->ops = ops;
	c->ctx = ctx;
	c->opts = *o;
	c->in_fd = in_fd;
	c->out_fd = out_fd;
	c->socket = (struct conn_layer){.read = socket_read,
					.write = socket_write,
					.pending = socket_pending,
					.shutdown = socket_shutdown,
					.free = socket_free};
	c->top = &c->socket;
	c->read_waits = LOOP_READ;
	c->write_waits = LOOP_WRITE;
	sock_nonblock(in_fd);
	if (out_fd != in_fd) {
		sock_nonblock(out_fd);
		c->out_io = loop_io_new(l, out_fd, 0, io_event, c);
	}
	c->in_io = loop_io_new(l, in_fd, LOOP_READ, io_event, c);
	c->later = loop_defer_new(l, later_event, c);
	return c;
}

void conn_push_layer(struct conn *c, struct conn_layer *layer)
{
	ASSERT(c->in.n == 0);
	layer->below = c->top;
	c->top = layer;
	c->blocked = false;
	c->read_waits = LOOP_READ;
	c->write_waits = LOOP_WRITE;
	set_events(c);
}

/* Everything but the descriptors. */
static void dismantle(struct conn *c)
{
	loop_io_free(&c->in_io);
	loop_io_free(&c->out_io);
	loop_defer_free(&c->later);
	loop_timer_free(&c->timer);
	while (c->top) {
		struct conn_layer *below = c->top->below;

		c->top->free(c->top);
		c->top = below;
	}
	buf_wipe(&c->in);
	buf_wipe(&c->out); /* authd sends passwords on */
	c->freed = true;
	if (!c->busy)
		free(c);
}

int conn_detach(struct conn **cp, struct buf *unread)
{
	struct conn *c = *cp;
	int fd = c->in_fd;

	ASSERT(c->top == &c->socket && c->in_fd == c->out_fd && c->out.n == 0);
	buf_move(unread, &c->in);
	dismantle(c);
	*cp = NULL;
	return fd;
}

void conn_free(struct conn **cp)
{
	struct conn *c = *cp;
	int in_fd, out_fd;

	if (c == NULL)
		return;
	in_fd = c->in_fd;
	out_fd = c->out_fd;
	dismantle(c);
	close(in_fd);
	if (out_fd != in_fd)
		close(out_fd);
	*cp = NULL;
}

void conn_finish(struct conn *c, uint64_t linger_ms)
{
	if (c->finishing)
		return;
	c->finishing = true;
	c->end_due = false;
	buf_wipe(&c->in);
	if (c->timer == NULL)
		c->timer = loop_timer_new(c->loop, timer_event, c);
	loop_timer_set(c->timer, linger_ms);
	loop_defer_set(c->later);
	set_events(c);
}

/* ---- input --------------------------------------------------------------------------------- */

struct str conn_in(const struct conn *c)
{
	return buf_str(&c->in);
}

void conn_consume(struct conn *c, size_t n)
{
	buf_consume(&c->in, n);
	if (c->in.n == 0)
		buf_wipe(&c->in);
	set_events(c);
}

void conn_in_drop(struct conn *c)
{
	conn_consume(c, c->in.n);
}

void conn_unread(struct conn *c, struct str bytes)
{
	if (bytes.n == 0)
		return;
	buf_insert(&c->in, 0, bytes.p, bytes.n);
	c->input_due = true;
	loop_defer_set(c->later);
	set_events(c);
}

void conn_pause(struct conn *c, bool paused)
{
	if (c->paused == paused)
		return;
	c->paused = paused;
	if (!paused && c->in.n) {
		c->input_due = true;
		loop_defer_set(c->later);
	}
	set_events(c);
}

/* ---- output -------------------------------------------------------------------------------- */

struct buf *conn_out(struct conn *c)
{
	if (!c->blocked)
		loop_defer_set(c->later);
	return &c->out;
}

void conn_flush(struct conn *c)
{
	if (!c->blocked)
		write_out(c);
	if (c->drained_due)
		loop_defer_set(c->later);
	set_events(c);
}

bool conn_full(const struct conn *c)
{
	return c->opts.out_high && c->out.n > c->opts.out_high;
}

size_t conn_queued(const struct conn *c)
{
	return c->out.n;
}

/* ---- facts --------------------------------------------------------------------------------- */

void conn_set_tap(struct conn *c, conn_tap_fn *tap)
{
	c->tap = tap;
}

int conn_fd(const struct conn *c)
{
	return c->in_fd;
}

uint64_t conn_bytes_in(const struct conn *c)
{
	return c->bytes_in;
}

uint64_t conn_bytes_out(const struct conn *c)
{
	return c->bytes_out;
}

const char *conn_error_text(const struct conn *c)
{
	const char *text = c->error ? strerrordesc_np(c->error) : NULL;

	return text ? text : "no error";
}
