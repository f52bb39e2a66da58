/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/aclfile.h"
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include "ctl/foldername.h"

#define HIERACL "courierimaphieracl"

static bool is_dir(int at, const char *name)
{
	struct stat st;

	return fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

/* The directory in the form that the Maildir has. False: there is none. */
static bool find_dir(int at, struct buf *dir)
{
	struct buf other = BUF_INIT;
	bool there = is_dir(at, buf_cstr(dir));

	if (!there && foldername_encode(buf_str(dir), &other) && is_dir(at, buf_cstr(&other))) {
		buf_move(dir, &other);
		there = true;
	}
	buf_deinit(&other);
	return there;
}

static int path_of(int at, struct str folder, struct buf *path, struct err *e)
{
	struct buf dir = BUF_INIT;
	int rc = 0;

	buf_reset(path);
	if (!foldername_dir(folder, &dir))
		rc = err_set(e, 0, "\"%.*s\": a folder is INBOX or INBOX.name", STR_ARG(folder));
	else if (find_dir(at, &dir))
		buf_printf(path, "%.*s/courierimapacl", STR_ARG(buf_str(&dir)));
	else
		buf_printf(path, HIERACL "/%.*s", STR_ARG(str_from(buf_str(&dir), 1)));
	buf_deinit(&dir);
	return rc;
}

/* 1: read; 0: it isn't there; -1. */
static int read_file(int at, const char *path, struct acl *a, struct err *e)
{
	int fd = openat(at, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC), rc = 1;
	struct buf text = BUF_INIT;
	struct err why;
	struct stat st;
	ssize_t got = 0;

	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(e, "can't read %s", path);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		rc = err_set(e, EINVAL, "%s is no regular file", path);
	while (rc == 1 && text.n <= ACL_FILE_MAX &&
	       (got = read(fd, buf_reserve(&text, 65536), 65536)) > 0)
		buf_added(&text, (size_t)got);
	if (rc == 1 && got < 0)
		rc = err_sys(e, "can't read %s", path);
	else if (rc == 1 && text.n > ACL_FILE_MAX)
		rc = err_set(e, EFBIG, "%s is too large to be one", path);
	else if (rc == 1 && acl_parse(buf_str(&text), a, &why) < 0)
		rc = err_set(e, 0, "%s: %s: repair it, or remove the file", path, why.text);
	buf_deinit(&text);
	close(fd);
	return rc;
}

int aclfile_read(int at, struct str folder, struct acl *a, struct err *e)
{
	struct buf path = BUF_INIT;
	int rc = 0;

	while (rc == 0) {
		if (path_of(at, folder, &path, e) < 0)
			rc = -1;
		else
			rc = read_file(at, buf_cstr(&path), a, e);
		if (str_eq(folder, STR("INBOX")))
			break;
		folder = str_sub(folder, 0, str_rfind(folder, '.'));
	}
	if (rc == 0)
		acl_default(a);
	buf_deinit(&path);
	return rc < 0 ? -1 : 0;
}

int aclfile_write(int at, struct str folder, const struct acl *a, struct err *e)
{
	struct buf path = BUF_INIT, text = BUF_INIT;
	char tmp[64];
	int fd = -1, rc = path_of(at, folder, &path, e);

	snprintf(tmp, sizeof tmp, "tmp/acl.%d", (int)getpid());
	if (rc == 0 && str_starts(buf_str(&path), STR(HIERACL "/")) &&
	    mkdirat(at, HIERACL, 0755) < 0 && (errno != EEXIST || !is_dir(at, HIERACL)))
		rc = err_sys(e, "can't make " HIERACL);
	if (rc == 0) {
		acl_put(a, &text);
		fd = openat(at, tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
		if (fd < 0 || write(fd, buf_str(&text).p, text.n) != (ssize_t)text.n ||
		    fsync(fd) < 0 || renameat(at, tmp, at, buf_cstr(&path)) < 0) {
			rc = err_sys(e, "can't write %s", buf_cstr(&path));
			unlinkat(at, tmp, 0);
		}
	}
	if (fd >= 0)
		close(fd);
	buf_deinit(&path);
	buf_deinit(&text);
	return rc;
}

/* Whether a folder has this name, or one below it. */
static bool is_level(int at, struct str name)
{
	struct buf dir = BUF_INIT, below = BUF_INIT, other = BUF_INIT;
	int fd = openat(at, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	bool found = d == NULL; /* not known: it stays */

	buf_printf(&dir, ".%.*s", STR_ARG(name));
	buf_printf(&below, ".%.*s.", STR_ARG(name));
	for (struct dirent *de; d && !found && (de = readdir(d));) {
		struct str n = str_c(de->d_name);

		(void)foldername_form(n, &other);
		found = str_eq(n, buf_str(&dir)) || str_starts(n, buf_str(&below)) ||
			str_eq(buf_str(&other), buf_str(&dir)) ||
			str_starts(buf_str(&other), buf_str(&below));
	}
	if (d)
		closedir(d);
	else if (fd >= 0)
		close(fd);
	buf_deinit(&dir);
	buf_deinit(&below);
	buf_deinit(&other);
	return found;
}

int aclfile_reset(int at, struct err *e)
{
	int fd = openat(at, HIERACL, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), rc = 0;
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (!d)
		return errno == ENOENT ? 0 : err_sys(e, "can't read " HIERACL);
	for (struct dirent *de; rc == 0 && (de = readdir(d));) {
		if (de->d_name[0] == '.' || is_level(at, str_c(de->d_name)))
			continue;
		if (unlinkat(fd, de->d_name, 0) < 0)
			rc = err_sys(e, "can't remove " HIERACL "/%s", de->d_name);
	}
	closedir(d);
	return rc;
}
