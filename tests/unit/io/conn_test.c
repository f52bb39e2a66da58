/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

#include "common/base/ensure.h"
#include "common/io/conn.h"

struct side {
	struct loop *loop;
	struct conn *conn;
	int peer;
	struct buf got;
	unsigned inputs, drained, ends;
	enum conn_end end;
	size_t eat;   /* bytes consumed per on_input; 0: all */
	bool free_in_input, free_in_end, echo, stop_on_input;
};

static void on_input(void *ctx)
{
	struct side *s = ctx;
	struct str in = conn_in(s->conn);
	size_t n = s->eat && s->eat < in.n ? s->eat : in.n;

	s->inputs++;
	buf_put(&s->got, in.p, n);
	if (s->echo)
		buf_put(conn_out(s->conn), in.p, n);
	conn_consume(s->conn, n);
	if (s->free_in_input)
		conn_free(&s->conn);
	if (s->stop_on_input)
		loop_stop(s->loop);
}

static void on_drained(void *ctx)
{
	((struct side *)ctx)->drained++;
}

static void on_end(void *ctx, enum conn_end e)
{
	struct side *s = ctx;

	s->ends++;
	s->end = e;
	if (s->free_in_end)
		conn_free(&s->conn);
}

static const struct conn_ops ops = {on_input, on_drained, on_end};
static const struct conn_opts opts = {.in_max = 1000, .out_high = 50000, .out_low = 10000, .stuck_ms = 50};

static void stop(void *ctx)
{
	loop_stop(ctx);
}

static void run_for(struct side *s, uint64_t ms)
{
	struct loop_timer *t = loop_timer_new(s->loop, stop, s->loop);

	loop_timer_set(t, ms);
	loop_run(s->loop);
	loop_timer_free(&t);
}

static struct side *begin(void)
{
	struct side *s = xcalloc(1, sizeof *s);
	int pair[2];

	s->loop = loop_new();
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	s->peer = pair[1];
	s->conn = conn_new(s->loop, pair[0], pair[0], &opts, &ops, s);
	return s;
}

static void finish(struct side *s)
{
	conn_free(&s->conn);
	close(s->peer);
	buf_deinit(&s->got);
	loop_free(&s->loop);
	free(s);
}

static size_t drain_peer(struct side *s)
{
	static char sink[65536];
	size_t total = 0;
	ssize_t n;

	while ((n = read(s->peer, sink, sizeof sink)) > 0)
		total += (size_t)n;
	return total;
}

static void test_input_and_echo(void **state)
{
	struct side *s = begin();
	char back[16] = "";

	s->echo = true;
	assert_int_equal(write(s->peer, "hello", 5), 5);
	run_for(s, 10);
	assert_true(str_eq(buf_str(&s->got), STR("hello")));
	assert_int_equal(read(s->peer, back, sizeof back), 5);
	assert_string_equal(back, "hello");
	assert_int_equal(conn_bytes_in(s->conn), 5);
	assert_int_equal(conn_bytes_out(s->conn), 5);
	assert_int_equal(s->inputs, 1);
	finish(s);
}

static void test_input_limit(void **state)
{
	struct side *s = begin();
	static char big[5000];

	s->eat = 10; /* leaves most of it: reading stops at in_max */
	assert_int_equal(write(s->peer, big, sizeof big), sizeof big);
	run_for(s, 20);
	assert_int_equal(conn_in(s->conn).n, 990);
	assert_int_equal(conn_bytes_in(s->conn), 1000 + 10 * (s->inputs - 1));
	s->eat = 0;
	conn_consume(s->conn, 990);
	run_for(s, 20);
	assert_int_equal(conn_bytes_in(s->conn), 5000);
	assert_int_equal(conn_in(s->conn).n, 0);
	finish(s);
}

static void test_pause(void **state)
{
	struct side *s = begin();

	conn_pause(s->conn, true);
	assert_int_equal(write(s->peer, "abc", 3), 3);
	run_for(s, 10);
	assert_int_equal(s->inputs, 0);
	conn_pause(s->conn, false);
	run_for(s, 10);
	assert_int_equal(s->got.n, 3);
	/* What was read before the pause is offered again after it. */
	s->eat = 1;
	assert_int_equal(write(s->peer, "de", 2), 2);
	run_for(s, 10);
	conn_pause(s->conn, true);
	run_for(s, 10);
	assert_int_equal(s->got.n, 4);
	conn_pause(s->conn, false);
	run_for(s, 10);
	assert_true(str_eq(buf_str(&s->got), STR("abcde")));
	finish(s);
}

static void test_unread(void **state)
{
	struct side *s = begin();

	assert_int_equal(write(s->peer, "world", 5), 5);
	conn_unread(s->conn, STR("lo "));
	conn_unread(s->conn, STR("hel"));
	assert_int_equal(s->inputs, 0); /* later, not now */
	run_for(s, 10);
	assert_true(str_eq(buf_str(&s->got), STR("hello world")));
	finish(s);
}

static void test_water_marks(void **state)
{
	struct side *s = begin();
	static char big[400000];
	struct conn_opts patient = opts;
	size_t got = 0;
	int fd = dup(conn_fd(s->conn));

	patient.stuck_ms = 0;
	conn_free(&s->conn);
	s->conn = conn_new(s->loop, fd, fd, &patient, &ops, s);
	buf_put(conn_out(s->conn), big, 40000);
	assert_false(conn_full(s->conn));
	buf_put(conn_out(s->conn), big, sizeof big);
	assert_true(conn_full(s->conn));
	run_for(s, 10);
	assert_true(conn_full(s->conn) && s->drained == 0); /* the kernel took a part */
	while (got < 440000) {
		got += drain_peer(s);
		run_for(s, 5);
	}
	assert_int_equal(got, 440000);
	assert_int_equal(conn_queued(s->conn), 0);
	assert_int_equal(s->drained, 1);
	buf_put(conn_out(s->conn), big, 60000); /* full, but flushed at once: drained is owed as well */
	conn_flush(s->conn);
	assert_int_equal(s->drained, 1);
	run_for(s, 10);
	assert_int_equal(s->drained, 2);
	assert_int_equal(conn_bytes_out(s->conn), 500000);
	finish(s);
}

static void test_stuck(void **state)
{
	struct side *s = begin();
	static char big[1000000];
	struct conn_opts slow = opts; /* wide enough for a busy machine */
	int fd = dup(conn_fd(s->conn));

	slow.stuck_ms = 400;
	conn_free(&s->conn);
	s->conn = conn_new(s->loop, fd, fd, &slow, &ops, s);
	s->free_in_end = true;
	buf_put(conn_out(s->conn), big, sizeof big);
	run_for(s, 250);
	drain_peer(s); /* progress: the time starts again */
	run_for(s, 250);
	assert_int_equal(s->ends, 0);
	run_for(s, 600);
	assert_int_equal(s->ends, 1);
	assert_int_equal(s->end, CONN_STUCK);
	assert_null(s->conn);
	finish(s);
}

static void test_ends(void **state)
{
	struct side *s = begin();

	assert_int_equal(write(s->peer, "last", 4), 4);
	shutdown(s->peer, SHUT_WR);
	run_for(s, 10);
	assert_int_equal(s->got.n, 4); /* data first */
	assert_int_equal(s->ends, 1);
	assert_int_equal(s->end, CONN_EOF);
	/* The peer still reads: what is queued goes out, then conn_finish reports. */
	buf_puts(conn_out(s->conn), "bye");
	conn_finish(s->conn, 1000);
	run_for(s, 20);
	assert_int_equal(s->ends, 2);
	assert_int_equal(drain_peer(s), 3);
	run_for(s, 20);
	assert_int_equal(s->ends, 2); /* once */
	finish(s);

	s = begin();
	close(s->peer);
	s->peer = dup(0);
	buf_puts(conn_out(s->conn), "x");
	conn_flush(s->conn);
	assert_int_equal(s->ends, 0); /* never from within a call */
	run_for(s, 10);
	assert_int_equal(s->ends, 1);
	assert_int_equal(s->end, CONN_ERROR);
	assert_string_equal(conn_error_text(s->conn), "Broken pipe");
	finish(s);
}

static void test_linger_ends(void **state)
{
	struct side *s = begin();
	static char big[1000000];

	buf_put(conn_out(s->conn), big, sizeof big);
	conn_finish(s->conn, 30);
	assert_int_equal(write(s->peer, "ignored", 7), 7);
	run_for(s, 10);
	assert_int_equal(s->ends, 0);
	run_for(s, 60);
	assert_int_equal(s->ends, 1);
	assert_int_equal(s->inputs, 0);
	run_for(s, 60);
	assert_int_equal(s->ends, 1);
	finish(s);
}

static void test_free_in_callbacks(void **state)
{
	struct side *s = begin();

	s->free_in_input = s->echo = true;
	assert_int_equal(write(s->peer, "abc", 3), 3);
	shutdown(s->peer, SHUT_WR);
	run_for(s, 10);
	assert_null(s->conn);
	assert_int_equal(s->ends, 0);
	finish(s);
}

static void test_detach(void **state)
{
	struct side *s = begin();
	struct buf unread = BUF_INIT;
	int fd;

	s->eat = 2;
	assert_int_equal(write(s->peer, "abcd", 4), 4);
	run_for(s, 10);
	fd = conn_detach(&s->conn, &unread);
	assert_null(s->conn);
	assert_true(fd >= 0 && str_eq(buf_str(&unread), STR("cd")));
	assert_int_equal(write(s->peer, "e", 1), 1);
	run_for(s, 10); /* nobody listens to it here any more */
	assert_int_equal(s->inputs, 1);
	close(fd);
	buf_deinit(&unread);
	finish(s);
}

static void test_two_descriptors(void **state)
{
	struct side *s = begin();
	int in[2], out[2];
	char back[8] = "";

	conn_free(&s->conn);
	assert_int_equal(pipe(in) | pipe(out), 0);
	s->echo = true;
	s->conn = conn_new(s->loop, in[0], out[1], &opts, &ops, s);
	assert_int_equal(write(in[1], "ping", 4), 4);
	run_for(s, 10);
	assert_int_equal(read(out[0], back, 8), 4);
	static char big[300000];
	buf_put(conn_out(s->conn), big, sizeof big);
	fcntl(out[0], F_SETFL, O_NONBLOCK);
	size_t got = 0;
	for (int i = 0; i < 100 && got < sizeof big; i++) {
		static char sink[65536];
		ssize_t n = read(out[0], sink, sizeof sink);

		got += n > 0 ? (size_t)n : 0;
		run_for(s, 1);
	}
	assert_int_equal(got, sizeof big);
	close(in[1]);
	run_for(s, 10);
	assert_int_equal(s->end, CONN_EOF);
	assert_int_equal(s->ends, 1);
	finish(s);
	close(out[0]);
}

/* A layer that turns case around, delivers 3 bytes at a time from a store of its own, and takes 2
 * bytes per write with an EAGAIN in between. */
struct odd_layer {
	struct conn_layer l;
	char store[64];
	size_t n;
	bool refuse;
	unsigned *freed;
};

static ssize_t odd_read(struct conn_layer *l, void *p, size_t n)
{
	struct odd_layer *o = container_of(l, struct odd_layer, l);

	if (o->n == 0) {
		ssize_t got = l->below->read(l->below, o->store, sizeof o->store);

		if (got <= 0)
			return got;
		o->n = (size_t)got;
	}
	if (n > 3)
		n = 3;
	if (n > o->n)
		n = o->n;
	for (size_t i = 0; i < n; i++)
		((char *)p)[i] = (char)(o->store[i] ^ 0x20);
	o->n -= n;
	memmove(o->store, o->store + n, o->n);
	return (ssize_t)n;
}

static ssize_t odd_write(struct conn_layer *l, const void *p, size_t n)
{
	struct odd_layer *o = container_of(l, struct odd_layer, l);

	o->refuse = !o->refuse;
	if (o->refuse) {
		errno = EAGAIN;
		return -1;
	}
	return l->below->write(l->below, p, n > 2 ? 2 : n);
}

static bool odd_pending(struct conn_layer *l)
{
	return container_of(l, struct odd_layer, l)->n > 0;
}

static void odd_shutdown(struct conn_layer *l)
{
	assert_int_equal(l->below->write(l->below, "!", 1), 1);
}

static void odd_free(struct conn_layer *l)
{
	++*container_of(l, struct odd_layer, l)->freed;
}

static void test_layers(void **state)
{
	struct side *s = begin();
	unsigned freed = 0;
	struct odd_layer o = {.l = {.read = odd_read, .write = odd_write, .pending = odd_pending,
				    .shutdown = odd_shutdown, .free = odd_free}, .freed = &freed};
	char back[32] = "";

	conn_push_layer(s->conn, &o.l);
	s->echo = true;
	assert_int_equal(write(s->peer, "abcdefgh", 8), 8);
	run_for(s, 20);
	assert_true(str_eq(buf_str(&s->got), STR("ABCDEFGH")));
	conn_finish(s->conn, 1000);
	run_for(s, 20);
	assert_int_equal(read(s->peer, back, sizeof back), 9);
	assert_string_equal(back, "ABCDEFGH!");
	assert_int_equal(s->ends, 1);
	finish(s);
	assert_int_equal(freed, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_input_and_echo),  cmocka_unit_test(test_input_limit),
		cmocka_unit_test(test_pause),           cmocka_unit_test(test_unread),
		cmocka_unit_test(test_water_marks),     cmocka_unit_test(test_stuck),
		cmocka_unit_test(test_ends),            cmocka_unit_test(test_linger_ends),
		cmocka_unit_test(test_free_in_callbacks), cmocka_unit_test(test_detach),
		cmocka_unit_test(test_two_descriptors), cmocka_unit_test(test_layers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
