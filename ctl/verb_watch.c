/* SPDX-License-Identifier: Apache-2.0 */
/* watch: a line when the Maildir changes, for scripts (R136). By inotify alone: no daemon is needed. */
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include "common/base/vec.h"
#include "ctl/ctl.h"
#include "ctl/foldername.h"
#include "ctl/owner.h"

#define EVENTS (IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO)
#define SETTLE_MS 100 /* what comes together is one line */

struct watched {
	int wd;
	char *folder; /* of new/ and cur/: "INBOX.a"; NULL: what is around them, where folders come and go */
	bool changed;
};
struct watch {
	int maildir, inotify;
	VEC(struct watched) dirs;
	bool folders_changed, lost;
	bool began; /* what is added from now on is news */
};

static volatile sig_atomic_t ended;

static void on_signal(int signo)
{
	ended = 1;
}

/* ---- what is watched ------------------------------------------------------------------------------- */

static int add(struct watch *w, int at, const char *dir, const char *folder)
{
	int fd = openat(at, dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), wd;
	char path[32];

	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == ELOOP ? 0 : -1;
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	wd = inotify_add_watch(w->inotify, path, EVENTS | IN_ONLYDIR);
	close(fd);
	if (wd < 0)
		return -1;
	vec_foreach(d, &w->dirs)
		if (d->wd == wd)
			return 0;
	*vec_push(&w->dirs) = (struct watched){
		.wd = wd, .folder = folder ? xstrdup(folder) : NULL, .changed = folder && w->began};
	return 0;
}

static int add_folder(struct watch *w, const char *dir)
{
	int fd = openat(w->maildir, dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), rc;
	struct buf name = BUF_INIT, other = BUF_INIT;

	if (fd < 0)
		return 0;
	buf_puts(&name, "INBOX");
	if (strcmp(dir, ".") != 0)
		buf_str_put(&name, foldername_form(str_c(dir), &other) == FOLDERNAME_MUTF7
					   ? buf_str(&other)
					   : str_c(dir));
	rc = strcmp(dir, ".") == 0 ? 0
				   : add(w, fd, ".", NULL); /* for a new/ that is made just now */
	if (rc == 0)
		rc = add(w, fd, "new", buf_cstr(&name));
	if (rc == 0)
		rc = add(w, fd, "cur", buf_cstr(&name));
	buf_deinit(&name);
	buf_deinit(&other);
	close(fd);
	return rc;
}

static int add_all(struct watch *w)
{
	struct foldername_list l;
	int rc;

	if (foldername_list(w->maildir, &l) < 0)
		return -1;
	rc = add_folder(w, ".");
	for (size_t i = 0; i < l.n && rc == 0; i++)
		rc = add_folder(w, l.a[i]);
	foldername_list_free(&l);
	return rc;
}

/* ---- what happens ------------------------------------------------------------------------------------ */

static void on_event(struct watch *w, const struct inotify_event *ev)
{
	if (ev->mask & IN_Q_OVERFLOW)
		w->lost = true;
	for (size_t i = 0; i < w->dirs.n; i++) {
		struct watched *d = &w->dirs.a[i];

		if (d->wd != ev->wd)
			continue;
		if (ev->mask & IN_IGNORED) {
			free(d->folder);
			vec_remove(&w->dirs, i);
			return;
		}
		/* Around them, our files and Courier's come and go with each change. */
		if (d->folder)
			d->changed = true;
		else if ((ev->mask & IN_ISDIR) && ev->len &&
			 (ev->name[0] == '.' || strcmp(ev->name, "new") == 0 ||
			  strcmp(ev->name, "cur") == 0))
			w->folders_changed = true;
	}
}

/* 1: there were events; 0: none within the time; -1. */
static int take_events(struct watch *w, int timeout_ms)
{
	_Alignas(struct inotify_event) char room[16384];
	struct pollfd p = {.fd = w->inotify, .events = POLLIN};
	int rc = poll(&p, 1, timeout_ms);
	ssize_t n = rc > 0 ? read(w->inotify, room, sizeof room) : 0;

	if (rc < 0 || n < 0)
		return errno == EINTR ? 0 : -1;
	for (ssize_t at = 0; at < n;) {
		const struct inotify_event *ev = (const void *)(room + at);

		on_event(w, ev);
		at += (ssize_t)(sizeof *ev + ev->len);
	}
	return n > 0;
}

static bool said(const struct watch *w, size_t upto)
{
	for (size_t i = 0; i < upto; i++)
		if (w->dirs.a[i].changed &&
		    strcmp(w->dirs.a[i].folder, w->dirs.a[upto].folder) == 0)
			return true;
	return false;
}

/* Something was lost: everything may have changed. */
static int say(struct watch *w)
{
	int rc = 0;

	if (w->folders_changed || w->lost) {
		rc = add_all(w);
		puts("folders");
	}
	for (size_t i = 0; i < w->dirs.n; i++) {
		struct watched *d = &w->dirs.a[i];

		if (d->folder && (d->changed || w->lost)) {
			d->changed = true;
			if (!said(w, i))
				printf("changed %s\n", d->folder);
		}
	}
	vec_foreach(d, &w->dirs)
		d->changed = false;
	w->folders_changed = w->lost = false;
	if (fflush(stdout) != 0)
		ended = 1; /* the reader has gone */
	return rc;
}

static bool has_folders(const struct watch *w)
{
	for (size_t i = 0; i < w->dirs.n; i++)
		if (w->dirs.a[i].folder)
			return true;
	return false;
}

static bool anything(const struct watch *w)
{
	for (size_t i = 0; i < w->dirs.n; i++)
		if (w->dirs.a[i].changed)
			return true;
	return w->folders_changed || w->lost;
}

static int watch(struct watch *w, bool once)
{
	int rc = 0;

	while (!ended && rc >= 0) {
		if (!has_folders(w))
			return ctl_fault("watch: the Maildir has gone");
		rc = take_events(w, -1);
		for (int more = 0; rc > 0 && !ended && more < 10; more++) /* a flood is told, too */
			if ((rc = take_events(w, SETTLE_MS)) <= 0)
				break;
		if (rc < 0 || !anything(w))
			continue;
		rc = say(w);
		if (once)
			break;
	}
	return rc < 0 ? ctl_fault("watch: %s%s", strerror(errno),
				  errno == ENOSPC ? ": raise fs.inotify.max_user_watches" : "")
		      : 0;
}

int ctl_watch(const struct ctl *c)
{
	struct watch w = {.inotify = -1};
	bool once = c->argc > 0 && strcmp(c->argv[0], "--once") == 0;
	struct sigaction act = {.sa_handler = on_signal};
	struct err e;
	int rc;

	if (c->argc != (once ? 2 : 1) || c->argv[once][0] == '-') {
		fputs("Usage: posthousectl watch [--once] MAILDIR\n", stderr);
		return EXIT_USAGE;
	}
	w.maildir = owner_open(c->argv[once], &e);
	if (w.maildir < 0)
		return ctl_fault("watch: %s", e.text);
	sigaction(SIGTERM, &act, NULL);
	sigaction(SIGINT, &act, NULL);
	w.inotify = inotify_init1(IN_CLOEXEC);
	if (w.inotify < 0 || add(&w, w.maildir, ".", NULL) < 0 || add_all(&w) < 0) {
		rc = ctl_fault("watch: %s%s", strerror(errno),
			       errno == ENOSPC || errno == EMFILE
				       ? ": raise fs.inotify.max_user_watches or max_user_instances"
				       : "");
	} else if (!has_folders(&w)) {
		rc = ctl_fault("watch: %s is no Maildir (it has no cur/ and new/)", c->argv[once]);
	} else {
		w.began = true;
		puts("watching");
		fflush(stdout);
		rc = watch(&w, once);
	}
	vec_foreach(d, &w.dirs)
		free(d->folder);
	vec_free(&w.dirs);
	close(w.maildir);
	if (w.inotify >= 0)
		close(w.inotify);
	return rc;
}
