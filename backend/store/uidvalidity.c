/* SPDX-License-Identifier: Apache-2.0 */
/* uidvalidity: one counter per store, so that a name that is deleted and made again never repeats one.
 * <Maildir>/posthouse/uidvalidity holds the last one given. */
#include <fcntl.h>
#include <sys/stat.h>

#include "backend/store/store_int.h"
#include "common/base/clock.h"

#define LOCK_NAME "uidvalidity.lock"

static int lock_counter(struct store *st, int ph)
{
	uint64_t end = clock_ms() + st->o.set->lock_timeout * 1000;
	struct stat sb;

	for (;;) {
		int fd = openat(ph, LOCK_NAME, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (fd >= 0) {
			close(fd);
			return 0;
		}
		if (errno != EEXIST)
			return -1;
		/* It is held for some milliseconds: one that is seconds old was left by the dead. */
		if (fstatat(ph, LOCK_NAME, &sb, AT_SYMLINK_NOFOLLOW) == 0 &&
		    files_now_ns(st->o.maildir_fd, NULL) / NS_PER_S - sb.st_mtime > 10)
			unlinkat(ph, LOCK_NAME, 0);
		if (clock_ms() > end) {
			errno = EAGAIN;
			return -1;
		}
		usleep(2000);
	}
}

static int read_last(int ph, uint32_t *last)
{
	struct buf b = BUF_INIT;
	struct err e = {.code = 0};
	int rc = files_read_whole(ph, "uidvalidity", 64, &b, &e);

	if (rc == 0 && !str_u32(str_trim(buf_str(&b)), last))
		*last = 0;
	buf_deinit(&b);
	errno = e.code;
	return rc < 0 && e.code != ENOENT ? -1 : 0;
}

/* above: of those given before; at_least: it becomes this one, where it is less. */
static uint32_t count(int ph, uint32_t above, uint32_t at_least)
{
	struct err e;
	uint32_t last = 0, now = (uint32_t)clock_wall_s();
	char text[16];

	if (read_last(ph, &last) < 0)
		return 0;
	if (at_least && last >= at_least)
		return last;
	if (last < above)
		last = above;
	if (last == UINT32_MAX) {
		errno = ERANGE;
		return 0;
	}
	uint32_t next = at_least ? at_least : last + 1 > now ? last + 1 : now;
	snprintf(text, sizeof text, "%u\n", next);
	if (files_write_whole(ph, "uidvalidity", str_c(text), &e) < 0) {
		errno = e.code;
		return 0;
	}
	return next;
}

static uint32_t counted(struct store *st, uint32_t above, uint32_t at_least)
{
	struct err e;

	if (mkdirat(st->o.maildir_fd, "posthouse", 0700) < 0 && errno != EEXIST)
		return 0;
	int ph = files_open_dir(st->o.maildir_fd, "posthouse", &e);
	if (ph < 0) {
		errno = e.code;
		return 0;
	}
	uint32_t v = 0, last = 0;
	if (at_least && read_last(ph, &last) == 0 && last >= at_least) {
		v = last;
	} else if (lock_counter(st, ph) == 0) {
		v = count(ph, above, at_least);
		int saved = errno;
		unlinkat(ph, LOCK_NAME, 0);
		errno = saved;
	}
	int saved = errno;
	close(ph);
	errno = saved;
	return v;
}

uint32_t uidvalidity_new(void *ctx, uint32_t above)
{
	return counted(ctx, above, 0);
}

int uidvalidity_seen(struct store *st, uint32_t v)
{
	return counted(st, 0, v) ? 0 : -1;
}
