/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/master/maildir.h"
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include "backend/master/mkhome.h"
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

static int explain(const struct maildir_want *w, struct err *e);

static int open_home(const struct maildir_want *w, struct maildir_found *out, struct err *e)
{
	const struct mkhome_want mk = {.become = w->become, .uid = w->uid, .gid = w->gid, .home = w->home,
				       .skel = w->skel, .files_max = w->skel_files, .bytes_max = w->skel_bytes};
	/* O_PATH: one call less on a slow volume. */
	int fd = open(w->home, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT && w->skel && w->skel[0]) {
		if (mkhome(&mk, e) < 0)
			return -1;
		out->home_made = true;
		fd = open(w->home, O_PATH | O_DIRECTORY | O_CLOEXEC);
	} else if (fd < 0 && errno == ENOENT && make_path(w->home) == 0) {
		fd = open(w->home, O_PATH | O_DIRECTORY | O_CLOEXEC);
	}
	return fd < 0 ? explain(w, e) : fd;
}

/* The postmaster's way to lock an account while he works on it. */
static int refuse_locked(const struct maildir_want *w, struct maildir_found *out, const char *what, struct err *e)
{
	out->code = "UNAVAILABLE";
	out->say = "Your account is temporarily unavailable (+t bit set on home directory).";
	return err_set(e, EACCES, "%s of %s has the sticky bit: the account is locked until chmod -t", what, w->home);
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
	struct stat st;

	if (w->maildir[0] != '/') {
		at = open_home(w, out, e);
		if (at < 0)
			return -1;
		if (fstat(at, &st) == 0 && (st.st_mode & S_ISVTX)) {
			close(at);
			return refuse_locked(w, out, "the home", e);
		}
		fd = open_no_links(at, w->maildir);
	} else {
		if (stat(w->home, &st) == 0 && (st.st_mode & S_ISVTX))
			return refuse_locked(w, out, "the home", e);
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
	if (st.st_mode & S_ISVTX)
		return refuse_locked(w, out, "the Maildir", e);
	if (w->sanity && (st.st_uid != w->uid || st.st_gid != w->gid)) {
		out->code = "CONTACTADMIN";
		out->say = "Account's mailbox directory is not owned by the correct uid or gid";
		return err_set(e, EPERM, "%s (below %s) belongs to uid %u, gid %u, the account has %u and %u: chown it or correct the account (IMAP_MAILBOX_SANITY_CHECK)",
			       w->maildir, w->home, st.st_uid, st.st_gid, w->uid, w->gid);
	}
	out->dev = st.st_dev;
	out->ino = st.st_ino;
	out->loginexec = w->loginexec && fstatat(out->fd, "loginexec", &st, AT_SYMLINK_NOFOLLOW) == 0;
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
	if (rc < 0 && f.fd >= 0) {
		close(f.fd);
		f.fd = -1;
	}
	*out = f;
	return rc;
}
