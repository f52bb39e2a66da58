/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/master/maildir.h"
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include "common/base/buf.h"

#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK)

static int open_no_links(int at, const char *path)
{
	struct open_how how = {.flags = DIR_FLAGS, .resolve = RESOLVE_NO_SYMLINKS};

	return (int)syscall(SYS_openat2, at, path, &how, sizeof how);
}

/* Makes the directories of an absolute path that are missing. */
static int make_path(const char *path)
{
	struct buf b = BUF_INIT;
	int rc = 0;

	for (size_t i = 1; path[i - 1] != '\0' && rc == 0; i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		buf_reset(&b);
		buf_put(&b, path, i);
		if (mkdir(buf_cstr(&b), 0700) < 0 && errno != EEXIST && (path[i] == '\0' || errno != EACCES))
			rc = -1;
	}
	buf_deinit(&b);
	return rc;
}

static int open_home(const char *home)
{
	/* O_PATH: one call less on a slow volume. */
	int fd = open(home, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0 || errno != ENOENT || make_path(home) < 0)
		return fd;
	return open(home, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static int make_maildir(int at, const char *path)
{
	int fd;

	if (mkdirat(at, path, 0700) < 0 && errno != EEXIST)
		return -1;
	fd = at == AT_FDCWD ? open(path, DIR_FLAGS | O_NOFOLLOW) : open_no_links(at, path);
	if (fd < 0)
		return -1;
	if ((mkdirat(fd, "cur", 0700) < 0 && errno != EEXIST) ||
	    (mkdirat(fd, "new", 0700) < 0 && errno != EEXIST) ||
	    (mkdirat(fd, "tmp", 0700) < 0 && errno != EEXIST)) {
		close(fd);
		return -1;
	}
	return fd;
}

static int explain(const struct maildir_want *w, struct err *e)
{
	const char *base = w->maildir[0] == '/' ? "" : w->home;
	const char *sep = w->maildir[0] == '/' ? "" : "/";
	int code = errno;

	if (code == ELOOP)
		return err_set(e, code, "%s%s%s is or goes through a symbolic link: name the real directory in the account",
			       base, sep, w->maildir);
	if (code == ENOTDIR)
		return err_set(e, code, "%s%s%s is not a directory", base, sep, w->maildir);
	if (code == EACCES || code == EPERM)
		return err_set(e, code, "uid %u may not open or make %s%s%s: check owner and mode of it and its parents",
			       w->uid, base, sep, w->maildir);
	errno = code;
	return err_sys(e, "can't open %s%s%s", base, sep, w->maildir);
}

static int open_it(const struct maildir_want *w, struct maildir_found *out, struct err *e)
{
	int at = AT_FDCWD, fd, code;

	if (w->maildir[0] != '/') {
		at = open_home(w->home);
		if (at < 0)
			return explain(w, e);
		fd = open_no_links(at, w->maildir);
	} else {
		fd = open(w->maildir, DIR_FLAGS | O_NOFOLLOW);
	}
	if (fd < 0 && errno == ENOENT) {
		fd = make_maildir(at, w->maildir);
		out->made = fd >= 0;
	}
	code = errno;
	if (at != AT_FDCWD)
		close(at);
	errno = code;
	if (fd < 0)
		return explain(w, e);
	out->fd = fd;
	return 0;
}

static int identify(const struct maildir_want *w, struct maildir_found *out, struct err *e)
{
	struct stat st;

	if (fstat(out->fd, &st) < 0)
		return explain(w, e);
	if (st.st_uid != w->uid)
		return err_set(e, EPERM, "%s (below %s) belongs to uid %u, the account has uid %u: chown it or correct the account",
			       w->maildir, w->home, st.st_uid, w->uid);
	out->dev = st.st_dev;
	out->ino = st.st_ino;
	return 0;
}

int maildir_open_or_make(const struct maildir_want *w, struct maildir_found *out, struct err *e)
{
	struct maildir_found f = {.fd = -1};
	int rc;

	/* File access as the user, of this thread alone: root's rights over files are gone with it, and
	 * a server that maps root to nobody answers as it should. */
	if (w->become) {
		setfsgid(w->gid);
		setfsuid(w->uid);
		if ((uint32_t)setfsuid((uid_t)-1) != w->uid)
			return err_set(e, EPERM, "can't become uid %u", w->uid);
	}
	rc = open_it(w, &f, e);
	if (rc == 0)
		rc = identify(w, &f, e);
	if (w->become) {
		setfsuid(0);
		setfsgid(0);
	}
	if (rc == 0)
		*out = f;
	else if (f.fd >= 0)
		close(f.fd);
	return rc;
}
