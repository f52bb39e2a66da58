/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <pthread.h>
#include <sys/socket.h>

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/ensure.h"
#include "common/io/http.h"
#include "common/io/loop.h"

/* ---- a server on a thread of its own, which answers by path ------------------------------------- */

#define HEAD "HTTP/1.1 200 OK\r\n"
static const struct {
	const char *path, *answer; /* the connection stays open behind answers with a length */
} answers[] = {
	{"/ok", HEAD "Content-Length: 2\r\nX-One: 1\r\nx-two:\t2 \r\nX-Empty:\r\n\r\nhi"},
	{"/cut-body", HEAD "Content-Length: 10\r\n\r\nhi"},
	{"/cut-head", HEAD "Auth-Status: OK\r\nX-"},
	{"/cut-line", HEAD "Auth-Status: OK\r\n"},
	{"/redirect", "HTTP/1.1 302 Found\r\nLocation: /ok\r\nContent-Length: 0\r\n\r\n"},
	{"/old", "hello there\r\n\r\n"},
	{"/length", HEAD "Content-Length: -5\r\n\r\nhi"},
	{"/chunks", HEAD "Transfer-Encoding: chunked\r\n\r\nzz\r\nhi\r\n0\r\n\r\n"},
	{"/trailer", HEAD "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-Late: 1\r\n\r\n"},
	{"/continue",
	 "HTTP/1.1 100 Continue\r\nX-Early: 1\r\n\r\n" HEAD "Content-Length: 2\r\n\r\nhi"},
	{"/until-end", HEAD "\r\nhi"},
	{"/nothing", ""},
};

struct server {
	int fd;
	uint16_t port;
	pthread_t thread;
	struct buf seen;      /* the last request */
	_Atomic int accepted; /* connections */
};

static void send_all(int fd, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t r = send(fd, p, n, MSG_NOSIGNAL);

		if (r <= 0)
			return;
		p += r;
		n -= (size_t)r;
	}
}

static bool send_endless(int fd, struct str path)
{
	char block[1000];

	if (!str_starts(path, STR("/endless")))
		return false;
	memset(block, 'x', sizeof block);
	memcpy(block, "X-Y: ", 5);
	memcpy(block + sizeof block - 2, "\r\n", 2);
	send_all(fd, HEAD, strlen(HEAD));
	if (str_eq(path, STR("/endless-body")))
		send_all(fd, "\r\n", 2);
	for (int i = 0; i < 1000; i++)
		send_all(fd, block, sizeof block);
	return true;
}

/* Whether the connection may be used again. */
static bool answer(int fd, struct str request)
{
	struct str rest = request, path;

	str_split(&rest, ' ');
	path = str_split(&rest, ' ');
	if (str_eq(path, STR("/slow"))) {
		char c;

		return recv(fd, &c, 1, 0) > 0; /* until the client gives up */
	}
	for (size_t i = 0; i < ARRAY_LEN(answers); i++)
		if (str_eq(path, str_c(answers[i].path))) {
			send_all(fd, answers[i].answer, strlen(answers[i].answer));
			return str_eq(path, STR("/ok"));
		}
	send_endless(fd, path);
	return false;
}

static size_t length_of(struct str head)
{
	const char *at = memmem(head.p, head.n, "Content-Length: ", 16);

	return at ? strtoul(at + 16, NULL, 10) : 0;
}

static bool serve_one(struct server *s, int fd)
{
	struct buf b = BUF_INIT;
	bool more = false;
	size_t whole = SIZE_MAX;

	while (b.n < whole) {
		ssize_t n = recv(fd, buf_reserve(&b, 65536), 65536, 0);
		char *end;

		if (n <= 0)
			break;
		buf_added(&b, (size_t)n);
		end = memmem(b.p, b.n, "\r\n\r\n", 4);
		if (end)
			whole = (size_t)(end - b.p) + 4 + length_of(buf_str(&b));
	}
	if (b.n && b.n >= whole) {
		buf_reset(&s->seen);
		buf_str_put(&s->seen, buf_str(&b));
		more = answer(fd, buf_str(&b));
	}
	buf_deinit(&b);
	return more;
}

static void *serve(void *ctx)
{
	struct server *s = ctx;
	int fd;

	while ((fd = accept(s->fd, NULL, NULL)) >= 0) {
		s->accepted++;
		while (serve_one(s, fd))
			;
		shutdown(fd, SHUT_WR);
		close(fd);
	}
	return NULL;
}

static void server_start(struct server *s)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof a;

	memset(s, 0, sizeof *s);
	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(s->fd, (struct sockaddr *)&a, sizeof a), 0);
	assert_int_equal(listen(s->fd, 16), 0);
	assert_int_equal(getsockname(s->fd, (struct sockaddr *)&a, &n), 0);
	s->port = ntohs(a.sin_port);
	assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
}

static void server_stop(struct server *s)
{
	shutdown(s->fd, SHUT_RDWR);
	pthread_join(s->thread, NULL);
	close(s->fd);
	buf_deinit(&s->seen);
}

/* ---- what each test has ------------------------------------------------------------------------- */

struct seen { /* of one call */
	struct setup *t;
	bool done, whole;
	unsigned status;
	int code;
	char text[240], one[40], body[400];
};
struct setup {
	struct server server;
	struct loop *loop;
	struct http_client *client;
	char url[128];
	struct seen last;
};

static void copy(char *to, size_t size, struct str s)
{
	snprintf(to, size, "%.*s", STR_ARG(s));
}

static void done(void *ctx, const struct http_answer *a)
{
	struct seen *s = ctx;

	assert_false(s->done);
	s->done = true;
	s->whole = a->whole;
	s->status = a->status;
	s->code = a->err.code;
	copy(s->text, sizeof s->text, a->whole ? STR("") : str_c(a->err.text));
	copy(s->one, sizeof s->one, http_header(a, "x-ONE"));
	copy(s->body, sizeof s->body, a->body);
	loop_stop(s->t->loop);
}

static int setup(void **state)
{
	struct setup *t = xcalloc(1, sizeof *t);
	struct http_opts o = {
		.max_calls = 4, .max_connections = 4, .connect_ms = 5000, .answer_max = 20000};
	struct err e;

	setenv("http_proxy", "http://127.0.0.1:1/", 1);
	setenv("ALL_PROXY", "http://127.0.0.1:1/", 1);
	t->loop = loop_new(); /* before any thread that opens descriptors: see loop.c */
	server_start(&t->server);
	t->client = http_client_new(t->loop, &o, &e);
	assert_non_null(t->client);
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	struct setup *t = *state;

	http_client_free(&t->client);
	server_stop(&t->server);
	loop_free(&t->loop);
	free(t);
	return 0;
}

static const char *url(struct setup *t, const char *path)
{
	snprintf(t->url, sizeof t->url, "http://127.0.0.1:%u%s", t->server.port, path);
	return t->url;
}

static struct seen *ask(struct setup *t, const struct http_request *r)
{
	struct err e = {.text = ""};

	t->last = (struct seen){.t = t};
	if (!http_start(t->client, r, done, &t->last, &e))
		fail_msg("%s", e.text);
	assert_false(t->last.done);
	loop_run(t->loop);
	assert_true(t->last.done);
	return &t->last;
}

static struct seen *get(struct setup *t, const char *path, uint64_t timeout_ms)
{
	struct http_request r = {.method = "GET", .url = url(t, path), .timeout_ms = timeout_ms};

	return ask(t, &r);
}

static void saw(struct setup *t, const char *request)
{
	assert_string_equal(buf_cstr(&t->server.seen), request);
}

/* ---- tests -------------------------------------------------------------------------------------- */

static void test_request_bytes(void **state)
{
	struct setup *t = *state;
	const struct str headers[] = {STR("Host: a.example"), STR("Auth-User: x%20y"),
				      STR("Auth-Pass: "), STR("Auth-Wide: \xff\x80"), STR("Last:")};
	struct http_request r = {.method = "GET",
				 .url = url(t, "/ok"),
				 .http10 = true,
				 .headers = headers,
				 .nheaders = 5,
				 .timeout_ms = 5000};

	assert_true(ask(t, &r)->whole);
	saw(t, "GET /ok HTTP/1.0\r\nHost: a.example\r\nAuth-User: x%20y\r\nAuth-Pass: \r\n"
	       "Auth-Wide: \xff\x80\r\nLast:\r\n\r\n");
	assert_int_equal(t->last.status, 200);
	assert_string_equal(t->last.one, "1");
	assert_string_equal(t->last.body, "hi");
}

static void test_post(void **state)
{
	struct setup *t = *state;
	const struct str headers[] = {STR("Content-Type: application/json"),
				      STR("Accept: application/json")};
	struct http_request r = {.method = "POST",
				 .url = url(t, "/ok"),
				 .headers = headers,
				 .nheaders = 2,
				 .body = STR("{\"a\0b\"}\r\n\r\n"),
				 .timeout_ms = 5000};
	char expected[300];
	int n;

	assert_true(ask(t, &r)->whole);
	n = snprintf(expected, sizeof expected,
		     "POST /ok HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nContent-Type: application/json\r\n"
		     "Accept: application/json\r\nContent-Length: 11\r\n\r\n",
		     t->server.port);
	memcpy(expected + n, "{\"a\0b\"}\r\n\r\n", 11);
	assert_int_equal(t->server.seen.n, n + 11);
	assert_memory_equal(t->server.seen.p, expected, n + 11);
}

static void test_connection_is_used_again(void **state)
{
	struct setup *t = *state;

	for (int i = 0; i < 20; i++)
		assert_true(get(t, "/ok", 5000)->whole);
	assert_int_equal(t->server.accepted, 1);
}

static void test_bad_answers(void **state)
{
	struct setup *t = *state;

	assert_false(get(t, "/cut-body", 5000)->whole);
	assert_false(get(t, "/cut-head", 5000)->whole);
	assert_false(get(t, "/cut-line", 5000)->whole);
	assert_false(get(t, "/old", 5000)->whole);
	assert_false(get(t, "/length", 5000)->whole);
	assert_false(get(t, "/chunks", 5000)->whole);
	assert_false(get(t, "/nothing", 5000)->whole);
	assert_int_equal(t->last.code, EIO);
	assert_true(t->last.text[0] != '\0');
}

static void test_odd_answers(void **state)
{
	struct setup *t = *state;

	assert_true(get(t, "/redirect", 5000)->whole);
	assert_int_equal(t->last.status, 302);
	assert_true(get(t, "/until-end", 5000)->whole);
	assert_string_equal(t->last.body, "hi");
	assert_true(get(t, "/continue", 5000)->whole);
	assert_int_equal(t->last.status, 200);
	assert_true(get(t, "/trailer", 5000)->whole);
	assert_string_equal(t->last.body, "hi");
}

static void test_sizes_are_bounded(void **state)
{
	struct setup *t = *state;

	assert_false(get(t, "/endless-body", 5000)->whole);
	assert_int_equal(t->last.code, EMSGSIZE);
	assert_false(get(t, "/endless-head", 5000)->whole);
	assert_int_equal(t->last.code, EMSGSIZE);
}

static void test_time_is_bounded(void **state)
{
	struct setup *t = *state;

	assert_false(get(t, "/slow", 100)->whole);
	assert_int_equal(t->last.code, ETIMEDOUT);
	assert_true(get(t, "/ok", 5000)->whole);
}

static void test_refused_connection(void **state)
{
	struct setup *t = *state;
	struct http_request r = {.method = "GET", .url = "http://127.0.0.1:1/", .timeout_ms = 5000};

	assert_false(ask(t, &r)->whole);
	assert_int_equal(t->last.code, ECONNREFUSED);
}

static void refused(struct setup *t, const char *u, struct str header)
{
	struct http_request r = {
		.method = "GET", .url = u, .headers = &header, .nheaders = 1, .timeout_ms = 100};
	struct err e = {.text = ""};

	assert_null(http_start(t->client, &r, done, &t->last, &e));
	assert_true(e.text[0] != '\0');
}

static void test_what_is_refused(void **state)
{
	struct setup *t = *state;

	refused(t, url(t, "/ok"), STR("A: b\r\nC: d"));
	refused(t, url(t, "/ok"), STR("A: b\nC: d"));
	refused(t, url(t, "/ok"), STR("A: b\rC: d"));
	refused(t, url(t, "/ok"), STR("A: b\0c"));
	refused(t, url(t, "/ok"), STR("no colon"));
	refused(t, url(t, "/ok"), STR(": no name"));
	refused(t, "file:///etc/passwd", STR("A: b"));
	refused(t, "gopher://127.0.0.1/", STR("A: b"));
	refused(t, "127.0.0.1/x", STR("A: b"));
	refused(t, "http://user:password@127.0.0.1/", STR("A: b"));
	refused(t, "", STR("A: b"));
	assert_int_equal(t->server.accepted, 0);
}

static void never(void *ctx, const struct http_answer *a)
{
	fail_msg("a cancelled call was completed");
}

static void test_cancel_and_bound(void **state)
{
	struct setup *t = *state;
	struct http_request r = {.method = "GET", .url = url(t, "/slow"), .timeout_ms = 60000};
	struct http_call *calls[4];
	struct err e = {.text = ""};

	for (int i = 0; i < 4; i++)
		assert_non_null(calls[i] = http_start(t->client, &r, never, NULL, &e));
	assert_null(http_start(t->client, &r, never, NULL, &e));
	assert_int_equal(e.code, EAGAIN);
	for (int i = 0; i < 4; i++)
		http_cancel(&calls[i]);
	assert_null(calls[3]);
	assert_true(get(t, "/ok", 5000)->whole);
	assert_non_null(http_start(t->client, &r, never, NULL, &e)); /* left to http_client_free */
}

static void done_frees_client(void *ctx, const struct http_answer *a)
{
	struct seen *s = ctx;

	assert_true(a->whole);
	http_client_free(&s->t->client);
	assert_true(str_eq(a->body, STR("hi"))); /* still there */
	s->done = true;
	loop_stop(s->t->loop);
}

static void test_completion_frees_client(void **state)
{
	struct setup *t = *state;
	struct http_request r = {.method = "GET", .url = url(t, "/ok"), .timeout_ms = 5000};
	struct err e;

	t->last = (struct seen){.t = t};
	assert_non_null(http_start(t->client, &r, done_frees_client, &t->last, &e));
	assert_non_null(http_start(t->client, &r, never, NULL, &e));
	loop_run(t->loop);
	assert_true(t->last.done);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		TEST(test_request_bytes),
		TEST(test_post),
		TEST(test_connection_is_used_again),
		TEST(test_bad_answers),
		TEST(test_odd_answers),
		TEST(test_sizes_are_bounded),
		TEST(test_time_is_bounded),
		TEST(test_refused_connection),
		TEST(test_what_is_refused),
		TEST(test_cancel_and_bound),
		TEST(test_completion_frees_client),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
