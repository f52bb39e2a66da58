/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include "common/base/log.h"
#include "common/base/secret.h"
#include "common/config/access.h"
#include "frontend/frontend.h"

enum { PEM_MAX = 1 << 20 };

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
}

static int copy_to_memfd(int from, size_t n)
{
	static char bytes[PEM_MAX];
	int fd = memfd_create("pem", MFD_CLOEXEC);
	ssize_t got = n <= sizeof(bytes) ? pread(from, bytes, n, 0) : -1;

	if (fd >= 0 && (got < 0 || write(fd, bytes, (size_t)got) != got)) {
		close(fd);
		fd = -1;
	}
	secret_zero(bytes, n <= sizeof(bytes) ? n : sizeof(bytes));
	return fd;
}

/* 1: there is a new descriptor; 0: nothing has changed; -1: e. The old descriptor stays on errors. */
static int look(struct watched *w, bool copy, bool force, struct err *e)
{
	struct stat st;
	int fd, got;

	if (!w->path[0])
		return 0;
	if (stat(w->path, &st))
		return err_sys(e, "%s", w->path);
	if (!force && same(w, &st))
		return 0;
	remember(w, &st);
	fd = open(w->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return err_sys(e, "%s", w->path);
	if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		close(fd);
		return err_set(e, 0, "%s is not a file", w->path);
	}
	remember(w, &st);
	got = fd;
	if (copy) {
		got = copy_to_memfd(fd, (size_t)st.st_size);
		close(fd);
	}
	if (got < 0)
		return err_set(e, 0, "%s can't be read", w->path);
	if (w->fd >= 0)
		close(w->fd);
	w->fd = got;
	return 1;
}

static bool wants_tls(const struct frontend *f)
{
	for (size_t i = 0; i < f->nports; i++)
		if (f->ports[i].tls)
			return true;
	return false;
}

static int open_cert(struct frontend *f, struct err *e)
{
	if (look(&f->cert, true, true, e) < 0 || look(&f->key, true, true, e) < 0)
		return -1;
	if (f->key.fd < 0)
		f->key.fd = memfd_create("pem", MFD_CLOEXEC); /* empty: the key is in the other */
	return f->key.fd < 0 ? err_sys(e, "memfd") : 0;
}

/* As look; a file with a fault in it is an error, and the descriptor before stays. */
static int look_access(struct frontend *f, bool force, struct err *e)
{
	struct watched *w = &f->access, next = *w;
	struct access *a;
	int got;

	next.fd = -1;
	got = look(&next, false, force, e);
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
	f->cert = (struct watched){.path = f->set->tls_certfile, .fd = -1};
	f->key = (struct watched){.path = f->set->tls_private_keyfile, .fd = -1};
	f->passwd = (struct watched){.path = f->set->passwd_file, .fd = -1};
	f->access = (struct watched){.path = f->set->imapaccessfile, .fd = -1};
	if (look(&f->passwd, false, true, e) < 0 || look_access(f, true, e) < 0)
		return -1;
	if (open_cert(f, e) == 0)
		return 0;
	if (wants_tls(f))
		return -1;
	/* STARTTLS alone can come later, with the file. */
	LOG(L_WARN, "no certificate, no STARTTLS", L_C("error", e->text));
	return 0;
}

static void complain(const struct err *e)
{
	static char last[sizeof(e->text)];

	if (strcmp(last, e->text) == 0)
		return; /* said in the second before */
	memcpy(last, e->text, sizeof(last));
	LOG(L_ERROR, "file not read again", L_C("error", e->text));
}

static void look_again_at_access(struct frontend *f, bool force)
{
	struct err e;
	int got = look_access(f, force, &e);

	if (got < 0)
		complain(&e);
	if (got <= 0)
		return;
	LOG(L_INFO, "access rules read again", L_C("file", f->access.path));
	for (unsigned i = 0; i < f->nworkers; i++)
		child_send_access(&f->workers[i]);
}

void files_look(struct frontend *f, bool force)
{
	struct err e;
	int cert = look(&f->cert, true, force, &e), key, passwd;

	if (cert < 0 && f->cert.fd >= 0)
		complain(&e);
	key = look(&f->key, true, force, &e);
	if (key < 0)
		complain(&e);
	if (f->key.fd < 0 && f->cert.fd >= 0)
		f->key.fd = memfd_create("pem", MFD_CLOEXEC);
	if (cert > 0 || key > 0)
		for (unsigned i = 0; i < f->nworkers; i++)
			child_send_cert(&f->workers[i]);
	passwd = look(&f->passwd, false, force, &e);
	if (passwd < 0)
		complain(&e);
	if (passwd > 0)
		child_send_passwd(f);
	look_again_at_access(f, force);
}
