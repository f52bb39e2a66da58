/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/boxquota.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/base/clock.h"
#include "ctl/ctl.h"
#include "ctl/maildirsum.h"

#define FILE_NAME "maildirsize"

enum found {
	FOUND_NONE,
	FOUND_WHOLE,
	FOUND_DAMAGED,	/* to be counted anew */
	FOUND_UNUSABLE, /* left alone */
};

static enum found read_file(struct boxquota *q, struct stat *st)
{
	char text[MAILDIRSIZE_MAX];
	enum found found = FOUND_UNUSABLE;
	int fd = openat(q->root, FILE_NAME,
			O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	ssize_t n;

	q->m = (struct maildirsize){0};
	if (fd < 0)
		return errno == ENOENT ? FOUND_NONE : FOUND_UNUSABLE;
	if (fstat(fd, st) == 0 && S_ISREG(st->st_mode) &&
	    (n = pread(fd, text, sizeof text, 0)) >= 0)
		found = maildirsize_parse(str_mem(text, (size_t)n), &q->m) && q->m.lines &&
					st->st_size < MAILDIRSIZE_MAX
				? FOUND_WHOLE
				: FOUND_DAMAGED;
	close(fd);
	return found;
}

static int count(struct boxquota *q, const struct quota_limit *limit, struct err *e)
{
	struct buf text = BUF_INIT;
	struct stat st;
	int rc;

	quota_limit_put(&text, limit);
	rc = maildirsum_write(q->root, buf_str(&text), e);
	buf_deinit(&text);
	return rc == 0 && read_file(q, &st) != FOUND_WHOLE
		       ? err_set(e, 0, FILE_NAME " is not to be read")
		       : rc;
}

/* The Maildir that dir is a folder of, or dir itself. */
static int open_root(struct boxquota *q, int dir, struct err *e)
{
	struct stat st, up, trash;
	bool folder = fstatat(dir, "maildirfolder", &st, AT_SYMLINK_NOFOLLOW) == 0;

	q->root = openat(dir, folder ? ".." : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (q->root < 0 || fstat(dir, &st) < 0 || fstat(q->root, &up) < 0)
		return err_sys(e, "the Maildir around the folder");
	if (up.st_uid != st.st_uid)
		return err_set(e, EPERM, "the Maildir around the folder is somebody else's");
	q->counts = !folder || fstatat(q->root, ".Trash", &trash, AT_SYMLINK_NOFOLLOW) < 0 ||
		    trash.st_ino != st.st_ino || trash.st_dev != st.st_dev;
	return 0;
}

int boxquota_open(struct boxquota *q, int dir, const char *quota, struct err *e)
{
	struct quota_limit limit;
	struct stat st;
	enum found found;
	int rc = 0;

	*q = (struct boxquota){.root = -1};
	if (open_root(q, dir, e) < 0)
		return -1;
	found = read_file(q, &st);
	if (!quota || !quota_limit_parse(str_c(quota), &limit) || !quota_limit_any(&limit))
		limit = q->m.limit;
	if (found == FOUND_UNUSABLE)
		err_set(e, 0, "it can't be read, or is not a file");
	else if (quota_limit_any(&limit) &&
		 (found != FOUND_WHOLE || limit.bytes != q->m.limit.bytes ||
		  limit.count != q->m.limit.count))
		rc = count(q, &limit, e);
	q->known = found != FOUND_UNUSABLE && rc == 0 && quota_limit_any(&limit);
	if (found == FOUND_UNUSABLE || rc < 0) /* a quota that can't be kept stops nobody's mail */
		ctl_fault("delivered without a quota: " FILE_NAME ": %s", e->text);
	return 0;
}

static bool over(const struct boxquota *q, int64_t bytes)
{
	int64_t sum;

	return __builtin_add_overflow(q->m.bytes, bytes, &sum) ||
	       quota_limit_over(&q->m.limit, sum, q->m.count + 1);
}

bool boxquota_full(struct boxquota *q, int64_t bytes)
{
	struct quota_limit limit = q->m.limit;
	struct stat st;
	struct err e;

	if (!q->known || !q->counts)
		return false;
	if (read_file(q, &st) !=
	    FOUND_WHOLE) { /* it was, when it was opened: it is being changed */
		if (count(q, &limit, &e) < 0)
			return false;
		return over(q, bytes);
	}
	limit = q->m.limit;
	if (!over(q, bytes))
		return false;
	if (q->m.lines > 1 || st.st_mtime + MAILDIRSIZE_AGE_S <= (time_t)clock_wall_s())
		return count(q, &limit, &e) < 0 || over(q, bytes);
	return true;
}

void boxquota_add(struct boxquota *q, int64_t bytes)
{
	struct buf line = BUF_INIT;
	struct stat st;
	int fd;

	if (!q->known || !q->counts)
		return;
	q->m.bytes += bytes;
	q->m.count++;
	maildirsize_put_line(&line, bytes, 1);
	fd = openat(q->root, FILE_NAME,
		    O_WRONLY | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	/* One write: lines of several writers stay whole. One that is lost is found by the next count. */
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
	    write(fd, buf_str(&line).p, line.n) != (ssize_t)line.n)
		ctl_fault("delivered, but not added to " FILE_NAME ": %s", strerror(errno));
	if (fd >= 0)
		close(fd);
	buf_deinit(&line);
}

static int percent(int64_t use, int64_t limit)
{
	return limit > 0 ? (int)((double)use * 100 / (double)limit) : 0;
}

int boxquota_percent(const struct boxquota *q)
{
	int bytes = percent(q->m.bytes, q->m.limit.bytes),
	    msgs = percent(q->m.count, q->m.limit.count);

	return !q->known ? -1 : bytes > msgs ? bytes : msgs;
}

void boxquota_close(struct boxquota *q)
{
	if (q->root >= 0)
		close(q->root);
	q->root = -1;
}
