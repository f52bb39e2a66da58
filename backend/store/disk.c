/* SPDX-License-Identifier: Apache-2.0 */
/* disk: the chain of generations: opening, following, locking, appending, compacting. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "backend/store/disk_int.h"
#include "common/base/ensure.h"

enum { UIDS_AHEAD = 1000, GENERATION_GAP = 8, CHAIN_MAX = 10000 };
#define MODSEQS_AHEAD 1000000 /* a modseq is 64 bits wide; fewer marks to write for flag changes */

/* ---- the chain -------------------------------------------------------------------------------- */

static void take_journal(struct disk *d, int fd, const struct journal_head *h)
{
	if (d->journal >= 0) {
		d->before += d->offset;
		close(d->journal);
	}
	if (h->snapshot)
		d->before = 0;
	d->journal = fd;
	d->gen = h->gen;
	d->offset = JOURNAL_HEAD_LEN;
}

/* The generation that follows d's. 1: *fd, *h; 0: none; -1 errno. Files whose maker died before the
 * header was whole are passed over. */
static int next_journal(struct disk *d, int *fd, struct journal_head *h)
{
	for (uint64_t g = d->gen + 1; g <= d->gen + GENERATION_GAP; g++) {
		int rc = journal_open(d->ph, g, fd, h);
		if (rc == 0)
			return 1;
		if (rc == -1)
			return errno == ENOENT ? 0 : -1;
	}
	return 0;
}

/*
 * Reads on from d->offset: the rest of this journal, then newer ones. What a follower read behind the
 * end that a newer generation seals doesn't count. *torn: the last journal ends in half a record.
 */
static int read_on(struct disk *d, struct buf *out, bool *reset, bool *torn, struct err *e)
{
	struct journal_head h;
	int fd, more;

	*torn = false;
	for (;;) {
		size_t start = out->n;
		if (journal_read(d->journal, d->offset, UINT64_MAX, out) < 0)
			return err_sys(e, "%s/posthouse/journal", d->dir_name);
		more = next_journal(d, &fd, &h);
		if (more < 0)
			return err_sys(e, "%s/posthouse", d->dir_name);
		if (more) {
			if (h.uidvalidity != d->uidvalidity || h.prev_gen != d->gen || h.prev_end < d->offset) {
				close(fd);
				buf_cut(out, start);
				*reset = true;
				return 0;
			}
			if (out->n - start > h.prev_end - d->offset)
				buf_cut(out, start + (size_t)(h.prev_end - d->offset));
		}
		struct str got = str_from(buf_str(out), start);
		size_t valid = journal_valid(got, torn);
		if (valid < got.n && (more || !*torn)) {
			if (more)
				close(fd);
			buf_cut(out, start);
			*reset = true; /* damage: opening anew mends it */
			return 0;
		}
		buf_cut(out, start + valid);
		d->offset += valid;
		if (!more)
			return 0;
		take_journal(d, fd, &h);
	}
}

/* A generation on top of this one, which is sealed at d->offset. */
static int new_generation(struct disk *d, struct str first, bool snapshot, struct err *e)
{
	struct journal_head h = {.prev_gen = d->gen,
				 .prev_end = d->offset,
				 .uidvalidity = d->uidvalidity,
				 .snapshot = snapshot};
	struct journal_head other;
	int fd;

	for (h.gen = d->gen + 1; h.gen <= d->gen + GENERATION_GAP; h.gen++) {
		if (journal_make(d->ph, &h, first, &fd) == 0) {
			take_journal(d, fd, &h);
			d->offset += first.n;
			return 0;
		}
		if (errno != EEXIST || snapshot)
			break;
		if (journal_open(d->ph, h.gen, &fd, &other) != -2) {
			errno = EEXIST;
			break;
		}
	}
	return err_sys(e, "%s/posthouse: new generation after %llu", d->dir_name, (unsigned long long)d->gen);
}

static struct rec reserve(const struct disk *d)
{
	return (struct rec){
		.type = REC_RESERVE, .uidnext = d->mark.uid_ceiling, .modseq = d->mark.modseq_ceiling};
}

static void reserve_record(const struct disk *d, struct buf *b)
{
	struct rec r = reserve(d);

	rec_put(b, &r);
}

/* The volume takes no writes now, but numbers up to the ceilings count from here on: the record that says so is
 * written before any other. */
static void owe_reserve(struct disk *d)
{
	d->owed = reserve(d);
	d->owes = true;
}

int disk_seal(struct disk *d, struct err *e)
{
	struct buf b = BUF_INIT;
	bool reset = false, torn;

	if (read_on(d, &d->pending, &reset, &torn, e) < 0)
		return -1;
	if (reset)
		return err_set(e, ESTALE, "%s/posthouse changed while its lock was taken over", d->dir_name);
	if (mark_read(d->ph, &d->mark) < 0)
		return err_sys(e, "%s/posthouse/mark", d->dir_name);
	reserve_record(d, &b);
	int rc = new_generation(d, buf_str(&b), false, e);
	if (rc == 0)
		buf_str_put(&d->pending, buf_str(&b));
	buf_deinit(&b);
	return rc;
}

/* ---- opening ---------------------------------------------------------------------------------- */

static int open_ph(struct disk *d, struct err *e)
{
	int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

	d->ph = openat(d->o.dir_fd, "posthouse", flags);
	if (d->ph < 0 && errno == ENOENT) {
		if (mkdirat(d->o.dir_fd, "posthouse", 0700) < 0 && errno != EEXIST)
			return err_sys(e, "%s/posthouse", d->dir_name);
		if (fsync(d->o.dir_fd) < 0)
			return err_sys(e, "%s", d->dir_name);
		d->ph = openat(d->o.dir_fd, "posthouse", flags);
	}
	return d->ph < 0 ? err_sys(e, "%s/posthouse", d->dir_name) : 0;
}

/*
 * Loads from the generation gen, back to a snapshot or the first one, then forward. 0; 1: damaged;
 * -1 *e. On 0, d follows the newest journal; *torn as read_on.
 */
static int load_chain(struct disk *d, uint64_t newest, struct buf *out, bool *torn, struct err *e)
{
	struct journal_head h, base;
	bool reset = false;
	int fd, rc;
	uint64_t g = newest;

	while ((rc = journal_open(d->ph, g, &fd, &h)) == -2 && --g)
		; /* newest one's maker died in the middle of its header */
	if (rc < 0)
		return rc == -2 || errno == ENOENT ? 1 : err_sys(e, "%s/posthouse/journal", d->dir_name);
	d->uidvalidity = h.uidvalidity;
	for (int depth = 0;; depth++) {
		base = h;
		if (h.snapshot || !h.prev_gen)
			break;
		close(fd);
		if (depth == CHAIN_MAX || journal_open(d->ph, base.prev_gen, &fd, &h) != 0)
			return 1;
		if (h.uidvalidity != d->uidvalidity) {
			close(fd);
			return 1;
		}
	}
	if (base.snapshot && snapshot_read(d->ph, base.gen, out) < 0) {
		close(fd);
		return 1;
	}
	take_journal(d, fd, &base);
	if (read_on(d, out, &reset, torn, e) < 0)
		return -1;
	return reset || d->gen < g;
}

/* Whether the journals reach as far as the mark says that they did. */
static bool mark_fits(struct disk *d, bool empty)
{
	if (mark_read(d->ph, &d->mark) < 0) {
		d->mark = (struct disk_mark){.uid_ceiling = 1, .modseq_ceiling = 1};
		return errno == ENOENT && empty; /* its maker died between journal and mark */
	}
	return d->mark.generation < d->gen ||
	       (d->mark.generation == d->gen && d->mark.offset <= d->offset);
}

/* The greatest UIDVALIDITY that is known to have been shown: the store's counter may be damaged, too. */
static uint32_t last_uidvalidity(const struct disk *d)
{
	struct disk_mark m;

	return mark_read(d->ph, &m) == 0 && m.uidvalidity > d->uidvalidity ? m.uidvalidity : d->uidvalidity;
}

/* The generation that nothing of before counts for. The lock is held. */
static int begin(struct disk *d, struct journal_head *h, struct str records, struct err *e)
{
	int fd;

	if (!h->uidvalidity)
		h->uidvalidity = d->o.new_uidvalidity(d->o.ctx, last_uidvalidity(d));
	if (!h->uidvalidity)
		return err_sys(e, "%s: no new UIDVALIDITY", d->dir_name);
	h->snapshot = records.n > 0;
	if (h->snapshot && snapshot_write(d->ph, h->gen, records) < 0)
		return err_sys(e, "%s/posthouse/snapshot", d->dir_name);
	if (journal_make(d->ph, h, STR_NONE, &fd) < 0)
		return err_sys(e, "%s/posthouse/journal", d->dir_name);
	d->uidvalidity = h->uidvalidity;
	take_journal(d, fd, h);
	d->mark = (struct disk_mark){.uid_ceiling = 1, .modseq_ceiling = 1, .new_mtime = -1, .cur_mtime = -1};
	return mark_write(d, false, e);
}

/* Drops everything and begins again with a new UIDVALIDITY. */
static int begin_anew(struct disk *d, uint64_t newest, struct err *e)
{
	struct journal_head h = {.gen = newest + 1};

	if (d->journal >= 0)
		close(d->journal);
	d->journal = -1;
	d->before = 0;
	return begin(d, &h, STR_NONE, e);
}

/* Whoever made the first journal died before its first byte: no number was given. */
static bool never_begun(struct disk *d, uint64_t newest)
{
	struct disk_mark m;
	struct stat st;
	char name[40];

	journal_name(name, "journal", 1);
	if (newest != 1 || mark_read(d->ph, &m) == 0 || errno != ENOENT ||
	    fstatat(d->ph, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_size)
		return false;
	return unlinkat(d->ph, name, 0) == 0;
}

/* The folder's first generation, with what others left. */
static int begin_first(struct disk *d, struct buf *out, struct err *e)
{
	struct journal_head h = {.gen = 1};
	struct disk_mark m;

	/* Only where the mark is gone as well is it known that we have given no number here. */
	if (d->o.first && mark_read(d->ph, &m) < 0 && errno == ENOENT &&
	    d->o.first(d->o.folder_ctx, &h.uidvalidity, out, e) < 0)
		return -1;
	return begin(d, &h, buf_str(out), e);
}

static bool closed_in_order(const struct disk *d, bool torn)
{
	return !torn && d->mark.clean && d->mark.generation == d->gen && d->mark.offset == d->offset;
}

/* The volume takes no writes now: mail may be read all the same. */
static bool no_writes(const struct err *e)
{
	return e->code == EROFS || e->code == ENOSPC || e->code == EDQUOT;
}

/* Where not even the lock can be made. Nothing is mended; where the folder wasn't closed in order, numbers up to
 * the ceilings count as shown, as far as this process goes. (Else they were never given, and must not be shown
 * now: who writes next doesn't jump to them.) The first change follows and locks like any other. */
static int load_unlocked(struct disk *d, struct buf *out, struct err *e)
{
	uint64_t newest;
	bool torn = false;
	struct err ignored;

	if (journal_newest(d->ph, &newest) < 0 || !newest || load_chain(d, newest, out, &torn, &ignored) != 0 ||
	    !mark_fits(d, out->n == 0))
		return -1; /* *e says why the lock couldn't be made */
	if (!closed_in_order(d, torn)) {
		reserve_record(d, out);
		owe_reserve(d);
	}
	e->code = 0;
	return 0;
}

/* Loads under the lock; damage ends in a new beginning. */
static int load_locked(struct disk *d, struct buf *out, bool *rebuilt, struct err *e)
{
	uint64_t newest;
	bool torn = false;
	int rc;

	if (journal_newest(d->ph, &newest) < 0)
		return err_sys(e, "%s/posthouse", d->dir_name);
	if (!newest || never_begun(d, newest))
		return begin_first(d, out, e);
	rc = load_chain(d, newest, out, &torn, e);
	if (rc < 0)
		return -1;
	/* The first generation has its whole content in its snapshot. */
	bool empty = !torn && d->gen == newest && (!out->n || (newest == 1 && d->offset == JOURNAL_HEAD_LEN));
	if (rc > 0 || !mark_fits(d, empty)) {
		buf_cut(out, 0);
		*rebuilt = true;
		return begin_anew(d, newest, e);
	}
	if (!d->mark.generation && mark_write(d, false, e) < 0) /* its maker died before it was there */
		return no_writes(e) ? 0 : -1;
	d->was_clean = closed_in_order(d, torn);
	if (d->was_clean)
		return 0;
	/* Not closed in order, or open in another process: numbers up to the ceilings may have been shown. */
	struct buf b = BUF_INIT;
	reserve_record(d, &b);
	if (torn)
		rc = new_generation(d, buf_str(&b), false, e);
	else
		rc = disk_append(d, buf_str(&b), true, e);
	if (rc < 0 && no_writes(e)) {
		owe_reserve(d); /* as load_unlocked does */
		rc = 0;
	}
	if (rc == 0)
		buf_str_put(out, buf_str(&b));
	buf_deinit(&b);
	return rc;
}

int disk_open(const struct disk_opts *o, struct disk **out, struct buf *records, bool *rebuilt, struct err *e)
{
	struct disk *d = xcalloc(1, sizeof *d);

	d->o = *o;
	d->dir_name = xstrdup(o->dir_name);
	d->ph = d->journal = -1;
	*rebuilt = false;
	buf_reset(records);
	if (open_ph(d, e) < 0)
		goto failed;
	if (o->use_locks && lock_take(d, e) < 0) {
		if (!no_writes(e) || load_unlocked(d, records, e) < 0)
			goto failed;
		*out = d;
		return 0;
	}
	d->locked = true;
	int rc = load_locked(d, records, rebuilt, e);
	if (rc == 0 && !disk_still_locked(d))
		rc = err_set(e, EAGAIN, "%s/posthouse/lock was taken over", d->dir_name);
	disk_unlock(d);
	if (rc < 0)
		goto failed;
	*out = d;
	return 0;
failed:
	disk_close(&d);
	*out = NULL;
	return -1;
}

void disk_close(struct disk **dp)
{
	struct disk *d = *dp;

	if (!d)
		return;
	if (d->locked)
		disk_unlock(d);
	if (d->journal >= 0)
		close(d->journal);
	if (d->ph >= 0 && d->own_file)
		lock_forget(d);
	if (d->ph >= 0)
		close(d->ph);
	buf_deinit(&d->pending);
	free(d->dir_name);
	free(d);
	*dp = NULL;
}

uint32_t disk_uidvalidity(const struct disk *d)
{
	return d->uidvalidity;
}

uint64_t disk_generation(const struct disk *d)
{
	return d->gen;
}

uint64_t disk_offset(const struct disk *d)
{
	return d->offset;
}

uint64_t disk_journal_size(const struct disk *d)
{
	return d->before + d->offset;
}

bool disk_was_clean(const struct disk *d, int64_t *new_mtime, int64_t *cur_mtime)
{
	*new_mtime = d->mark.new_mtime;
	*cur_mtime = d->mark.cur_mtime;
	return d->was_clean;
}

/* ---- following, locking, appending ------------------------------------------------------------ */

int disk_tail(struct disk *d, struct buf *records, bool *reset, struct err *e)
{
	struct stat st;
	bool torn;

	*reset = false;
	buf_str_put(records, buf_str(&d->pending));
	buf_reset(&d->pending);
	if (fstat(d->ph, &st) < 0 || st.st_nlink == 0) {
		*reset = true; /* the folder was deleted */
		return 0;
	}
	return read_on(d, records, reset, &torn, e);
}

/* A journal that was opened while its volume was read-only. */
static void make_writable(struct disk *d)
{
	struct journal_head h;
	int fd;

	if ((fcntl(d->journal, F_GETFL) & O_ACCMODE) != O_RDONLY || journal_open(d->ph, d->gen, &fd, &h) != 0)
		return;
	close(d->journal);
	d->journal = fd;
}

int disk_lock(struct disk *d, struct buf *records, bool *reset, struct err *e)
{
	bool torn = false;

	ASSERT(!d->locked);
	*reset = false;
	if (d->o.use_locks && lock_take(d, e) < 0)
		return -1;
	d->locked = true;
	make_writable(d);
	buf_str_put(records, buf_str(&d->pending));
	buf_reset(&d->pending);
	int rc = read_on(d, records, reset, &torn, e);
	if (rc == 0 && torn && !*reset) {
		rc = disk_seal(d, e);
		buf_str_put(records, buf_str(&d->pending));
		buf_reset(&d->pending);
	}
	if (rc < 0 || *reset)
		disk_unlock(d);
	return rc;
}

bool disk_locked(const struct disk *d)
{
	return d->locked;
}

static int append(struct disk *d, struct str records, bool sync, struct err *e)
{
	struct err ignored;

	if (journal_write(d->journal, records, d->offset) == 0 && (!sync || fdatasync(d->journal) == 0)) {
		d->offset += records.n;
		return 0;
	}
	err_sys(e, "%s/posthouse/journal", d->dir_name);
	/* What may lie behind offset must never be read as valid. Where even this fails (full disk), the
	 * tail is torn and the next holder of the lock seals it. */
	new_generation(d, STR_NONE, false, &ignored);
	return -1;
}

static int pay_reserve(struct disk *d, struct err *e)
{
	struct buf b = BUF_INIT;

	if (!d->owes)
		return 0;
	rec_put(&b, &d->owed);
	int rc = append(d, buf_str(&b), false, e);
	d->owes = rc < 0;
	buf_deinit(&b);
	return rc;
}

int disk_append(struct disk *d, struct str records, bool sync, struct err *e)
{
	ASSERT(d->locked);
	return pay_reserve(d, e) < 0 ? -1 : append(d, records, sync, e);
}

int disk_sync(struct disk *d, struct err *e)
{
	return fdatasync(d->journal) < 0 ? err_sys(e, "%s/posthouse/journal", d->dir_name) : 0;
}

bool disk_still_locked(const struct disk *d)
{
	return d->locked && (!d->o.use_locks || lock_ours(d));
}

void disk_unlock(struct disk *d)
{
	if (d->locked && d->o.use_locks)
		lock_release(d);
	d->locked = false;
}

int disk_reserve(struct disk *d, uint32_t uid, uint64_t modseq, struct err *e)
{
	struct disk_mark m;

	ASSERT(d->locked);
	if (uid < d->mark.uid_ceiling && modseq < d->mark.modseq_ceiling)
		return 0;
	if (mark_read(d->ph, &m) == 0) { /* another process may have gone further */
		if (m.uid_ceiling > d->mark.uid_ceiling)
			d->mark.uid_ceiling = m.uid_ceiling;
		if (m.modseq_ceiling > d->mark.modseq_ceiling)
			d->mark.modseq_ceiling = m.modseq_ceiling;
		if (uid < d->mark.uid_ceiling && modseq < d->mark.modseq_ceiling)
			return 0;
	}
	struct disk_mark before = d->mark;
	if (uid >= d->mark.uid_ceiling)
		d->mark.uid_ceiling = uid > UINT32_MAX - UIDS_AHEAD - 1 ? UINT32_MAX : uid + UIDS_AHEAD;
	if (modseq >= d->mark.modseq_ceiling)
		d->mark.modseq_ceiling = modseq + MODSEQS_AHEAD;
	int rc = 0;
	if (d->o.reserved && d->mark.uid_ceiling != before.uid_ceiling)
		rc = d->o.reserved(d->o.folder_ctx, d->uidvalidity, d->mark.uid_ceiling, e);
	/* The mark says how long the journal is: after a power cut it must be so long. */
	if (rc == 0)
		rc = disk_sync(d, e);
	if (rc == 0)
		rc = mark_write(d, false, e);
	if (rc < 0)
		d->mark = before; /* not reserved: the next one must try again */
	return rc;
}

uint32_t disk_uid_ceiling(struct disk *d)
{
	struct disk_mark m;

	ASSERT(d->locked);
	return mark_read(d->ph, &m) == 0 && m.uid_ceiling > d->mark.uid_ceiling ? m.uid_ceiling : d->mark.uid_ceiling;
}

int disk_mark_clean(struct disk *d, int64_t new_mtime, int64_t cur_mtime, struct err *e)
{
	struct disk_mark m;

	ASSERT(d->locked);
	if (pay_reserve(d, e) < 0 || disk_sync(d, e) < 0)
		return -1;
	if (mark_read(d->ph, &m) == 0) {
		d->mark.uid_ceiling = m.uid_ceiling > d->mark.uid_ceiling ? m.uid_ceiling : d->mark.uid_ceiling;
		if (m.modseq_ceiling > d->mark.modseq_ceiling)
			d->mark.modseq_ceiling = m.modseq_ceiling;
	}
	d->mark.new_mtime = new_mtime;
	d->mark.cur_mtime = cur_mtime;
	return mark_write(d, true, e);
}

int disk_compact(struct disk *d, struct str records, struct err *e)
{
	uint64_t old = d->gen;
	struct journal_head h;
	int fd;

	ASSERT(d->locked);
	/* A torn file of that number would be in the way: compaction can wait for the next generation. */
	if (journal_open(d->ph, old + 1, &fd, &h) != -1 || errno != ENOENT)
		return err_set(e, EEXIST, "%s/posthouse/journal.%llu is there already", d->dir_name,
			       (unsigned long long)old + 1);
	if (snapshot_write(d->ph, old + 1, records) < 0)
		return err_sys(e, "%s/posthouse/snapshot", d->dir_name);
	if (new_generation(d, STR_NONE, true, e) < 0)
		return -1;
	journal_prune(d->ph, old);
	return 0;
}

int disk_restart(struct disk *d, uint32_t uidvalidity, struct str records, struct err *e)
{
	struct journal_head h = {.gen = d->gen + 1,
				 .prev_gen = d->gen,
				 .prev_end = d->offset,
				 .uidvalidity = uidvalidity};
	struct journal_head other;
	int fd;

	ASSERT(d->locked && uidvalidity > d->uidvalidity && records.n);
	if (journal_open(d->ph, h.gen, &fd, &other) != -1 || errno != ENOENT)
		return err_set(e, EEXIST, "%s/posthouse/journal.%llu is there already", d->dir_name,
			       (unsigned long long)h.gen);
	return begin(d, &h, records, e);
}
