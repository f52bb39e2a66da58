/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include "common/base/log.h"
#include "common/config/access.h"
#include "frontend/frontend.h"

static bool same(const struct watched *w, const struct stat *st)
{
	return w->seen.dev == st->st_dev && w->seen.ino == st->st_ino &&
	       w->seen.size == (uint64_t)st->st_size && w->seen.s == st->st_mtim.tv_sec &&
	       w->seen.ns == st->st_mtim.tv_nsec;
}

static void remember(struct watched *w, const struct stat *st)
{
	w->seen.dev = st->st_dev;
	w->seen.ino = st->st_ino;
	w->seen.size = (uint64_t)st->st_size;
	w->seen.s = st->st_mtim.tv_sec;
	w->seen.ns = st->st_mtim.tv_nsec;
	w->seen.mode = st->st_mode;
}

bool watched_changed(const struct watched *w)
{
	struct stat st;

	return stat(w->path, &st) || !same(w, &st);
}

void watched_stat(struct watched *w)
{
	struct stat st;

	if (stat(w->path, &st) == 0)
		remember(w, &st);
}

int watched_open(struct watched *w, struct err *e)
{
	struct stat st;
	int fd;

	if (stat(w->path, &st))
		return err_sys(e, "%s", w->path);
	remember(w, &st);
	fd = open(w->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return err_sys(e, "%s", w->path);
	if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		close(fd);
		return err_set(e, 0, "%s is not a file", w->path);
	}
	remember(w, &st);
	return fd;
}

int watched_read(struct watched *w, size_t max, struct buf *out, struct err *e)
{
	int fd = watched_open(w, e);
	ssize_t n = -1;

	if (fd < 0)
		return -1;
	if (w->seen.size <= max)
		n = pread(fd, buf_reserve(out, w->seen.size + 1), w->seen.size, 0);
	close(fd);
	if (n < 0)
		return err_set(e, 0, "%s can't be read, or is larger than %zu bytes", w->path, max);
	buf_added(out, (size_t)n);
	return 0;
}

int files_memfd(struct str content)
{
	int fd = memfd_create("pem", MFD_CLOEXEC);

	if (fd >= 0 && content.n && write(fd, content.p, content.n) != (ssize_t)content.n) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* 1: there is a new descriptor; 0: nothing has changed; -1: e. The old descriptor stays on errors. */
static int look(struct watched *w, bool force, struct err *e)
{
	int fd;

	if (!w->path[0] || (!force && !watched_changed(w)))
		return 0;
	fd = watched_open(w, e);
	if (fd < 0)
		return -1;
	if (w->fd >= 0)
		close(w->fd);
	w->fd = fd;
	return 1;
}

/* As look; a file with a fault in it is an error, and the descriptor before stays. */
static int look_access(struct frontend *f, bool force, struct err *e)
{
	struct watched *w = &f->access, next = *w;
	struct access *a;
	int got;

	next.fd = -1;
	got = look(&next, force, e);
	memcpy(&w->seen, &next.seen, sizeof(w->seen));
	if (got <= 0)
		return got;
	a = access_read(next.fd, w->path, e);
	if (!a) {
		close(next.fd);
		return -1;
	}
	access_free(&a);
	if (w->fd >= 0)
		close(w->fd);
	w->fd = next.fd;
	return 1;
}

int files_open(struct frontend *f, struct err *e)
{
	f->access = (struct watched){.path = f->set->imapaccessfile, .fd = -1};
	if (accounts_open(f, e) < 0)
		return -1;
	if (look_access(f, true, e) < 0)
		return err_in(e, "IMAPACCESSFILE");
	return certs_open(f, e) || trust_open(f, e) || tickets_open(f, e) ? -1 : 0;
}

void files_complain(char **last, const char *event, const char *file, const struct err *e)
{
	if (*last && strcmp(*last, e->text) == 0)
		return; /* said already */
	free(*last);
	*last = str_dup(str_c(e->text));
	LOG(L_ERROR, event, L_C("file", file), L_C("error", e->text));
}

static void look_again_at_access(struct frontend *f, bool force)
{
	struct err e;
	int got = look_access(f, force, &e);

	if (got < 0)
		files_complain(&f->access_fault, "file not read again", f->access.path, &e);
	if (got <= 0)
		return;
	LOG(L_INFO, "access rules read again", L_C("file", f->access.path));
	for (unsigned i = 0; i < f->nworkers; i++)
		child_send_access(&f->workers[i]);
}

void files_look(struct frontend *f, bool force)
{
	certs_look(f, force);
	trust_look(f, force);
	tickets_look(f, force);
	accounts_look(f, force);
	look_again_at_access(f, force);
}
