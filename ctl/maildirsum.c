/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/maildirsum.h"
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include "common/base/buf.h"

enum { COUNT_TRIES = 3 };

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

static int count_all(int maildir_fd, struct sum *sum, struct err *e)
{
	DIR *d = open_dir(maildir_fd, ".");

	*sum = (struct sum){0};
	if (!d)
		return err_sys(e, "can't read the Maildir");
	for (struct dirent *de; (de = readdir(d));)
		if (de->d_name[0] == '.' && strcmp(de->d_name, "..") != 0 &&
		    strcmp(de->d_name, ".Trash") != 0)
			add_folder(maildir_fd, de->d_name, sum);
	closedir(d);
	return 0;
}

static void look(int maildir_fd, struct stat *st)
{
	if (fstatat(maildir_fd, "maildirsize", st, AT_SYMLINK_NOFOLLOW) < 0)
		*st = (struct stat){0};
}

/* Others append to the file meanwhile: their lines would be lost with it. */
static bool untouched(int maildir_fd, const struct stat *before)
{
	struct stat now;

	look(maildir_fd, &now);
	return now.st_ino == before->st_ino && now.st_size == before->st_size;
}

static int write_file(int maildir_fd, const char *name, struct str text, struct err *e)
{
	int fd = openat(maildir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			0644);
	int rc = 0;

	if (fd < 0 || write(fd, text.p, text.n) != (ssize_t)text.n || fsync(fd) < 0)
		rc = err_sys(e, "can't write maildirsize");
	if (fd >= 0)
		close(fd);
	return rc;
}

int maildirsum_write(int maildir_fd, struct str quota, struct err *e)
{
	struct sum sum;
	struct stat before;
	struct buf text = BUF_INIT;
	char name[64];
	int rc = 0;

	snprintf(name, sizeof name, "tmp/maildirsize.%d", (int)getpid());
	for (int tries = 1; rc == 0; tries++) {
		look(maildir_fd, &before);
		rc = count_all(maildir_fd, &sum, e);
		buf_reset(&text);
		buf_printf(&text, "%.*s\n%12llu %12llu\n", STR_ARG(quota),
			   (unsigned long long)sum.bytes, (unsigned long long)sum.count);
		if (rc == 0)
			rc = write_file(maildir_fd, name, buf_str(&text), e);
		if (rc < 0 || tries == COUNT_TRIES || untouched(maildir_fd, &before))
			break;
		unlinkat(maildir_fd, name, 0);
	}
	if (rc == 0 && renameat(maildir_fd, name, maildir_fd, "maildirsize") < 0)
		rc = err_sys(e, "can't write maildirsize");
	if (rc < 0)
		unlinkat(maildir_fd, name, 0);
	buf_deinit(&text);
	return rc;
}
