/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <limits.h>
#include <sys/file.h>
#include <sys/stat.h>
#include "ctl/ctl.h"

#define PWFILE_MAX ((off_t)256 << 20)

/* user:hash:uid:gid:gecos:home:shell:options */
static void edit_line(struct str line, struct str hash, struct buf *out)
{
	struct str user = str_split(&line, ':');

	buf_str_put(out, user);
	buf_putc(out, ':');
	buf_str_put(out, hash);
	(void)str_split(&line, ':');
	if (line.p == NULL) {
		buf_puts(out, "::::::"); /* it had no further fields */
	} else {
		buf_putc(out, ':');
		buf_str_put(out, line);
	}
}

void pwfile_edit(struct str old, struct str user, struct str hash, struct buf *out, bool *added)
{
	bool found = false;

	while (old.n > 0) {
		struct str line = str_split(&old, '\n');

		if (!found && str_eq(str_sub(line, 0, str_find(line, ':')), user) &&
		    str_find(line, ':') < line.n) {
			edit_line(line, hash, out);
			found = true;
		} else {
			buf_str_put(out, line);
		}
		buf_putc(out, '\n');
	}
	if (!found) {
		buf_str_put(out, user);
		buf_putc(out, ':');
		buf_str_put(out, hash);
		buf_puts(out, "::::::\n");
	}
	*added = !found;
}

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

static int write_all(int fd, struct str s)
{
	while (s.n) {
		ssize_t n = write(fd, s.p, s.n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		s = str_from(s, (size_t)n);
	}
	return fsync(fd);
}

static int replace(struct pwfile *f, struct str content, struct err *e)
{
	int fd, rc;

	snprintf(f->tmp, sizeof f->tmp, "%s.XXXXXX", f->real);
	fd = mkostemp(f->tmp, O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "can't write beside %s", f->real);
	rc = write_all(fd, content);
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

int pwfile_set(const char *path, struct str user, struct str hash, bool *added, struct err *e)
{
	struct pwfile f = {.dir_fd = -1};
	struct buf out = BUF_INIT;
	int rc = -1;

	if (locate(&f, path, e) == 0 && load(&f, e) == 0) {
		pwfile_edit(buf_str(&f.content), user, hash, &out, added);
		rc = replace(&f, buf_str(&out), e);
	}
	if (f.dir_fd >= 0)
		close(f.dir_fd);
	buf_wipe(&f.content);
	buf_wipe(&out);
	return rc;
}
