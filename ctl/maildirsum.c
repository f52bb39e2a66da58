/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/maildirsum.h"
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include "common/base/buf.h"

struct sum {
	uint64_t bytes, count;
};

static void add_file(int at, const char *name, bool cur, struct sum *sum)
{
	struct str n = str_c(name);
	size_t colon = str_rfind(n, ':');
	struct stat st;

	if (name[0] == '.' || (cur && str_find(str_from(n, colon), 'T') != n.n - colon) ||
	    fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
		return;
	sum->bytes += (uint64_t)st.st_size;
	sum->count++;
}

static DIR *open_dir(int at, const char *name)
{
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (!d && fd >= 0)
		close(fd);
	return d;
}

static void add_folder(int at, const char *folder, struct sum *sum)
{
	static const char *const subs[] = {"new", "cur"};

	for (int i = 0; i < 2; i++) {
		struct buf path = BUF_INIT;
		DIR *d;

		buf_printf(&path, "%s/%s", folder, subs[i]);
		d = open_dir(at, buf_cstr(&path));
		for (struct dirent *de; d && (de = readdir(d));)
			add_file(dirfd(d), de->d_name, i == 1, sum);
		if (d)
			closedir(d);
		buf_deinit(&path);
	}
}

int maildirsum_write(int maildir_fd, struct str quota, struct err *e)
{
	struct sum sum = {0};
	struct buf text = BUF_INIT;
	DIR *d = open_dir(maildir_fd, ".");
	char name[64];
	int fd, rc = 0;

	if (!d)
		return err_sys(e, "can't read the Maildir");
	for (struct dirent *de; (de = readdir(d));)
		if (de->d_name[0] == '.' && strcmp(de->d_name, "..") != 0 &&
		    strcmp(de->d_name, ".Trash") != 0)
			add_folder(maildir_fd, de->d_name, &sum);
	closedir(d);
	buf_printf(&text, "%.*s\n%12llu %12llu\n", STR_ARG(quota), (unsigned long long)sum.bytes,
		   (unsigned long long)sum.count);
	snprintf(name, sizeof name, "tmp/maildirsize.%d", (int)getpid());
	fd = openat(maildir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0 || write(fd, buf_str(&text).p, text.n) != (ssize_t)text.n || fsync(fd) < 0 ||
	    renameat(maildir_fd, name, maildir_fd, "maildirsize") < 0)
		rc = err_sys(e, "can't write maildirsize");
	if (fd >= 0)
		close(fd);
	if (rc < 0)
		unlinkat(maildir_fd, name, 0);
	buf_deinit(&text);
	return rc;
}
