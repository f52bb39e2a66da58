/* SPDX-License-Identifier: Apache-2.0 */
/* mark: posthouse/mark, see disk.h. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "backend/store/disk_int.h"
#include "common/base/crc32c.h"
#include "common/ipc/wire.h"

#define MARK_MAGIC 0x314d4850u /* "PHM1" */
enum { MARK_LEN = 64, MARK_FORMAT = 1 };

static bool mark_get(struct str s, struct disk_mark *m)
{
	struct wire w = wire_reader(s);

	if (s.n != MARK_LEN)
		return false;
	uint32_t magic = wire_get_u32(&w), format = wire_get_u32(&w);
	m->generation = wire_get_u64(&w);
	m->offset = wire_get_u64(&w);
	m->uid_ceiling = wire_get_u32(&w);
	m->clean = wire_get_u32(&w) & 1;
	m->modseq_ceiling = wire_get_u64(&w);
	m->new_mtime = wire_get_i64(&w);
	m->cur_mtime = wire_get_i64(&w);
	m->uidvalidity = wire_get_u32(&w);
	uint32_t crc = wire_get_u32(&w);
	return magic == MARK_MAGIC && format == MARK_FORMAT && crc == crc32c(0, s.p, MARK_LEN - 4);
}

int mark_read(int ph, struct disk_mark *m)
{
	struct buf b = BUF_INIT;
	int f = openat(ph, "mark", O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);

	*m = (struct disk_mark){0};
	if (f < 0)
		return -1;
	int rc = journal_read(f, 0, MARK_LEN + 1, &b);
	if (rc == 0 && !mark_get(buf_str(&b), m)) {
		errno = EBADMSG;
		rc = -1;
	}
	int saved = errno;
	buf_deinit(&b);
	close(f);
	errno = saved;
	return rc;
}

int mark_write(struct disk *d, bool clean, struct err *e)
{
	char tmp[64];
	struct buf b = BUF_INIT;

	d->mark.generation = d->gen;
	d->mark.offset = d->offset;
	d->mark.clean = clean;
	wire_u32(&b, MARK_MAGIC);
	wire_u32(&b, MARK_FORMAT);
	wire_u64(&b, d->mark.generation);
	wire_u64(&b, d->mark.offset);
	wire_u32(&b, d->mark.uid_ceiling);
	wire_u32(&b, clean);
	wire_u64(&b, d->mark.modseq_ceiling);
	wire_i64(&b, d->mark.new_mtime);
	wire_i64(&b, d->mark.cur_mtime);
	wire_u32(&b, d->uidvalidity);
	wire_u32(&b, crc32c(0, b.p + b.off, b.n));

	snprintf(tmp, sizeof tmp, "mark.%s", d->token);
	int rc = -1, f = openat(d->ph, tmp, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (f >= 0) {
		rc = journal_write(f, buf_str(&b), 0);
		if (rc == 0)
			rc = fsync(f);
		if (close(f) < 0)
			rc = -1;
		if (rc == 0)
			rc = renameat(d->ph, tmp, d->ph, "mark");
		if (rc == 0)
			rc = fsync(d->ph);
		if (rc < 0) {
			err_sys(e, "%s/posthouse/mark", d->dir_name);
			unlinkat(d->ph, tmp, 0);
		}
	} else {
		err_sys(e, "%s/posthouse/mark", d->dir_name);
	}
	buf_deinit(&b);
	return rc;
}
