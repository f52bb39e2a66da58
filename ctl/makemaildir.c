/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/makemaildir.h"
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/base/buf.h"
#include "common/base/ensure.h"
#include "ctl/owner.h"

int makemaildir_at(int at, const char *name, bool folder, mode_t mode, struct err *e)
{
	static const char *const subs[] = {"tmp", "new", "cur"};
	int rc = mkdirat(at, name, mode), fd, file;

	if (rc < 0)
		return err_sys(e, "%s", name);
	fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	for (size_t i = 0; i < ARRAY_LEN(subs) && rc == 0; i++)
		rc = fd < 0 ? -1 : mkdirat(fd, subs[i], mode);
	if (rc == 0 && folder) {
		file = openat(fd, "maildirfolder", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		rc = file < 0 ? -1 : close(file);
	}
	if (rc < 0)
		err_sys(e, "can't make %s whole", name);
	else if (fsync(fd) < 0 || fsync(at) < 0)
		rc = err_sys(e, "can't make %s durable", name);
	if (fd >= 0)
		close(fd);
	return rc;
}

/* In the directory around path, as who owns that: the last part, as a Maildir or as a mere directory. */
static int make_last(struct str p, bool maildir, mode_t mode, struct err *e)
{
	struct buf around = BUF_INIT;
	char *name;
	size_t slash;
	int at, rc = -1;

	while (p.n > 1 && str_ends(p, STR("/")))
		p.n--;
	slash = str_rfind(p, '/');
	name = str_dup(slash == p.n ? p : str_from(p, slash + 1));
	buf_str_put(&around, slash == p.n ? STR(".") : str_sub(p, 0, slash ? slash : 1));
	if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
		err_set(e, 0, "\"%.*s\" can't be made", STR_ARG(p));
	} else {
		at = owner_open(buf_cstr(&around), e);
		if (at >= 0 && maildir)
			rc = makemaildir_at(at, name, false, mode, e);
		else if (at >= 0 && mkdirat(at, name, mode) < 0)
			rc = err_sys(e, "%.*s", STR_ARG(p));
		else if (at >= 0)
			rc = fsync(at) == 0 ? 0 : err_sys(e, "%s", buf_cstr(&around));
		if (at >= 0)
			close(at);
	}
	free(name);
	buf_deinit(&around);
	return rc;
}

int makemaildir(const char *path, mode_t mode, struct err *e)
{
	return make_last(str_c(path), true, mode, e);
}

/* Somebody else who makes it at the same time is no fault. */
static int make_missing(struct str path, bool maildir, mode_t mode, struct err *e)
{
	char *p = str_dup(path);
	struct stat st;
	int rc = 0;

	if (lstat(p, &st) < 0 && errno == ENOENT)
		rc = make_last(path, maildir, mode, e);
	free(p);
	return rc < 0 && e->code != EEXIST ? -1 : 0;
}

int makemaildir_deep(const char *path, mode_t mode, struct err *e)
{
	struct str whole = str_c(path);

	while (whole.n > 1 && str_ends(whole, STR("/")))
		whole.n--;
	for (size_t i = 1; i < whole.n; i++)
		if (whole.p[i] == '/' && whole.p[i - 1] != '/' &&
		    make_missing(str_sub(whole, 0, i), false, mode, e) < 0)
			return -1;
	return make_missing(whole, true, mode, e);
}
