/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loginexec: holds a login up while its account's loginexec file runs. One at a time for each store, some
 * in all; however one ends, its login goes on.
 */
#include <fcntl.h>
#include <sys/wait.h>
#include "backend/master/master.h"
#include "common/base/log.h"
#include "common/ipc/loginexec.h"
#include "common/sys/main.h"
#include "common/sys/proc.h"

struct run {
	struct list link; /* running or queued */
	struct list logins;
	uint64_t id[2]; /* dev, ino */
	int fd;		/* the Maildir */
	pid_t pid;	/* 0: none at the moment */
	uint32_t conn;	/* of the login that it runs for */
};

struct loginexec {
	struct master *m;
	struct hmap *stores; /* dev, ino -> struct run */
	struct list running, queued;
	unsigned nrunning;
};

struct loginexec *loginexec_new(struct master *m)
{
	struct loginexec *x = xcalloc(1, sizeof *x);

	x->m = m;
	x->stores = hmap_new();
	list_init(&x->running);
	list_init(&x->queued);
	return x;
}

static int start_program(struct loginexec *x, struct run *n, const struct login *g)
{
	const struct loginexec_run r = {.user = g->record.user,
					.uid = g->record.uid,
					.gid = g->record.gid,
					.home = g->record.home,
					.session = g->facts.session};
	struct buf b = BUF_INIT;
	int pair[2];
	struct err e;

	if (link_pair(pair) < 0) {
		LOG(L_ERROR, "loginexec", L_C("error", strerror(errno)));
		return -1;
	}
	n->pid = proc_spawn(
		"loginexec", main_child_args(),
		(struct proc_fd[]){{pair[1], LOGINEXEC_FD}, {n->fd, LOGINEXEC_MAILDIR_FD}}, 2, &e);
	close(pair[1]);
	if (n->pid < 0)
		LOG(L_ERROR, "loginexec", L_C("error", e.text));
	loginexec_run_put(&b, &r);
	if (n->pid > 0 && link_send_blocking(pair[0], LOGINEXEC_RUN, buf_str(&b), NULL, 0) < 0)
		LOG(L_ERROR, "loginexec", L_C("error", strerror(errno)));
	buf_deinit(&b);
	close(pair[0]);
	return n->pid > 0 ? 0 : -1;
}

static void admit(struct run *n, struct login *g)
{
	list_remove(&g->at);
	g->hooked = true;
	store_admit(g, n->id[0], n->id[1], fcntl(n->fd, F_DUPFD_CLOEXEC, 3));
}

static void run_free(struct loginexec *x, struct run *n)
{
	list_remove(&n->link);
	hmap_del(x->stores, str_mem(n->id, sizeof n->id));
	close(n->fd);
	free(n);
}

/* The next login of this store, if any is left. */
static void advance(struct loginexec *x, struct run *n)
{
	list_remove(&n->link);
	while (!list_empty(&n->logins)) {
		struct login *g = list_entry(n->logins.next, struct login, at);

		if (x->nrunning >= x->m->set->loginexec_max) {
			list_append(&x->queued, &n->link);
			return;
		}
		n->conn = g->conn;
		if (start_program(x, n, g) == 0) {
			x->nrunning++;
			list_append(&x->running, &n->link);
			return;
		}
		n->pid = 0;
		admit(n, g);
	}
	run_free(x, n);
}

void loginexec_login(struct loginexec *x, struct login *g, uint64_t dev, uint64_t ino, int fd)
{
	struct run *n = hmap_get(x->stores, str_mem((uint64_t[]){dev, ino}, 2 * sizeof dev));

	if (n) {
		close(fd);
		list_append(&n->logins, &g->at);
		return;
	}
	n = xcalloc(1, sizeof *n);
	n->id[0] = dev;
	n->id[1] = ino;
	n->fd = fd;
	list_init(&n->link);
	list_init(&n->logins);
	list_append(&n->logins, &g->at);
	hmap_put(x->stores, str_mem(n->id, sizeof n->id), n);
	advance(x, n);
}

static void ended(struct loginexec *x, struct run *n)
{
	x->nrunning--;
	n->pid = 0;
	list_foreach(e, &n->logins) {
		struct login *g = list_entry(e, struct login, at);

		if (g->conn == n->conn) { /* else it was refused meanwhile */
			admit(n, g);
			break;
		}
	}
	advance(x, n);
	if (!list_empty(&x->queued) && x->nrunning < x->m->set->loginexec_max)
		advance(x, list_entry(x->queued.next, struct run, link));
}

bool loginexec_exit(struct loginexec *x, pid_t pid, int status)
{
	list_foreach(e, &x->running) {
		struct run *n = list_entry(e, struct run, link);

		if (n->pid != pid)
			continue;
		if (WIFSIGNALED(status))
			LOG(L_ERROR, "loginexec", L_I("signal", WTERMSIG(status)));
		ended(x, n);
		return true;
	}
	return false;
}
