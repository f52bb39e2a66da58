/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening a folder whose own files were damaged. The input is a list of damages to good files (byte 0: whether
 * the folder had been closed in order; then what, which file, where, value), since random bytes never pass a
 * CRC; "whole" makes the rest of the input a file as it is. Whatever the damage: what is read begins the
 * history that was written, no UID that was shown is ever given again under the same UIDVALIDITY, and no
 * expunge is forgotten without the loss of the message's own record.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "backend/store/disk.h"
#include "backend/store/history.h"
#include "common/base/ensure.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SHOWN = 9, COMPACTED = 4, GONE_EARLY = 2, GONE_LATE = 6, FILES = 4, FILE_MAX_LEN = 65536 };
enum damage { CUT, FLIP, REMOVE, APPEND, ZERO, WHOLE, COPY, DAMAGE_N };
static const char *const names[FILES] = {"posthouse/journal.1", "posthouse/snapshot.2", "posthouse/journal.2",
					 "posthouse/mark"};
static struct buf good[2][FILES]; /* unclean, clean */
static uint32_t validity;
static uint64_t modseq;
static int dir = -1;

/* ---- good files ------------------------------------------------------------------------------- */

static uint32_t new_validity(void *ctx, uint32_t above)
{
	validity = (validity > above ? validity : above) + 1;
	return validity;
}

static struct disk *must_open(struct buf *records, bool *rebuilt)
{
	struct disk_opts o = {.dir_fd = dir,
			      .dir_name = "fuzz",
			      .use_locks = true,
			      .lock_timeout_ms = 2000,
			      .lock_stale_ms = 120000,
			      .new_uidvalidity = new_validity};
	struct disk *d = NULL;
	struct err e = {0};

	ASSERT(disk_open(&o, &d, records, rebuilt, &e) == 0);
	return d;
}

static void put_add(struct buf *b, uint32_t uid)
{
	char base[32];

	snprintf(base, sizeof base, "%u.message", uid);
	struct rec r = {.type = REC_ADD, .uid = uid, .modseq = ++modseq, .base = str_c(base), .size = 5};
	rec_put(b, &r);
}

static void lock(struct disk *d)
{
	struct buf others = BUF_INIT;
	struct err e;
	bool reset;

	ASSERT(disk_lock(d, &others, &reset, &e) == 0 && !reset);
	buf_deinit(&others);
}

static void add(struct disk *d, uint32_t from, uint32_t to)
{
	struct buf b = BUF_INIT;
	struct err e;

	lock(d);
	ASSERT(disk_reserve(d, to, modseq + 10, &e) == 0);
	for (uint32_t uid = from; uid <= to; uid++)
		put_add(&b, uid);
	ASSERT(disk_append(d, buf_str(&b), true, &e) == 0);
	disk_unlock(d);
	buf_deinit(&b);
}

static void expunge(struct disk *d, uint32_t uid)
{
	struct rec r = {.type = REC_EXPUNGE, .uid = uid, .modseq = ++modseq};
	struct buf b = BUF_INIT;
	struct err e;

	rec_put(&b, &r);
	lock(d);
	ASSERT(disk_append(d, buf_str(&b), true, &e) == 0);
	disk_unlock(d);
	buf_deinit(&b);
}

static void compact(struct disk *d, uint32_t to)
{
	struct rec gone = {.type = REC_VANISHED, .uid = GONE_EARLY, .last = GONE_EARLY, .modseq = modseq};
	struct rec state = {
		.type = REC_STATE, .modseq = modseq + to, .uidnext = to + 1, .keeps_expunges = true};
	struct buf b = BUF_INIT;
	struct err e;

	for (uint32_t uid = 1; uid <= to; uid++)
		if (uid != GONE_EARLY)
			put_add(&b, uid);
	rec_put(&b, &gone);
	rec_put(&b, &state);
	lock(d);
	ASSERT(disk_compact(d, buf_str(&b), &e) == 0);
	disk_unlock(d);
	buf_deinit(&b);
}

static void take_file(const char *name, struct buf *b)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	buf_reset(b);
	ASSERT(fd >= 0);
	n = read(fd, buf_reserve(b, FILE_MAX_LEN), FILE_MAX_LEN);
	ASSERT(n > 0);
	buf_added(b, (size_t)n);
	close(fd);
}

static void clear(void)
{
	static const char *const others[] = {"posthouse/journal.3", "posthouse/journal.4", "posthouse/journal.5",
					     "posthouse/snapshot.3", "posthouse/lock"};

	for (size_t i = 0; i < FILES; i++)
		unlinkat(dir, names[i], 0);
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		unlinkat(dir, others[i], 0);
	ASSERT(unlinkat(dir, "posthouse", AT_REMOVEDIR) == 0 || errno == ENOENT);
}

static char path[64];

static void leave(void)
{
	clear();
	rmdir(path);
}

static void make_good(void)
{
	struct buf records = BUF_INIT;
	struct err e;
	bool rebuilt;

	snprintf(path, sizeof path, "%s/fuzz-damage.XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	ASSERT(mkdtemp(path));
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ASSERT(dir >= 0);
	atexit(leave);
	struct disk *d = must_open(&records, &rebuilt);
	add(d, 1, COMPACTED);
	expunge(d, GONE_EARLY);
	compact(d, COMPACTED);
	add(d, COMPACTED + 1, SHOWN);
	expunge(d, GONE_LATE);
	for (size_t i = 0; i < FILES; i++)
		take_file(names[i], &good[0][i]);
	lock(d);
	ASSERT(disk_mark_clean(d, -1, -1, &e) == 0);
	for (size_t i = 0; i < FILES; i++)
		take_file(names[i], &good[1][i]);
	disk_close(&d);
	buf_deinit(&records);
	clear();
}

/* ---- damage ----------------------------------------------------------------------------------- */

static void put_file(const char *name, struct str s)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	ASSERT(fd >= 0);
	ASSERT(write(fd, s.p, s.n) == (ssize_t)s.n);
	close(fd);
}

static void damage_file(struct buf *b, enum damage how, size_t at, uint8_t value)
{
	uint8_t *p = (uint8_t *)b->p + b->off;

	at %= b->n + 1;
	switch (how) {
	case CUT:
		buf_cut(b, at);
		break;
	case FLIP:
		if (at < b->n)
			p[at] ^= value;
		break;
	case ZERO:
		for (size_t i = at; i < b->n && i < at + value; i++)
			p[i] = 0;
		break;
	case APPEND:
		for (size_t i = 0; i < at; i++)
			buf_putc(b, (char)(value + i * at));
		break;
	default:
		break;
	}
}

/* Puts the files there, damaged as the input says. */
static void damage(struct str in)
{
	bool clean = in.n && (in.p[0] & 1), copy = false;
	struct buf f[FILES] = {BUF_INIT, BUF_INIT, BUF_INIT, BUF_INIT};
	bool gone[FILES] = {false};

	for (size_t i = 0; i < FILES; i++)
		buf_str_put(&f[i], buf_str(&good[clean][i]));
	for (in = str_from(in, in.n ? 1 : 0); in.n >= 4; in = str_from(in, 4)) {
		const uint8_t *p = (const uint8_t *)in.p;
		enum damage how = p[0] % DAMAGE_N;
		size_t file = p[0] / DAMAGE_N % FILES;

		if (how == WHOLE) {
			buf_reset(&f[file]);
			buf_str_put(&f[file], str_from(in, 1));
			break;
		}
		gone[file] = gone[file] || how == REMOVE;
		copy = copy || how == COPY;
		damage_file(&f[file], how, (size_t)(p[1] | p[2] << 8), p[3]);
	}
	/* Without its last journal and its mark a folder looks like one that was only just made. */
	gone[3] = gone[3] && !gone[2];
	ASSERT(mkdirat(dir, "posthouse", 0700) == 0);
	for (size_t i = 0; i < FILES; i++)
		if (!gone[i])
			put_file(names[i], buf_str(&f[i]));
	if (copy) /* what a writer leaves that dies while it makes the next generation */
		put_file("posthouse/journal.3", buf_str(&f[2]));
	for (size_t i = 0; i < FILES; i++)
		buf_deinit(&f[i]);
}

/* ---- what must hold --------------------------------------------------------------------------- */

struct seen {
	uint32_t adds, uidnext, last;
};

static void mark(void *ctx, uint32_t lo, uint32_t hi)
{
	bool *there = ctx;

	for (; lo <= hi && lo <= SHOWN; lo++)
		there[lo] = true;
}

static void learn(struct history *h, bool *there, const struct rec *r)
{
	if (r->type == REC_ADD && r->uid <= SHOWN)
		there[r->uid] = true;
	if (r->type == REC_EXPUNGE && r->uid <= SHOWN)
		there[r->uid] = false;
	if (r->type == REC_EXPUNGE || r->type == REC_VANISHED)
		history_add(h, &(struct history_range){r->uid, r->type == REC_VANISHED ? r->last : r->uid, r->modseq}, 100);
	if (r->type == REC_STATE)
		history_forget(h, r->floor);
}

static struct seen history(struct buf *records)
{
	struct seen n = {0, 1};
	struct history h = {0};
	bool there[SHOWN + 1] = {false};
	struct str s = buf_str(records);
	struct rec r;
	int rc;

	while ((rc = rec_get(&s, &r)) == 1) {
		learn(&h, there, &r);
		if (r.type == REC_ADD) {
			ASSERT(r.uid > n.adds);
			n.adds++;
			n.last = r.uid;
		}
		if (r.type == REC_ADD && r.uid >= n.uidnext)
			n.uidnext = r.uid + 1;
		if ((r.type == REC_RESERVE || r.type == REC_STATE) && r.uidnext > n.uidnext)
			n.uidnext = r.uidnext;
	}
	ASSERT(rc == 0);
	ASSERT(history_since(&h, h.floor, mark, there));
	for (uint32_t uid = 1; n.last <= SHOWN && uid <= n.last; uid++)
		ASSERT(h.floor || there[uid]);
	history_free(&h);
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf records = BUF_INIT;
	struct seen n, again;
	uint32_t mine;
	bool rebuilt;

	if (dir < 0)
		make_good();
	mine = validity;
	damage(str_mem(data, size));
	struct disk *d = must_open(&records, &rebuilt);
	n = history(&records);
	if (validity == mine) /* the same UIDVALIDITY as when the messages were shown */
		ASSERT(disk_uidvalidity(d) == 1 && !rebuilt && n.adds <= SHOWN && n.uidnext > SHOWN);
	else
		ASSERT(disk_uidvalidity(d) == validity && n.adds == 0);
	add(d, n.uidnext, n.uidnext);
	mine = validity;
	disk_close(&d);

	/* Mended for good: it opens as it was left. */
	d = must_open(&records, &rebuilt);
	again = history(&records);
	ASSERT(!rebuilt && validity == mine && again.adds == n.adds + 1 && again.uidnext > n.uidnext);
	disk_close(&d);
	clear();
	buf_deinit(&records);
	return 0;
}
