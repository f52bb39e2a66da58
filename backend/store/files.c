/* SPDX-License-Identifier: Apache-2.0 */
/* files: blocking helpers for I/O threads. Everything is relative to a directory's descriptor, and no
 * symlink is followed. */
#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "backend/store/store_int.h"
#include "common/base/clock.h"
#include "common/base/fdwrite.h"
#include "common/base/rand.h"

enum { TMP_KEEP_S = 36 * 3600, TREE_DEPTH = 8 };

struct folder_files *files_new(int dir, int cur, int new_fd)
{
	struct folder_files *ff = xcalloc(1, sizeof *ff);

	*ff = (struct folder_files){1, dir, cur, new_fd};
	return ff;
}

struct folder_files *folder_files_get(struct folder *pub)
{
	struct folder_files *ff = fold_of(pub)->files;

	__atomic_add_fetch(&ff->refs, 1, __ATOMIC_RELAXED);
	return ff;
}

void folder_files_put(struct folder_files **ffp)
{
	struct folder_files *ff = *ffp;

	*ffp = NULL;
	if (!ff || __atomic_sub_fetch(&ff->refs, 1, __ATOMIC_ACQ_REL))
		return;
	close(ff->dir);
	close(ff->cur);
	close(ff->new);
	free(ff);
}

int files_open_dir(int at, const char *name, struct err *e)
{
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? err_sys(e, "%s", name) : fd;
}

int files_rename_new(int from, const char *a, int to, const char *b)
{
	struct stat sb;

	if (renameat2(from, a, to, b, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -1;
	/* A file system without that: the name is ours by its base, so nobody else makes it now. */
	if (fstatat(to, b, &sb, AT_SYMLINK_NOFOLLOW) == 0) {
		errno = EEXIST;
		return -1;
	}
	return renameat(from, a, to, b);
}

bool files_is_local(int dir_fd)
{
	struct statfs sf;

	if (fstatfs(dir_fd, &sf) < 0)
		return false;
	switch ((unsigned long)sf.f_type) {
	case EXT4_SUPER_MAGIC:
	case TMPFS_MAGIC:
	case XFS_SUPER_MAGIC:
	case BTRFS_SUPER_MAGIC:
	case F2FS_SUPER_MAGIC:
	case OVERLAYFS_SUPER_MAGIC:
	case RAMFS_MAGIC:
	case 0x2fc12fc1: /* ZFS */
		return true;
	}
	return false;
}

int64_t files_now_ns(int dir_fd, bool *local)
{
	struct timespec now;
	struct stat sb;
	char name[64];
	bool is_local = files_is_local(dir_fd);
	int fd = -1;

	if (local)
		*local = is_local;
	clock_gettime(CLOCK_REALTIME, &now);
	if (!is_local) {
		snprintf(name, sizeof name, "tmp/clock.%016llx", (unsigned long long)rand_u64());
		fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	}
	if (fd >= 0) {
		if (write(fd, "x", 1) == 1 && fstat(fd, &sb) == 0)
			now = sb.st_mtim;
		close(fd);
		unlinkat(dir_fd, name, 0);
	}
	return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

static int copy_bytes(int in, int out)
{
	char *buf = xmalloc(65536);
	ssize_t n;

	while ((n = read(in, buf, 65536)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			break;
		for (ssize_t done = 0; done < n;) {
			ssize_t w = write(out, buf + done, (size_t)(n - done));
			if (w < 0 && errno == EINTR)
				continue;
			if (w < 0) {
				free(buf);
				return -1;
			}
			done += w;
		}
	}
	free(buf);
	return n < 0 ? -1 : 0;
}

int files_copy(int from, const char *a, int to_dir, const char *tmp)
{
	struct stat sb;
	int rc = -1, in = openat(from, a, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);

	if (in < 0)
		return -1;
	int out = openat(to_dir, tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666); /* IMAP_UMASK */
	if (out >= 0 && fstat(in, &sb) == 0 && copy_bytes(in, out) == 0) {
		struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, sb.st_mtim};
		rc = futimens(out, times) < 0 || fsync(out) < 0 ? -1 : 0;
	}
	int saved = errno;
	close(in);
	if (out >= 0 && close(out) < 0 && rc == 0) {
		rc = -1;
		saved = errno;
	}
	if (out >= 0 && rc < 0)
		unlinkat(to_dir, tmp, 0);
	errno = saved;
	return rc;
}

int files_sync_dir(const struct fold *f, int dir_fd)
{
	return f->f.store->o.set->sync_directories ? md_fsync_dir(dir_fd) : 0;
}

int files_write_whole(int dir_fd, const char *name, struct str s, struct err *e)
{
	char tmp[320];

	snprintf(tmp, sizeof tmp, "%s.%016llx", name, (unsigned long long)rand_u64());
	int fd = openat(dir_fd, tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(e, "%s", tmp);
	int rc = fdwrite_sync(fd, s);
	int saved = errno;
	if (close(fd) < 0 && rc == 0) {
		rc = -1;
		saved = errno;
	}
	errno = saved;
	if (rc == 0)
		rc = renameat(dir_fd, tmp, dir_fd, name);
	if (rc < 0) {
		err_sys(e, "%s", name);
		unlinkat(dir_fd, tmp, 0);
		return -1;
	}
	return fsync(dir_fd) < 0 ? err_sys(e, "%s", name) : 0;
}

int files_read_whole(int dir_fd, const char *name, size_t max, struct buf *out, struct err *e)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	size_t start = out->n;
	ssize_t n;

	if (fd < 0)
		return err_sys(e, "%s", name);
	while ((n = read(fd, buf_reserve(out, 16384), 16384)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 || out->n - start + (size_t)n > max) {
			if (n > 0)
				errno = EFBIG;
			err_sys(e, "%s", name);
			close(fd);
			return -1;
		}
		buf_added(out, (size_t)n);
	}
	close(fd);
	return 0;
}

static int remove_tree(int at, const char *name, int depth)
{
	struct err e;
	struct dirent *de;
	int fd, rc = 0;

	if (unlinkat(at, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (depth == 0 || (fd = files_open_dir(at, name, &e)) < 0)
		return -1;
	DIR *dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return -1;
	}
	while ((de = readdir(dir)))
		if (strcmp(de->d_name, ".") != 0 && strcmp(de->d_name, "..") != 0)
			rc |= remove_tree(dirfd(dir), de->d_name, depth - 1);
	closedir(dir);
	return unlinkat(at, name, AT_REMOVEDIR) < 0 ? -1 : rc;
}

int files_remove_tree(int at, const char *name)
{
	return remove_tree(at, name, TREE_DEPTH);
}

void files_purge_tmp(int maildir_fd)
{
	struct err e;
	struct dirent *de;
	struct stat sb;
	int fd = files_open_dir(maildir_fd, "tmp", &e);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((de = readdir(dir)))
		if (fstatat(dirfd(dir), de->d_name, &sb, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(sb.st_mode) &&
		    sb.st_mtime + TMP_KEEP_S < clock_wall_s() && sb.st_ctime + TMP_KEEP_S < clock_wall_s())
			unlinkat(dirfd(dir), de->d_name, 0);
	closedir(dir);
}

void files_remove_gone(int maildir_fd)
{
	struct err e;
	struct dirent *de;
	int fd = files_open_dir(maildir_fd, "posthouse", &e);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((de = readdir(dir)))
		if (str_starts(str_c(de->d_name), STR("gone.")))
			files_remove_tree(dirfd(dir), de->d_name);
	closedir(dir);
}
