/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "common/base/ensure.h"
#include "common/io/link.h"

struct side {
	struct loop *loop;
	struct link *link;
	unsigned msgs, fds, drained;
	uint16_t last_type;
	char last_body[64];
	bool keep_fd, refuse, free_in_msg;
	int kept;
	char closed[64];
};

static int on_msg(void *ctx, struct link_msg *m)
{
	struct side *s = ctx;

	s->msgs++;
	s->fds += m->nfds;
	s->last_type = m->type;
	snprintf(s->last_body, sizeof s->last_body, "%.*s", (int)(m->body.n < 60 ? m->body.n : 60), m->body.p);
	if (s->keep_fd && m->nfds) {
		s->kept = m->fds[0];
		m->fds[0] = -1;
	}
	if (s->free_in_msg)
		link_free(&s->link);
	return s->refuse ? -1 : 0;
}

static void on_close(void *ctx, const char *why)
{
	struct side *s = ctx;

	snprintf(s->closed, sizeof s->closed, "%s", why);
	link_free(&s->link);
}

static void on_drained(void *ctx)
{
	((struct side *)ctx)->drained++;
}

static const struct link_ops ops = {on_msg, on_close, on_drained};

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

static unsigned open_fds(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static struct side begin(int *other)
{
	struct side s = {.loop = loop_new(), .kept = -1};
	int pair[2];

	assert_int_equal(link_pair(pair), 0);
	*other = pair[1];
	s.link = (struct link *)(intptr_t)pair[0]; /* the caller makes the link: it needs &s */
	return s;
}

#define BEGIN(s, other)                                                                            \
	int other;                                                                                 \
	struct side s = begin(&other);                                                             \
	s.link = link_new(s.loop, (int)(intptr_t)s.link, 4, &ops, &s)
#define END(s)                                                                                     \
	link_free(&s.link);                                                                        \
	loop_free(&s.loop)

static void raw_send(int fd, const void *p, size_t n, unsigned nfds)
{
	char space[CMSG_SPACE(sizeof(int) * 16)] = {0};
	struct iovec iov = {(void *)p, n};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
	struct cmsghdr *c = (struct cmsghdr *)space;

	if (nfds) {
		m.msg_control = space;
		m.msg_controllen = CMSG_SPACE(sizeof(int) * nfds);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * nfds);
		memset(CMSG_DATA(c), 0, sizeof(int) * nfds); /* stdin, over and over */
	}
	assert_int_equal(sendmsg(fd, &m, 0), (ssize_t)n);
}

static void test_messages_and_fds(void **state)
{
	struct stat a, b;
	unsigned before;

	BEGIN(s, other);
	before = open_fds();
	assert_int_equal(link_send_blocking(other, 7, STR("hi"), NULL, 0), 0);
	assert_int_equal(link_send_blocking(other, 8, STR_NONE, (int[]){0, 1}, 2), 0);
	run_for(s.loop, 20);
	assert_int_equal(s.msgs, 2);
	assert_int_equal(s.last_type, 8);
	assert_int_equal(s.fds, 2);
	assert_int_equal(open_fds(), before); /* nobody took them */
	s.keep_fd = true;
	assert_int_equal(link_send_blocking(other, 9, STR("x"), (int[]){0}, 1), 0);
	run_for(s.loop, 20);
	assert_true(fstat(s.kept, &a) == 0 && fstat(0, &b) == 0 && a.st_ino == b.st_ino);
	assert_true(fcntl(s.kept, F_GETFD) & FD_CLOEXEC);
	close(s.kept);
	close(other);
	run_for(s.loop, 20);
	assert_string_equal(s.closed, "closed by the peer");
	assert_null(s.link);
	END(s);
}

/* Each bad packet ends the link, and leaves no descriptor behind. */
static void test_malformed(void **state)
{
	static char big[LINK_MSG_MAX + 1];
	static const struct {
		const char *bytes;
		size_t n;
		unsigned nfds;
	} bad[] = {
		{"x", 1, 0},                              /* no header */
		{"\1\0\2\0\0\0\0\0", 8, 0},               /* version 2 */
		{"\1\0\1\0\1\0\0\0", 8, 0},               /* body missing */
		{"\1\0\1\0\0\0\0\0x", 9, 0},              /* body too long */
		{"\1\0\1\0\xff\xff\xff\xff", 8, 1},
		{"\1\0\1\0\0\0\0\0", 8, 5},               /* too many descriptors */
		{"\1\0\1\0\0\0\0\0", 8, 16},
		{big, sizeof big, 2},
	};

	memcpy(big, "\1\0\1\0\xf9\xff\0\0", 8); /* a correct length, but above the limit */
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		BEGIN(s, other);
		unsigned before = open_fds();

		raw_send(other, bad[i].bytes, bad[i].n, bad[i].nfds);
		run_for(s.loop, 10);
		assert_string_equal(s.closed, "malformed packet");
		assert_int_equal(s.msgs, 0);
		assert_int_equal(open_fds(), before - 1);
		close(other);
		END(s);
	}
}

static void test_refused_message(void **state)
{
	BEGIN(s, other);
	s.refuse = true;
	link_send_blocking(other, 1, STR("a"), (int[]){0}, 1);
	link_send_blocking(other, 2, STR("b"), NULL, 0);
	run_for(s.loop, 20);
	assert_int_equal(s.msgs, 1);
	assert_string_equal(s.closed, "malformed message");
	close(other);
	END(s);
}

static void test_free_in_callback(void **state)
{
	BEGIN(s, other);
	s.free_in_msg = true;
	link_send_blocking(other, 1, STR("a"), (int[]){0}, 1);
	link_send_blocking(other, 2, STR("b"), NULL, 0);
	run_for(s.loop, 20);
	assert_int_equal(s.msgs, 1);
	assert_null(s.link);
	close(other);
	END(s);
}

static void test_queue_bound(void **state)
{
	static char body[32768];
	struct buf store = BUF_INIT;
	struct link_msg m;
	unsigned sent = 0, got = 0, before;

	BEGIN(s, other);
	before = open_fds();
	while (link_send(s.link, (uint16_t)sent, str_mem(body, sizeof body), (int[]){0}, 1) == 0)
		assert_true(++sent < 1000);
	assert_int_equal(errno, ENOBUFS);
	assert_int_equal(link_queued(s.link), 4);
	assert_int_equal(open_fds(), before + 4);
	assert_true(link_open(s.link));
	/* Everything accepted arrives in order, and then on_drained comes once. */
	for (; got < sent; got++) {
		while (link_recv_blocking(other, &store, &m, 0) != 1)
			run_for(s.loop, 5);
		assert_int_equal(m.type, got);
		assert_int_equal(m.body.n, sizeof body);
		assert_int_equal(m.nfds, 1);
		close(m.fds[0]);
	}
	run_for(s.loop, 10);
	assert_int_equal(s.drained, 1);
	assert_int_equal(open_fds(), before);
	assert_int_equal(link_send(s.link, 1, str_mem(body, LINK_MSG_MAX), NULL, 0), -1);
	assert_int_equal(errno, EMSGSIZE);
	close(other);
	assert_int_equal(link_send(s.link, 1, STR("x"), NULL, 0), -1);
	assert_false(link_open(s.link));
	run_for(s.loop, 10);
	assert_string_equal(s.closed, "closed by the peer");
	buf_deinit(&store);
	END(s);
}

static void test_blocking(void **state)
{
	struct buf store = BUF_INIT;
	struct link_msg m;
	int pair[2];

	link_pair(pair);
	assert_int_equal(link_recv_blocking(pair[0], &store, &m, 30), -1);
	assert_int_equal(errno, ETIMEDOUT);
	link_send_blocking(pair[1], 3, STR("body"), NULL, 0);
	assert_int_equal(link_recv_blocking(pair[0], &store, &m, 30), 1);
	assert_true(m.type == 3 && str_eq(m.body, STR("body")));
	close(pair[1]);
	assert_int_equal(link_recv_blocking(pair[0], &store, &m, 30), 0);
	close(pair[0]);
	buf_deinit(&store);
}

static void test_listen(void **state)
{
	char dir[] = "/tmp/link-test-XXXXXX", path[64], other[64];
	unsigned uid;
	int l, c, a, pid;
	struct stat st;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/s", dir);
	snprintf(other, sizeof other, "%s/file", dir);
	l = link_listen(path, 0600);
	assert_true(l >= 0 && stat(path, &st) == 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	c = link_connect(path);
	a = link_accept(l, &uid, &pid);
	assert_true(c >= 0 && a >= 0);
	assert_int_equal(uid, getuid());
	assert_int_equal(pid, getpid());
	assert_int_equal(link_listen(path, 0600), -1); /* somebody listens there */
	assert_int_equal(errno, EADDRINUSE);
	close(l);
	close(c);
	close(a);
	l = link_listen(path, 0666); /* a dead socket is replaced */
	assert_true(l >= 0 && stat(path, &st) == 0 && (st.st_mode & 0777) == 0666);
	close(l);
	close(open(other, O_CREAT | O_WRONLY, 0600));
	assert_int_equal(link_listen(other, 0600), -1); /* a file stays */
	assert_int_equal(errno, EEXIST);
	assert_int_equal(access(other, F_OK), 0);
	unlink(other);
	unlink(path);
	rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_messages_and_fds), cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_refused_message),  cmocka_unit_test(test_free_in_callback),
		cmocka_unit_test(test_queue_bound),      cmocka_unit_test(test_blocking),
		cmocka_unit_test(test_listen),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
