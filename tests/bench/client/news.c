/* SPDX-License-Identifier: Apache-2.0 */
/* How soon a number of idle sessions hear of a delivery, an APPEND or a STORE. */
#include "tests/bench/client/client.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#define WAIT_MS 40000 /* above the longest delay of any of the servers (polling) */
#define PAUSE_US 5000 /* between two changes: each is alone on its way */

static const char MESSAGE[] =
	"From: sender@example.com\r\nTo: reader@example.com\r\nSubject: news\r\n"
	"Date: Mon, 2 Jun 2025 12:00:00 +0000\r\nMessage-ID: <news@example.com>\r\n\r\nNews.\r\n";

struct news {
	const char *kind;
	const char *dir; /* a Maildir, for rename */
	int idlers, times, done;
	double seconds;
	int epoll;
	struct conn **idle;
	bool *heard;
	struct conn *active;
	uint64_t *took;
	size_t ntook;
	uid_t uid;
	gid_t gid;
};

static struct conn *session(const struct target *t)
{
	struct conn *c = conn_open(t);

	conn_login(c, t, 0);
	conn_command(c, "SELECT INBOX");
	return c;
}

/* The idlers; the active session is there before them, so that it tells none of them anything. */
static void open_all(struct news *n, const struct target *t)
{
	struct stat st;

	n->active = session(t);
	conn_command(n->active, "STORE 1 -FLAGS (\\Flagged)");
	n->epoll = epoll_create1(EPOLL_CLOEXEC);
	n->idle = calloc((size_t)n->idlers, sizeof(*n->idle));
	n->heard = calloc((size_t)n->idlers, sizeof(*n->heard));
	n->took = calloc((size_t)n->idlers * (size_t)n->times, sizeof(*n->took));
	for (int i = 0; i < n->idlers; i++) {
		struct epoll_event ev = {.events = EPOLLIN, .data.u32 = (uint32_t)i};
		struct conn *c = session(t);

		conn_idle(c);
		fcntl(c->fd, F_SETFL, O_NONBLOCK);
		epoll_ctl(n->epoll, EPOLL_CTL_ADD, c->fd, &ev);
		n->idle[i] = c;
	}
	if (!strcmp(n->kind, "rename")) {
		if (stat(n->dir, &st) < 0)
			die(n->dir);
		n->uid = st.st_uid;
		n->gid = st.st_gid;
	}
}

/* Makes the change number i; returns the time just before what makes it visible. */
static uint64_t change_rename(struct news *n, int i)
{
	char from[4096], to[4096];
	uint64_t begin;
	int fd;

	snprintf(from, sizeof(from), "%s/tmp/%ld.B%dP%d.bench", n->dir, (long)(now_ns() / 1000), i,
		 getpid());
	snprintf(to, sizeof(to), "%s/new/%s", n->dir, strrchr(from, '/') + 1);
	fd = open(from, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, MESSAGE, sizeof(MESSAGE) - 1) < 0 ||
	    (geteuid() == 0 && fchown(fd, n->uid, n->gid) < 0))
		die(from);
	close(fd);
	begin = now_ns();
	if (rename(from, to) < 0)
		die(to);
	return begin;
}

static uint64_t change_append(struct news *n)
{
	char line[256];
	uint64_t begin;

	snprintf(line, sizeof(line), "b%u APPEND INBOX {%zu}\r\n", ++n->active->tag,
		 sizeof(MESSAGE) - 1);
	conn_send(n->active, line, strlen(line));
	do
		conn_line(n->active, line, sizeof(line));
	while (line[0] != '+');
	snprintf(line, sizeof(line), "%s\r\n", MESSAGE);
	begin = now_ns();
	conn_send(n->active, line, strlen(line));
	return begin;
}

static uint64_t change_store(struct news *n, int i)
{
	char line[256];
	uint64_t begin = now_ns();

	snprintf(line, sizeof(line), "b%u STORE 1 %cFLAGS (\\Flagged)\r\n", ++n->active->tag,
		 i % 2 ? '-' : '+');
	conn_send(n->active, line, strlen(line));
	return begin;
}

/* Whether a whole line in what came says the news; what was looked at is dropped. */
static bool hears(struct news *n, struct conn *c)
{
	const char *word = !strcmp(n->kind, "store") ? " FETCH " : " EXISTS";
	bool heard = false;
	char *lf;

	while (conn_read(c))
		continue;
	lf = memrchr(c->buf, '\n', c->len);
	if (!lf)
		return false;
	*lf = '\0';
	heard = strstr(c->buf, word) != NULL;
	c->len -= (size_t)(lf + 1 - c->buf);
	memmove(c->buf, lf + 1, c->len + 1);
	return heard;
}

static void wait_all(struct news *n, uint64_t begin)
{
	struct epoll_event ev[64];
	int waiting = n->idlers;

	memset(n->heard, 0, (size_t)n->idlers * sizeof(*n->heard));
	while (waiting) {
		int got = epoll_wait(n->epoll, ev, 64, WAIT_MS);

		if (got <= 0)
			die("an idle session heard nothing");
		for (int i = 0; i < got; i++) {
			int k = (int)ev[i].data.u32;

			if (!hears(n, n->idle[k]) || n->heard[k])
				continue;
			n->took[n->ntook++] = now_ns() - begin;
			n->heard[k] = true;
			waiting--;
		}
	}
}

/* Reads the tagged answer of what the active session did. */
static void answer(struct news *n)
{
	char line[4096], tag[32];

	snprintf(tag, sizeof(tag), "b%u OK", n->active->tag);
	do
		conn_line(n->active, line, sizeof(line));
	while (line[0] == '*');
	if (strncmp(line, tag, strlen(tag)))
		die(line);
}

static void run_all(struct news *n)
{
	uint64_t start = now_ns();

	for (n->done = 0; n->done < n->times && (double)(now_ns() - start) / 1e9 < n->seconds;
	     n->done++) {
		bool rename = !strcmp(n->kind, "rename");
		uint64_t begin;

		if (rename)
			begin = change_rename(n, n->done);
		else if (!strcmp(n->kind, "append"))
			begin = change_append(n);
		else
			begin = change_store(n, n->done);
		wait_all(n, begin);
		if (!rename)
			answer(n);
		usleep(PAUSE_US);
	}
	result("wall", (double)(now_ns() - start) / 1e9);
}

void work_news(const struct target *t, int argc, char **argv)
{
	struct news n = {.kind = argv[0], .dir = argv[4]};

	n.idlers = (int)strtol(argv[1], NULL, 10);
	n.times = (int)strtol(argv[2], NULL, 10);
	n.seconds = strtod(argv[3], NULL);
	open_all(&n, t);
	run_all(&n);
	results(n.took, n.ntook);
	result("times", n.done);
}
