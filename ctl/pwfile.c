/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <limits.h>
#include <sys/file.h>
#include <sys/stat.h>
#include "common/base/fdwrite.h"
#include "ctl/ctl.h"

#define PWFILE_MAX ((off_t)256 << 20)

struct pwfile {
	char real[PATH_MAX]; /* the file itself, where path is a link to it */
	char dir[PATH_MAX];
	char tmp[PATH_MAX + 16];
	int dir_fd;
	bool exists;
	struct stat st;
	struct buf content;
};

static int load(struct pwfile *f, struct err *e)
{
	int fd = open(f->real, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t n;

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0 || fstat(fd, &f->st) < 0 || !S_ISREG(f->st.st_mode) ||
	    f->st.st_size > PWFILE_MAX) {
		err_sys(e, "can't read %s", f->real);
		if (fd >= 0)
			close(fd);
		return -1;
	}
	f->exists = true;
	while ((n = read(fd, buf_reserve(&f->content, 65536), 65536)) > 0)
		buf_added(&f->content, (size_t)n);
	close(fd);
	return n < 0 ? err_sys(e, "can't read %s", f->real) : 0;
}

static int replace(struct pwfile *f, struct str content, struct err *e)
{
	int fd, rc;

	snprintf(f->tmp, sizeof f->tmp, "%s.XXXXXX", f->real);
	fd = mkostemp(f->tmp, O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "can't write beside %s", f->real);
	rc = fdwrite_sync(fd, content);
	if (rc == 0 && f->exists)
		rc = fchmod(fd, f->st.st_mode & 0777);
	if (rc == 0 && f->exists && (f->st.st_uid != geteuid() || f->st.st_gid != getegid()))
		rc = fchown(fd, f->st.st_uid, f->st.st_gid);
	if (rc == 0)
		rc = rename(f->tmp, f->real);
	if (rc == 0)
		rc = fsync(f->dir_fd);
	if (rc < 0) {
		err_sys(e, "can't replace %s", f->real);
		(void)unlink(f->tmp);
	}
	close(fd);
	return rc;
}

static int locate(struct pwfile *f, const char *path, struct err *e)
{
	char *slash;

	if (!realpath(path, f->real)) {
		if (errno != ENOENT || strlen(path) >= sizeof f->real)
			return err_sys(e, "can't find %s", path);
		snprintf(f->real, sizeof f->real, "%s", path);
	}
	snprintf(f->dir, sizeof f->dir, "%s", f->real);
	slash = strrchr(f->dir, '/');
	if (slash)
		slash[slash == f->dir] = '\0';
	else
		snprintf(f->dir, sizeof f->dir, ".");
	f->dir_fd = open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (f->dir_fd < 0)
		return err_sys(e, "can't open the directory %s", f->dir);
	/* Two passwd runs at a time: the lock is on the directory, since the file is replaced. */
	return flock(f->dir_fd, LOCK_EX) < 0 ? err_sys(e, "can't lock %s", f->dir) : 0;
}

int pwfile_change(const char *path, const struct pwedit *edit, enum pwedit_result *result,
		  struct err *e)
{
	struct pwfile f = {.dir_fd = -1};
	struct buf out = BUF_INIT;
	int rc = -1;

	if (locate(&f, path, e) == 0 && load(&f, e) == 0) {
		*result = pwedit(buf_str(&f.content), edit, &out);
		rc = *result == PWEDIT_ABSENT ? 0 : replace(&f, buf_str(&out), e);
	}
	if (f.dir_fd >= 0)
		close(f.dir_fd);
	buf_wipe(&f.content);
	buf_wipe(&out);
	return rc;
}

int pwfile_read(const char *path, struct buf *out, struct err *e)
{
	struct pwfile f = {.dir_fd = -1};
	int rc = -1;

	snprintf(f.real, sizeof f.real, "%s", path);
	if (load(&f, e) == 0)
		rc = f.exists ? 0 : err_set(e, ENOENT, "can't read %s: it isn't there", path);
	if (rc == 0)
		buf_move(out, &f.content);
	buf_wipe(&f.content);
	return rc;
}
