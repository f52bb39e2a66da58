/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a folder's journal and snapshot. The first byte says which file they are, and whether
 * check sums are made right, so that what lies behind them is reached too. What is read is applied to
 * a message table, whose order must hold.
 */
#include <fcntl.h>
#include <sys/stat.h>

#include "backend/store/store_int.h"
#include "common/base/crc32c.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { AS_SNAPSHOT = 1, MEND_HEAD = 2, MEND_RECORDS = 4, JOURNAL_HEAD = 64, SNAPSHOT_HEAD = 32 };

static int dir_fd = -1, ph_fd;
static char dir[64];

static void tidy(void)
{
	files_remove_tree(dir_fd, "posthouse");
	rmdir(dir);
}

static void prepare(void)
{
	struct err e;

	if (dir_fd < 0) {
		snprintf(dir, sizeof dir, "/dev/shm/fuzz-journal.XXXXXX");
		ASSERT(mkdtemp(dir));
		dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		disk_host_init();
		atexit(tidy);
	}
	files_remove_tree(dir_fd, "posthouse");
	ASSERT(mkdirat(dir_fd, "posthouse", 0700) == 0);
	ph_fd = files_open_dir(dir_fd, "posthouse", &e);
}

static void put_u32(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

static void put_u64(uint8_t *p, uint64_t v)
{
	put_u32(p, (uint32_t)v);
	put_u32(p + 4, (uint32_t)(v >> 32));
}

static void mend_records(uint8_t *p, size_t n)
{
	while (n >= 12) {
		size_t size = (size_t)p[0] | (size_t)p[1] << 8;
		size = size < 12 ? 12 : size > n ? n : size;
		put_u32(p, (uint32_t)size);
		if (!p[4] || p[4] > REC_TYPE_MAX)
			p[4] = (uint8_t)(p[4] % REC_TYPE_MAX + 1);
		put_u32(p + size - 4, crc32c(0, p, size - 4));
		p += size;
		n -= size;
	}
}

static void write_file(const char *name, const void *p, size_t n)
{
	int fd = openat(ph_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	ASSERT(fd >= 0 && write(fd, p, n) == (ssize_t)n);
	close(fd);
}

static void journal_head(uint8_t *p, bool snapshot)
{
	memcpy(p, "PHJ1\1\0@\0", 8);
	put_u32(p + 8, 77);
	put_u32(p + 12, snapshot);
	put_u64(p + 16, 1);
	put_u64(p + 24, 0);
	put_u64(p + 32, 0);
	put_u32(p + 60, crc32c(0, p, 60));
}

/* Without a mark that fits, everything would be thrown away. */
static void write_mark(void)
{
	uint8_t m[64] = "PHM1\1";

	put_u64(m + 8, 1);
	put_u32(m + 24, 1);
	put_u64(m + 32, 1);
	put_u32(m + 60, crc32c(0, m, 60));
	write_file("mark", m, sizeof m);
}

static void write_files(unsigned how, uint8_t *p, size_t n)
{
	uint8_t head[JOURNAL_HEAD] = {0};
	size_t skip = how & AS_SNAPSHOT ? SNAPSHOT_HEAD : JOURNAL_HEAD;

	if (how & MEND_RECORDS && n > skip)
		mend_records(p + skip, n - skip);
	if (how & AS_SNAPSHOT) {
		if (how & MEND_HEAD && n >= skip) {
			memcpy(p, "PHS1\1\0\0\0", 8);
			put_u64(p + 8, 1);
			put_u64(p + 16, n - skip);
			put_u32(p + 24, crc32c(0, p + skip, n - skip));
			put_u32(p + 28, crc32c(0, p, 28));
		}
		write_file("snapshot.1", p, n);
		journal_head(head, true);
		write_file("journal.1", head, sizeof head);
		return;
	}
	if (how & MEND_HEAD && n >= skip)
		journal_head(p, false);
	write_file("journal.1", p, n);
}

static uint32_t new_validity(void *ctx, uint32_t above)
{
	return 1000;
}

static void vanished(void *ctx, uint32_t lo, uint32_t hi)
{
	ASSERT(lo && lo <= hi);
}

static void apply(struct str records)
{
	struct settings set = {.expunge_history = 8};
	struct store st = {.opaque = NULL, .o = {.set = &set}};
	struct apply_opts o = {0};
	struct fold f = {.f = {.store = &st, .uidnext = 1}};

	list_init(&f.f.listeners);
	index_build(&f.index, &f.f);
	fold_apply(&f, records, &o);
	for (size_t i = 0; i < f.f.msgs.n; i++) {
		const struct msg *m = &f.f.msgs.a[i];
		char name[256];
		ASSERT(m->uid && m->uid < f.f.uidnext && (i == 0 || m->uid > f.f.msgs.a[i - 1].uid));
		for (uint16_t k = 0; m->kw && k < m->kw->n; k++)
			ASSERT(m->kw->kw[k] < f.f.keywords.n);
		fold_name(&f, m, name);
		ASSERT(!strchr(name, '/'));
	}
	for (uint64_t since = 0; since < 8; since++)
		folder_vanished_since(&f.f, since, vanished, NULL);
	folder_vanished_since(&f.f, INT64_MAX, vanished, NULL);
	ASSERT(f.gone.a.n <= 10 && f.f.modseq <= INT64_MAX);
	fold_reap(&f);
	ASSERT(f.f.tombs.n == 0);
	fold_clear(&f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct buf records = BUF_INIT;
	struct disk *d = NULL;
	struct err e;
	bool rebuilt, reset;

	if (!n)
		return 0;
	prepare();
	uint8_t *copy = xmalloc(n);
	memcpy(copy, data + 1, n - 1);
	write_files(data[0], copy, n - 1);
	write_mark();
	free(copy);
	struct disk_opts o = {.dir_fd = dir_fd, .dir_name = "fuzz", .new_uidvalidity = new_validity};
	if (disk_open(&o, &d, &records, &rebuilt, &e) == 0) {
		ASSERT(!rebuilt || disk_uidvalidity(d) == 1000);
		apply(buf_str(&records));
		buf_reset(&records);
		ASSERT(disk_tail(d, &records, &reset, &e) == 0 && !reset && !records.n);
	}
	disk_close(&d);
	close(ph_fd);
	buf_deinit(&records);
	return 0;
}
