/* SPDX-License-Identifier: Apache-2.0 */
/*
 * daemon: starts the real notifyd (bin/notifyd beside the test program's unit/) on a RUNDIR of its
 * own, and speaks to it as an imapd does. For the tests of notifyd and of the store's watcher.
 */
#pragma once
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "common/base/clock.h"
#include "common/base/ensure.h"
#include "common/io/link.h"
#include "common/ipc/watch.h"

#define UNUSED __attribute__((unused))
#define ANSWER_MS 20000

struct daemon {
	char dir[64]; /* RUNDIR, and the Maildirs of the test */
	pid_t pid;
	unsigned max_watches; /* when not 0: in a user namespace with this limit, as uid */
	uid_t uid;
};

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		_exit(126);
	close(fd);
}

/* In the child: an inotify limit of its own. */
static void limit_watches(const struct daemon *d)
{
	char text[64];

	if (geteuid() == 0 && (setresgid(d->uid, d->uid, d->uid) || setresuid(d->uid, d->uid, d->uid)))
		_exit(126);
	prctl(PR_SET_DUMPABLE, 1); /* /proc/self is ours again */
	if (unshare(CLONE_NEWUSER) < 0)
		_exit(126);
	snprintf(text, sizeof text, "%u %u 1\n", d->uid, d->uid);
	write_file("/proc/self/uid_map", text);
	snprintf(text, sizeof text, "%u\n", d->max_watches);
	write_file("/proc/sys/user/max_inotify_watches", text);
}

UNUSED static bool daemon_can_limit(const struct daemon *d)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		limit_watches(d);
		_exit(0);
	}
	return waitpid(pid, &status, 0) == pid && status == 0;
}

/* A failed test must not leave its daemon behind. */
static pid_t daemons[16], tester;

static void kill_daemons(void)
{
	for (size_t i = 0; i < ARRAY_LEN(daemons) && getpid() == tester; i++)
		if (daemons[i])
			kill(daemons[i], SIGKILL);
}

static void note_daemon(pid_t before, pid_t after)
{
	if (!tester)
		atexit(kill_daemons);
	tester = getpid();
	for (size_t i = 0; i < ARRAY_LEN(daemons); i++) {
		if (daemons[i] == before) {
			daemons[i] = after;
			return;
		}
	}
}

UNUSED static void daemon_start(struct daemon *d, const char *const *set)
{
	char exe[512], bin[600], conf[128], rundir[128], sock[128];
	const char *argv[24] = {"notifyd", "-C", conf, "--set", rundir, "--set", "NOTIFY_USER=65534"};
	ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
	char *unit;

	assert_true(n > 0);
	exe[n] = '\0';
	unit = strstr(exe, "/unit/");
	assert_non_null(unit);
	snprintf(bin, sizeof bin, "%.*s/bin/notifyd", (int)(unit - exe), exe);
	if (!d->dir[0]) {
		snprintf(d->dir, sizeof d->dir, "/tmp/notifyd-test.XXXXXX");
		assert_non_null(mkdtemp(d->dir));
		chmod(d->dir, 0755);
	}
	snprintf(rundir, sizeof rundir, "RUNDIR=%s", d->dir);
	snprintf(conf, sizeof conf, "%s/posthouse.conf", d->dir); /* empty: this machine's is not used */
	close(open(conf, O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
	for (int i = 7; set && *set; set++) {
		argv[i++] = "--set";
		argv[i++] = *set;
	}
	if (d->max_watches && geteuid() == 0)
		assert_int_equal(chown(d->dir, d->uid, d->uid), 0);
	d->pid = fork();
	if (d->pid == 0) {
		if (d->max_watches)
			limit_watches(d);
		setenv("ASAN_OPTIONS", "detect_leaks=0", 1); /* it may not look at itself */
		if (!getenv("NOTIFYD_LOG")) {
			int null = open("/dev/null", O_WRONLY);

			dup2(null, 1);
			dup2(null, 2);
		}
		execv(bin, (char *const *)argv);
		_exit(127);
	}
	note_daemon(0, d->pid);
	snprintf(sock, sizeof sock, "%s/notifyd.sock", d->dir);
	for (uint64_t end = clock_ms() + ANSWER_MS;;) {
		int fd = link_connect(sock);

		if (fd >= 0) {
			close(fd);
			return;
		}
		if (clock_ms() > end || waitpid(d->pid, NULL, WNOHANG) != 0)
			fail_msg("notifyd did not start: %s", bin);
		usleep(1000);
	}
}

UNUSED static void daemon_freeze(const struct daemon *d)
{
	kill(d->pid, SIGSTOP);
	waitpid(d->pid, NULL, WUNTRACED); /* it has stopped */
}

UNUSED static int daemon_end(struct daemon *d, int signo) /* its wait status */
{
	int status = 0;

	kill(d->pid, signo);
	kill(d->pid, SIGCONT); /* a failed test may have left it frozen; after SIGKILL it means nothing */
	waitpid(d->pid, &status, 0);
	note_daemon(d->pid, 0);
	return status;
}

UNUSED static void remove_tree(const char *path)
{
	struct dirent *de;
	DIR *d = opendir(path);

	while (d && (de = readdir(d))) {
		char sub[700];

		if (strcmp(de->d_name, ".") == 0 || strcmp(de->d_name, "..") == 0)
			continue;
		snprintf(sub, sizeof sub, "%s/%s", path, de->d_name);
		if (unlink(sub) < 0)
			remove_tree(sub);
	}
	if (d)
		closedir(d);
	rmdir(path);
}

UNUSED static int daemon_connect(const struct daemon *d)
{
	char sock[128];
	int fd;

	snprintf(sock, sizeof sock, "%s/notifyd.sock", d->dir);
	for (int i = 0; i < 1000; i++) { /* EAGAIN: its backlog is full for a moment */
		fd = link_connect(sock);
		if (fd >= 0 || errno != EAGAIN)
			break;
		usleep(1000);
	}
	assert_true(fd >= 0);
	return fd;
}

UNUSED static void say_u32(int fd, enum watch_msg type, uint32_t v, const int *fds, unsigned n)
{
	struct buf b = BUF_INIT;

	wire_u32(&b, v);
	assert_int_equal(link_send_blocking(fd, type, buf_str(&b), fds, n), 0);
	buf_deinit(&b);
}

UNUSED static int say_hello(int fd, uint32_t uid, uint64_t ino)
{
	struct buf b = BUF_INIT;
	int rc;

	wire_u32(&b, uid);
	wire_u64(&b, 1);
	wire_u64(&b, ino);
	rc = link_send_blocking(fd, WATCH_HELLO, buf_str(&b), NULL, 0);
	buf_deinit(&b);
	return rc;
}

struct maildir { /* one folder */
	char path[128];
	int new_fd, cur_fd;
};

UNUSED static void maildir_make(struct maildir *m, const struct daemon *d, const char *name)
{
	char sub[160];

	snprintf(m->path, sizeof m->path, "%s/%s", d->dir, name);
	assert_int_equal(mkdir(m->path, 0700), 0);
	snprintf(sub, sizeof sub, "%s/new", m->path);
	assert_int_equal(mkdir(sub, 0700), 0);
	m->new_fd = open(sub, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	snprintf(sub, sizeof sub, "%s/cur", m->path);
	assert_int_equal(mkdir(sub, 0700), 0);
	m->cur_fd = open(sub, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(m->new_fd >= 0 && m->cur_fd >= 0);
}

UNUSED static void maildir_close(struct maildir *m)
{
	close(m->new_fd);
	close(m->cur_fd);
}

UNUSED static void touch(int dir, const char *name)
{
	int fd = openat(dir, name, O_CREAT | O_WRONLY | O_EXCL | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	close(fd);
}

/* The next message must be of that type (WATCH_EVENTS may be skipped); 0: the link was closed. */
UNUSED static int hear(int fd, struct buf *store, struct link_msg *m)
{
	int rc = link_recv_blocking(fd, store, m, ANSWER_MS);

	if (rc < 0 && errno == ECONNRESET) /* closed with messages of ours unread */
		return 0;
	if (rc < 0)
		fail_msg("no answer: %s", strerror(errno));
	return rc;
}

UNUSED static void hear_type(int fd, struct buf *store, struct link_msg *m, enum watch_msg type)
{
	assert_int_equal(hear(fd, store, m), 1);
	assert_int_equal(m->type, type);
}

UNUSED static bool subscribe(int fd, uint32_t id, int new_fd, int cur_fd)
{
	struct buf store = BUF_INIT;
	struct link_msg m;
	struct wire w;
	bool ok;

	say_u32(fd, WATCH_SUBSCRIBE, id, (int[]){new_fd, cur_fd}, 2);
	hear_type(fd, &store, &m, WATCH_SUBSCRIBED);
	w = wire_reader(m.body);
	assert_int_equal(wire_get_u32(&w), id);
	ok = wire_get_bool(&w);
	wire_get_str(&w, 2048);
	assert_true(wire_end(&w));
	buf_deinit(&store);
	return ok;
}

UNUSED static int joined(const struct daemon *d, uint64_t store_ino) /* a link that has said HELLO */
{
	int fd = daemon_connect(d);

	assert_int_equal(say_hello(fd, 1000, store_ino), 0);
	return fd;
}

UNUSED static bool closed_by_daemon(int fd)
{
	struct buf store = BUF_INIT;
	struct link_msg m;
	int rc;

	while ((rc = hear(fd, &store, &m)) == 1)
		;
	buf_deinit(&store);
	return rc == 0;
}

UNUSED static void raise_limit(void)
{
	struct rlimit r;

	getrlimit(RLIMIT_NOFILE, &r);
	r.rlim_cur = r.rlim_max;
	setrlimit(RLIMIT_NOFILE, &r);
}
