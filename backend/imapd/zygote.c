/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/imapd/zygote.h"
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include "backend/imapd/assign.h"
#include "common/base/log.h"
#include "common/io/link.h"
#include "common/ipc/spawn.h"
#include "common/mail/charset.h"
#include "common/sys/priv.h"

#define FORKS_MAX 1024 /* in one message */

struct zygote {
	const struct settings *set;
	int signal_fd;
	int gconv_fd;
	sigset_t inherited;
};

static void tell_exit(pid_t pid, int status)
{
	struct buf b = BUF_INIT;

	wire_u32(&b, (uint32_t)pid);
	wire_i64(&b, status);
	if (link_send_blocking(SPAWN_FD, SPAWN_EXITED, buf_str(&b), NULL, 0) < 0)
		_exit(0); /* the master has gone */
	buf_deinit(&b);
}

static void reap(const struct zygote *z)
{
	struct signalfd_siginfo si;
	pid_t pid;
	int status;

	while (read(z->signal_fd, &si, sizeof si) > 0)
		continue;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		tell_exit(pid, status);
}

/* The child keeps nothing of the zygote's but 0, 1, 2 and its own link. */
static _Noreturn void child(const struct zygote *z, int session_fd)
{
	close(SPAWN_FD);
	close(z->signal_fd);
	sigprocmask(SIG_SETMASK, &z->inherited, NULL);
	assign_wait(session_fd, z->gconv_fd, z->set);
}

static int fork_one(const struct zygote *z)
{
	struct buf b = BUF_INIT;
	int pair[2], rc;
	pid_t pid;

	if (link_pair(pair) < 0) {
		LOG(L_ERROR, "socketpair", L_C("error", strerror(errno)));
		return -1;
	}
	pid = fork();
	if (pid == 0) {
		close(pair[0]);
		child(z, pair[1]);
	}
	close(pair[1]);
	if (pid < 0) {
		LOG(L_ERROR, "fork", L_C("error", strerror(errno)));
		close(pair[0]);
		return -1;
	}
	wire_u32(&b, (uint32_t)pid);
	rc = link_send_blocking(SPAWN_FD, SPAWN_FORKED, buf_str(&b), &pair[0], 1);
	buf_deinit(&b);
	close(pair[0]);
	return rc;
}

/* A fork that fails ends the zygote: the master starts another with back-off, and asks again. */
static void serve(const struct zygote *z)
{
	struct buf store = BUF_INIT;
	struct link_msg m;
	struct wire w;
	uint32_t count;

	if (link_recv_blocking(SPAWN_FD, &store, &m, 0) != 1)
		exit(0);
	w = wire_reader(m.body);
	count = wire_get_u32(&w);
	if (m.type != SPAWN_FORK || m.nfds != 0 || !wire_end(&w) || count > FORKS_MAX)
		exit(1);
	/* Before the forks: no child carries it. */
	buf_deinit(&store);
	for (uint32_t i = 0; i < count; i++)
		if (fork_one(z) < 0)
			exit(1);
}

void zygote_run(const struct settings *set)
{
	struct zygote z = {.set = set, .gconv_fd = assign_open_gconv()};
	struct pollfd fds[2];
	sigset_t chld;
	struct err e;

	if (priv_harden(&e) < 0)
		LOG(L_WARN, "privileges", L_C("error", e.text));
	/* One arena, and free pages go back when work is over (on_tidy, jobs.c): an idle imapd is counted in
	 * kilobytes. But not between two answers: to get and clear them anew cost a fifth of a long FETCH. */
	mallopt(M_ARENA_MAX, 1);
	mallopt(M_TRIM_THRESHOLD, 4 << 20);
	mallopt(M_MMAP_THRESHOLD, 2 << 20);
	mallopt(M_TOP_PAD, 4096);
	tzset();
	(void)charset_preload();
	/* Signals to the whole group are the master's to act on; this ends with its link. */
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &chld, &z.inherited);
	z.signal_fd = signalfd(-1, &chld, SFD_CLOEXEC | SFD_NONBLOCK);
	fds[0] = (struct pollfd){.fd = SPAWN_FD, .events = POLLIN};
	fds[1] = (struct pollfd){.fd = z.signal_fd, .events = POLLIN};
	malloc_trim(0);
	for (;;) {
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			exit(1);
		if (fds[1].revents)
			reap(&z);
		if (fds[0].revents)
			serve(&z);
	}
}
