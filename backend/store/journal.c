/* SPDX-License-Identifier: Apache-2.0 */
/* journal: the files journal.G and snapshot.G, one by one. Their chain is disk.c's. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>

#include "backend/store/disk_int.h"
#include "common/base/clock.h"
#include "common/base/crc32c.h"
#include "common/ipc/wire.h"

#define JOURNAL_MAGIC 0x314a4850u  /* "PHJ1" */
#define SNAPSHOT_MAGIC 0x31534850u /* "PHS1" */
enum { FORMAT = 1, SNAPSHOT_HEAD = 32, KEEP_SECONDS = 3600, LEFT_OVER_SECONDS = 86400 };

void journal_name(char out[40], const char *kind, uint64_t gen)
{
	snprintf(out, 40, "%s.%" PRIu64, kind, gen);
}

int journal_write(int fd, struct str s, uint64_t at)
{
	while (s.n) {
		ssize_t n = pwrite(fd, s.p, s.n, (off_t)at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			if (n == 0)
				errno = EIO;
			return -1;
		}
		s = str_from(s, (size_t)n);
		at += (uint64_t)n;
	}
	return 0;
}

static void put_head(struct buf *b, const struct journal_head *h)
{
	wire_u32(b, JOURNAL_MAGIC);
	wire_u16(b, FORMAT);
	wire_u16(b, JOURNAL_HEAD_LEN);
	wire_u32(b, h->uidvalidity);
	wire_u32(b, h->snapshot ? 1 : 0);
	wire_u64(b, h->gen);
	wire_u64(b, h->prev_gen);
	wire_u64(b, h->prev_end);
	while (b->n < JOURNAL_HEAD_LEN - 4)
		wire_u8(b, 0);
	wire_u32(b, crc32c(0, b->p + b->off, b->n));
}

static bool get_head(struct str s, struct journal_head *h)
{
	struct wire w = wire_reader(s);
	struct wire end = wire_reader(str_from(s, JOURNAL_HEAD_LEN - 4));

	if (s.n < JOURNAL_HEAD_LEN || wire_get_u32(&end) != crc32c(0, s.p, JOURNAL_HEAD_LEN - 4))
		return false;
	if (wire_get_u32(&w) != JOURNAL_MAGIC || wire_get_u16(&w) != FORMAT ||
	    wire_get_u16(&w) != JOURNAL_HEAD_LEN)
		return false;
	h->uidvalidity = wire_get_u32(&w);
	h->snapshot = wire_get_u32(&w) & 1;
	h->gen = wire_get_u64(&w);
	h->prev_gen = wire_get_u64(&w);
	h->prev_end = wire_get_u64(&w);
	return h->uidvalidity && h->prev_gen < h->gen;
}

int journal_open(int ph, uint64_t gen, int *fd, struct journal_head *h)
{
	char name[40];
	struct buf b = BUF_INIT;
	int rc = -2;

	journal_name(name, "journal", gen);
	int f = openat(ph, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (f < 0 && (errno == EACCES || errno == EROFS))
		f = openat(ph, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (f < 0)
		return -1;
	struct stat st;
	if (fstat(f, &st) == 0 && S_ISREG(st.st_mode) && journal_read(f, 0, JOURNAL_HEAD_LEN, &b) == 0 &&
	    get_head(buf_str(&b), h) && h->gen == gen)
		rc = 0;
	buf_deinit(&b);
	if (rc == 0)
		*fd = f;
	else
		close(f);
	return rc;
}

int journal_make(int ph, const struct journal_head *h, struct str records, int *fd)
{
	char name[40];
	struct buf b = BUF_INIT;

	journal_name(name, "journal", h->gen);
	int f = openat(ph, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (f < 0)
		return -1;
	put_head(&b, h);
	buf_str_put(&b, records);
	int rc = journal_write(f, buf_str(&b), 0);
	if (rc == 0)
		rc = fsync(f);
	if (rc == 0)
		rc = fsync(ph);
	buf_deinit(&b);
	if (rc == 0) {
		*fd = f;
		return 0;
	}
	/* Nobody counts on a file without a header; taken away so that the number is free again. */
	int saved = errno;
	unlinkat(ph, name, 0);
	close(f);
	errno = saved;
	return -1;
}

int journal_read(int fd, uint64_t from, uint64_t to, struct buf *out)
{
	while (from < to) {
		size_t want = to - from < 65536 ? (size_t)(to - from) : 65536;
		char *p = buf_reserve(out, want);
		ssize_t n = pread(fd, p, want, (off_t)from);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		buf_added(out, (size_t)n);
		from += (uint64_t)n;
	}
	return 0;
}

/* A whole record that starts anywhere in s means that bytes in front of it were damaged, not torn. */
static bool record_follows(struct str s)
{
	struct rec r;

	for (size_t i = 1; i + 12 <= s.n; i++) {
		struct str rest = str_from(s, i);
		const uint8_t *p = (const uint8_t *)rest.p;
		if (p[2] || p[3] || !p[4] || p[4] > REC_TYPE_MAX || p[6] || p[7])
			continue; /* cheap refusal: no size over 64 KiB, a known type, zero padding */
		if (rec_get(&rest, &r) == 1)
			return true;
	}
	return false;
}

size_t journal_valid(struct str s, bool *torn)
{
	struct str rest = s;
	struct rec r;
	int rc;

	while ((rc = rec_get(&rest, &r)) == 1)
		;
	*torn = rc < 0 && !record_follows(rest);
	return s.n - rest.n;
}

int snapshot_read(int ph, uint64_t gen, struct buf *out)
{
	char name[40];
	struct buf head = BUF_INIT;
	size_t start = out->n;
	int rc = -1;

	journal_name(name, "snapshot", gen);
	int f = openat(ph, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (f < 0)
		return -1;
	if (journal_read(f, 0, SNAPSHOT_HEAD, &head) < 0 ||
	    journal_read(f, SNAPSHOT_HEAD, UINT64_MAX, out) < 0)
		goto out;
	struct wire w = wire_reader(buf_str(&head));
	uint32_t magic = wire_get_u32(&w), format = wire_get_u32(&w);
	uint64_t g = wire_get_u64(&w), size = wire_get_u64(&w);
	uint32_t crc = wire_get_u32(&w), head_crc = wire_get_u32(&w);
	errno = EBADMSG;
	if (w.bad || magic != SNAPSHOT_MAGIC || format != FORMAT || g != gen ||
	    head_crc != crc32c(0, head.p + head.off, SNAPSHOT_HEAD - 4) || size != out->n - start ||
	    crc != crc32c(0, out->p + out->off + start, size))
		goto out;
	rc = 0;
out:
	if (rc < 0)
		buf_cut(out, start);
	buf_deinit(&head);
	close(f);
	return rc;
}

int snapshot_write(int ph, uint64_t gen, struct str records)
{
	char name[40];
	struct buf head = BUF_INIT;
	int rc;

	journal_name(name, "snapshot", gen);
	/* Left by a writer that died before it made the journal: no journal names it, so nobody reads it. */
	unlinkat(ph, name, 0);
	int f = openat(ph, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (f < 0)
		return -1;
	wire_u32(&head, SNAPSHOT_MAGIC);
	wire_u32(&head, FORMAT);
	wire_u64(&head, gen);
	wire_u64(&head, records.n);
	wire_u32(&head, crc32c(0, records.p, records.n));
	wire_u32(&head, crc32c(0, head.p + head.off, head.n));
	rc = journal_write(f, buf_str(&head), 0);
	if (rc == 0)
		rc = journal_write(f, records, SNAPSHOT_HEAD);
	if (rc == 0)
		rc = fsync(f);
	int saved = errno;
	buf_deinit(&head);
	close(f);
	if (rc < 0)
		unlinkat(ph, name, 0);
	errno = saved;
	return rc;
}

static bool generation_of(const char *name, const char *kind, uint64_t *gen)
{
	struct str s = str_c(name), k = str_c(kind);

	return str_starts(s, k) && s.n > k.n + 1 && s.p[k.n] == '.' && str_u64(str_from(s, k.n + 1), gen);
}

static DIR *open_listing(int ph)
{
	int f = openat(ph, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = f < 0 ? NULL : fdopendir(f);

	if (!dir && f >= 0)
		close(f);
	return dir;
}

/* A lock's file whose user was killed. One that is alive makes itself another. */
static void remove_left_over(int ph, const char *name)
{
	struct stat st;

	if (fstatat(ph, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_mtime + LEFT_OVER_SECONDS < clock_wall_s())
		unlinkat(ph, name, 0);
}

int journal_newest(int ph, uint64_t *gen)
{
	DIR *dir = open_listing(ph);
	struct dirent *de;
	uint64_t g;

	*gen = 0;
	if (!dir)
		return -1;
	for (errno = 0; (de = readdir(dir)); errno = 0) {
		if (generation_of(de->d_name, "journal", &g) && g > *gen)
			*gen = g;
		else if (!strncmp(de->d_name, "lock.", 5))
			remove_left_over(ph, de->d_name);
	}
	int saved = errno;
	closedir(dir);
	errno = saved;
	return saved ? -1 : 0;
}

void journal_prune(int ph, uint64_t keep_from)
{
	DIR *dir = open_listing(ph);
	struct dirent *de;
	struct stat st;
	uint64_t g;

	if (!dir)
		return;
	while ((de = readdir(dir)))
		if ((generation_of(de->d_name, "journal", &g) || generation_of(de->d_name, "snapshot", &g)) &&
		    g < keep_from && fstatat(ph, de->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    st.st_mtime + KEEP_SECONDS < clock_wall_s())
			unlinkat(ph, de->d_name, 0);
	closedir(dir);
}
