/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/master/mkhome.h"
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include "common/base/rand.h"

#define REAL_DIR (O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)
#define DEPTH_MAX 16

struct copy {
	const struct mkhome_want *w;
	size_t files;
	uint64_t bytes;
	struct err *e;
};

static void as_root(const struct mkhome_want *w, bool root)
{
	if (!w->become)
		return;
	setfsgid(root ? 0 : w->gid);
	setfsuid(root ? 0 : w->uid);
}

/* ---- the copy --------------------------------------------------------------------------------- */

static int fault(const struct copy *c, const char *name)
{
	return err_sys(c->e, "can't copy %s from AUTH_MKHOMEDIR_SKEL %s as uid %u", name,
		       c->w->skel, c->w->uid);
}

static int copy_bytes(struct copy *c, int from, int to, const char *name)
{
	char chunk[65536];
	ssize_t n;

	while ((n = read(from, chunk, sizeof chunk)) > 0) {
		c->bytes += (uint64_t)n;
		if (c->bytes > c->w->bytes_max)
			return err_set(
				c->e, EFBIG,
				"AUTH_MKHOMEDIR_SKEL %s has more than AUTH_MKHOMEDIR_SIZE_MAX bytes",
				c->w->skel);
		for (ssize_t done = 0, more; done < n; done += more) {
			more = write(to, chunk + done, (size_t)(n - done));
			if (more < 0)
				return fault(c, name);
		}
	}
	return n < 0 || fsync(to) < 0 ? fault(c, name) : 0;
}

static int copy_file(struct copy *c, int src, int dst, const char *name)
{
	int from = openat(src, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC), to = -1,
	    rc = -1;
	struct stat st;

	if (from >= 0 && fstat(from, &st) == 0 && S_ISREG(st.st_mode))
		to = openat(dst, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (to < 0 || fchmod(to, st.st_mode & 0777) < 0)
		fault(c, name);
	else
		rc = copy_bytes(c, from, to, name);
	if (from >= 0)
		close(from);
	if (to >= 0)
		close(to);
	return rc;
}

static int copy_link(const struct copy *c, int src, int dst, const char *name)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(src, name, target, sizeof target - 1);

	if (n < 0)
		return fault(c, name);
	target[n] = '\0';
	return symlinkat(target, dst, name) < 0 ? fault(c, name) : 0;
}

static int copy_dir(struct copy *c, int src, int dst, unsigned depth);

static int copy_below(struct copy *c, int src, int dst, const char *name, unsigned depth)
{
	int from = openat(src, name, REAL_DIR), to = -1, rc = -1;

	if (depth == DEPTH_MAX)
		err_set(c->e, ELOOP, "AUTH_MKHOMEDIR_SKEL %s is nested more than %d levels deep",
			c->w->skel, DEPTH_MAX);
	else if (from < 0 || mkdirat(dst, name, 0700) < 0 || (to = openat(dst, name, REAL_DIR)) < 0)
		fault(c, name);
	else
		rc = copy_dir(c, from, to, depth + 1);
	if (from >= 0)
		close(from);
	if (to >= 0)
		close(to);
	return rc;
}

static int copy_entry(struct copy *c, int src, int dst, const char *name, unsigned depth)
{
	struct stat st;

	if (++c->files > c->w->files_max)
		return err_set(
			c->e, EFBIG,
			"AUTH_MKHOMEDIR_SKEL %s has more than AUTH_MKHOMEDIR_FILES_MAX files",
			c->w->skel);
	if (fstatat(src, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return fault(c, name);
	switch (st.st_mode & S_IFMT) {
	case S_IFDIR:
		return copy_below(c, src, dst, name, depth);
	case S_IFREG:
		return copy_file(c, src, dst, name);
	case S_IFLNK:
		return copy_link(c, src, dst, name);
	default:
		return err_set(c->e, EINVAL,
			       "%s in AUTH_MKHOMEDIR_SKEL %s is neither file, directory nor link",
			       name, c->w->skel);
	}
}

/* Its mode comes last: it may be one without write permission. */
static int copy_dir(struct copy *c, int src, int dst, unsigned depth)
{
	int again = openat(src, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = 0;
	DIR *dir = again < 0 ? NULL : fdopendir(again);
	struct dirent *de;
	struct stat st;

	if (!dir) {
		if (again >= 0)
			close(again);
		return fault(c, ".");
	}
	while (rc == 0 && (de = readdir(dir)))
		if (strcmp(de->d_name, ".") != 0 && strcmp(de->d_name, "..") != 0)
			rc = copy_entry(c, src, dst, de->d_name, depth);
	closedir(dir);
	if (rc == 0 &&
	    (fstat(src, &st) < 0 || fchmod(dst, st.st_mode & 0777) < 0 || fsync(dst) < 0))
		rc = fault(c, ".");
	return rc;
}

/* ---- what a failed one leaves ----------------------------------------------------------------- */

/* Of our own making, and no deeper than the copy went. */
static void empty_dir(int fd, unsigned depth)
{
	int again = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), below;
	DIR *dir = again < 0 ? NULL : fdopendir(again);
	struct dirent *de;

	(void)fchmod(fd, 0700);
	if (!dir && again >= 0)
		close(again);
	while (dir && (de = readdir(dir))) {
		if (!strcmp(de->d_name, ".") || !strcmp(de->d_name, "..") ||
		    unlinkat(fd, de->d_name, 0) == 0)
			continue;
		below = depth < DEPTH_MAX + 1 ? openat(fd, de->d_name, REAL_DIR) : -1;
		if (below < 0)
			continue;
		empty_dir(below, depth + 1);
		close(below);
		(void)unlinkat(fd, de->d_name, AT_REMOVEDIR);
	}
	if (dir)
		closedir(dir);
}

/* ---- the home --------------------------------------------------------------------------------- */

struct place {
	char parent[PATH_MAX], name[NAME_MAX + 1], tmp[NAME_MAX + 1];
	int at;	   /* the parent */
	bool root; /* only root may make names in it */
};

static int place_find(const struct mkhome_want *w, struct place *p, struct err *e)
{
	size_t n = strlen(w->home), cut;
	uint64_t salt;

	while (n > 1 && w->home[n - 1] == '/')
		n--;
	for (cut = n; cut > 0 && w->home[cut - 1] != '/';)
		cut--;
	rand_bytes(&salt, sizeof salt);
	if (cut == 0 || cut >= PATH_MAX || n == cut || n - cut > 200)
		return err_set(e, EINVAL,
			       "%s can't be made from AUTH_MKHOMEDIR_SKEL: not a usable path",
			       w->home);
	snprintf(p->parent, sizeof p->parent, "%.*s", (int)cut, w->home);
	snprintf(p->name, sizeof p->name, "%.*s", (int)(n - cut), w->home + cut);
	snprintf(p->tmp, sizeof p->tmp, ".%.200s.posthouse-new.%016" PRIx64, p->name, salt);
	p->at = open(p->parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (p->at < 0 && w->become && errno == EACCES) {
		as_root(w, true);
		p->at = open(p->parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		as_root(w, false);
	}
	return p->at < 0
		       ? err_sys(e, "can't open %s, in which %s is to be made", p->parent, p->name)
		       : 0;
}

/* The new directory, the account's, under its first name. */
static int make_tmp(const struct mkhome_want *w, struct place *p)
{
	struct stat st;
	int fd;

	if (mkdirat(p->at, p->tmp, 0700) == 0)
		return openat(p->at, p->tmp, REAL_DIR);
	if (!w->become || (errno != EACCES && errno != EPERM))
		return -1;
	p->root = true;
	as_root(w, true);
	fd = mkdirat(p->at, p->tmp, 0700) < 0 ? -1 : openat(p->at, p->tmp, REAL_DIR);
	if (fd >= 0 && (fstat(fd, &st) < 0 || st.st_uid != 0 || fchown(fd, w->uid, w->gid) < 0)) {
		close(fd);
		fd = -1;
	}
	as_root(w, false);
	return fd;
}

static int fill(struct copy *c, int dst)
{
	int src = open(c->w->skel, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc;

	if (src < 0)
		return err_sys(c->e, "uid %u can't open AUTH_MKHOMEDIR_SKEL %s", c->w->uid,
			       c->w->skel);
	rc = copy_dir(c, src, dst, 0);
	close(src);
	return rc;
}

/* A directory with something in it is never replaced: then another login was quicker. */
static int put_in_place(const struct mkhome_want *w, const struct place *p, struct err *e)
{
	int rc, code;

	as_root(w, p->root);
	rc = renameat(p->at, p->tmp, p->at, p->name);
	code = errno;
	if (rc == 0)
		(void)fsync(p->at);
	as_root(w, false);
	errno = code;
	if (rc < 0 && code != ENOTEMPTY && code != EEXIST)
		return err_sys(e, "can't rename the new home to %s", w->home);
	return rc == 0 ? 0 : 1;
}

int mkhome(const struct mkhome_want *w, struct err *e)
{
	struct copy c = {.w = w, .e = e};
	struct place p = {.at = -1};
	int fd, rc;

	if (place_find(w, &p, e) < 0)
		return -1;
	fd = make_tmp(w, &p);
	rc = fd < 0 ? err_sys(e, "uid %u can't make %s", w->uid, w->home) : fill(&c, fd);
	if (rc == 0)
		rc = put_in_place(w, &p, e);
	if (rc != 0 && fd >= 0)
		empty_dir(fd, 0);
	if (fd >= 0)
		close(fd);
	if (rc != 0) {
		as_root(w, p.root);
		(void)unlinkat(p.at, p.tmp, AT_REMOVEDIR);
		as_root(w, false);
	}
	close(p.at);
	return rc < 0 ? -1 : 0;
}
