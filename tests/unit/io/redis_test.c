/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <signal.h>
#include <sys/wait.h>

#include "common/base/ensure.h"
#include "common/io/loop.h"
#include "common/io/redis.h"

/* ---- a server, in another process: what it answers depends on the command ------------------------------- */

static void put(int fd, const char *text)
{
	if (write(fd, text, strlen(text)) < 0)
		_exit(0);
}

static void serve(int fd)
{
	FILE *in = fdopen(fd, "r");
	char line[512], word[8][256];
	int words;

	while (fgets(line, sizeof line, in) && (words = (int)strtol(line + 1, NULL, 10)) > 0 &&
	       words <= 8) {
		for (int i = 0; i < words; i++) {
			size_t n = fgets(line, sizeof line, in) ? strtoul(line + 1, NULL, 10) : 999;

			if (n > 200 || fread(word[i], 1, n + 2, in) != n + 2)
				_exit(0);
			word[i][n] = '\0';
		}
		if (strcmp(word[0], "PING") == 0)
			put(fd, "+PONG\r\n");
		else if (strcmp(word[0], "ECHO") == 0)
			dprintf(fd, "$%zu\r\n%s\r\n", strlen(word[1]), word[1]);
		else if (strcmp(word[0], "BAD") == 0)
			put(fd, "-ERR bad\r\n");
		else if (strcmp(word[0], "DIE") == 0)
			_exit(0);
		else if (strcmp(word[0], "SUBSCRIBE") == 0)
			put(fd,
			    "*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$5\r\nhello\r\n"
			    "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$0\r\n\r\n");
	}
	_exit(0);
}

struct world {
	struct loop *loop;
	struct redis *redis;
	pid_t server;
	uint16_t port;
	struct buf seen; /* what the callbacks were told */
	unsigned expected, got;
	struct redis_sub *sub;
};

static int listener(uint16_t *port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof a;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a) | listen(fd, 16), 0);
	getsockname(fd, (struct sockaddr *)&a, &len);
	*port = ntohs(a.sin_port);
	return fd;
}

static int set_up(void **state)
{
	struct world *w = xcalloc(1, sizeof *w);
	int fd = listener(&w->port);

	w->server = fork();
	if (w->server == 0) {
		signal(SIGCHLD, SIG_IGN);
		for (;;) {
			int client = accept(fd, NULL, NULL);

			if (fork() == 0)
				serve(client);
			close(client);
		}
	}
	close(fd);
	w->loop = loop_new();
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	redis_free(&w->redis);
	loop_free(&w->loop);
	kill(w->server, SIGKILL);
	waitpid(w->server, NULL, 0);
	buf_deinit(&w->seen);
	free(w);
	return 0;
}

static void connect_redis(struct world *w, uint64_t command_ms, size_t queue_max)
{
	char url[64];
	struct err e;
	struct redis_opts o = {.queue_max = queue_max,
			       .answer_max = 65536,
			       .connect_ms = 5000,
			       .command_ms = command_ms};

	snprintf(url, sizeof url, "redis://127.0.0.1:%u", w->port);
	o.url = str_c(url);
	w->redis = redis_new(w->loop, &o, &e);
	assert_non_null(w->redis);
}

static void done(void *ctx, const struct redis_value *v, const char *why)
{
	struct world *w = ctx;

	if (v)
		buf_printf(&w->seen, "%s%.*s|", v->kind == REDIS_FAULT ? "!" : "",
			   STR_ARG(v->text));
	else
		buf_printf(&w->seen, "none|");
	assert_true(v ? !why[0] : why[0] != '\0');
	if (++w->got == w->expected)
		loop_stop(w->loop);
}

static struct redis_call *start(struct world *w, const char *command, const char *arg, bool read)
{
	struct err e;

	return redis_start(w->redis, (struct str[]){str_c(command), str_c(arg)}, 2, read, done, w,
			   &e);
}

static void run(struct world *w, unsigned expected)
{
	w->expected = expected;
	loop_run(w->loop);
}

/* ---- tests ---------------------------------------------------------------------------------------------- */

static void answers_in_order(void **state)
{
	struct world *w = *state;

	connect_redis(w, 10000, 100);
	start(w, "ECHO", "one", true);
	start(w, "BAD", "", false);
	start(w, "ECHO", "three", false);
	run(w, 3);
	assert_string_equal(buf_cstr(&w->seen), "one|!ERR bad|three|");
}

static void cancelled(void **state)
{
	struct world *w = *state;
	struct redis_call *waiting, *sent;

	connect_redis(w, 10000, 100);
	start(w, "ECHO", "one", true);
	waiting = start(w, "ECHO", "two", true);
	redis_cancel(&waiting);
	assert_null(waiting);
	start(w, "ECHO", "three", true);
	run(w, 2);
	sent = start(w, "ECHO", "four", true); /* at once, since the connection is there */
	redis_cancel(&sent);
	start(w, "ECHO", "five", true);
	run(w, 3);
	assert_string_equal(buf_cstr(&w->seen), "one|three|five|");
}

static void broken_connections(void **state)
{
	struct world *w = *state;

	connect_redis(w, 10000, 100);
	start(w, "DIE", "", false); /* nobody knows whether it was done: not again */
	run(w, 1);
	start(w, "DIE", "", true);   /* sent twice, and given up */
	start(w, "ECHO", "x", true); /* behind it both times: given up with it */
	start(w, "ECHO", "y", false);
	run(w, 4);
	start(w, "ECHO", "back", false);
	run(w, 5);
	assert_string_equal(buf_cstr(&w->seen), "none|none|none|none|back|");
}

static void nothing_answered(void **state)
{
	struct world *w = *state;

	connect_redis(w, 200, 100);
	start(w, "ECHO", "x", true);
	run(w, 1);
	start(w, "SILENT", "", true);
	run(w, 2);
	start(w, "ECHO", "back", true);
	run(w, 3);
	assert_string_equal(buf_cstr(&w->seen), "x|none|back|");
}

static void nobody_there(void **state)
{
	struct world *w = *state;

	kill(w->server, SIGKILL);
	waitpid(w->server, NULL, 0);
	connect_redis(w, 200, 100);
	assert_non_null(start(w, "ECHO", "x", true));
	run(w, 1);
	assert_null(start(w, "ECHO", "x", true)); /* known to be away: refused at once */
	assert_string_equal(buf_cstr(&w->seen), "none|");
}

static void queue_limit(void **state)
{
	struct world *w = *state;
	struct redis_call *one;

	connect_redis(w, 10000, 2);
	one = start(w, "ECHO", "x", true);
	assert_non_null(one);
	assert_non_null(start(w, "ECHO", "y", true));
	assert_null(start(w, "ECHO", "z", true));
	redis_cancel(&one);
	assert_non_null(start(w, "ECHO", "z", true));
	run(w, 2);
	assert_string_equal(buf_cstr(&w->seen), "y|z|");
}

static void freed_under_way(void **state)
{
	struct world *w = *state;

	connect_redis(w, 10000, 100);
	start(w, "ECHO", "x", true);
	run(w, 1);
	start(w, "SILENT", "", true);
	start(w, "SILENT", "", false);
	redis_free(&w->redis);
	connect_redis(w, 10000, 100);
	start(w, "ECHO", "waits", true);
}

static void on_message(void *ctx, struct str message)
{
	struct world *w = ctx;

	buf_printf(&w->seen, message.p ? "<%.*s>" : "gap", STR_ARG(message));
	if (++w->got == 3) {
		redis_unsubscribe(&w->sub);
		loop_stop(w->loop);
	}
}

static void subscribed(void **state)
{
	struct world *w = *state;

	connect_redis(w, 10000, 100);
	w->sub = redis_subscribe(w->redis, STR("c"), on_message, w);
	run(w, 0);
	assert_string_equal(buf_cstr(&w->seen), "gap<hello><>");
	w->sub = redis_subscribe(w->redis, STR("c"), on_message, w); /* and freed with its client */
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(answers_in_order), TEST(cancelled),    TEST(broken_connections),
		TEST(nothing_answered), TEST(nobody_there), TEST(queue_limit),
		TEST(freed_under_way),	TEST(subscribed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
