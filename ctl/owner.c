/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/owner.h"
#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>
#include "common/base/buf.h"
#include "common/sys/priv.h"

static int become(const char *path, const struct stat *st, struct err *e)
{
	const struct passwd *pw;

	if (geteuid() == st->st_uid)
		return 0;
	if (geteuid() != 0)
		return err_set(
			e, EPERM,
			"%s belongs to uid %u, this is uid %u: run it as its owner, or as root",
			path, st->st_uid, geteuid());
	pw = st->st_gid == 0 ? getpwuid(st->st_uid) : NULL;
	return priv_become(st->st_uid,
			   pw		? pw->pw_gid
			   : st->st_gid ? st->st_gid
					: st->st_uid,
			   -1, e);
}

int owner_open(const char *path, struct err *e)
{
	struct stat st, again;
	struct buf p = BUF_INIT;
	int fd;

	buf_puts(&p, path);
	while (p.n > 1 && p.p[p.off + p.n - 1] == '/') /* "link/" is what the link points to */
		buf_cut(&p, p.n - 1);
	path = buf_cstr(&p);
	if (lstat(path, &st) < 0) {
		err_sys(e, "%s", path);
	} else if (S_ISLNK(st.st_mode)) {
		err_set(e, ELOOP, "%s is a symbolic link: name the directory itself", path);
	} else if (!S_ISDIR(st.st_mode)) {
		err_set(e, ENOTDIR, "%s is no directory", path);
	} else if (become(path, &st, e) == 0) {
		fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0) {
			err_sys(e, "can't open %s as its owner, uid %u", path, st.st_uid);
		} else if (fstat(fd, &again) < 0 || again.st_uid != st.st_uid) {
			err_set(e, EPERM, "%s was exchanged meanwhile", path);
			close(fd);
		} else {
			buf_deinit(&p);
			return fd;
		}
	}
	buf_deinit(&p);
	return -1;
}
