/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "backend/store/disk.h"
#include "common/base/ensure.h"
#include "common/base/rand.h"

static char dir[64];
static int dir_fd;
static uint32_t validity;

static uint32_t new_validity(void *ctx, uint32_t above)
{
	validity = above > validity ? above : validity;
	return ++validity;
}

static struct disk *must_open(struct buf *recs, bool *rebuilt)
{
	struct disk_opts o = {.dir_fd = dir_fd,
			      .dir_name = dir,
			      .use_locks = true,
			      .lock_timeout_ms = 2000,
			      .lock_stale_ms = 120000,
			      .new_uidvalidity = new_validity};
	struct disk *d = NULL;
	struct err e = {0};

	if (disk_open(&o, &d, recs, rebuilt, &e) < 0)
		fail_msg("disk_open: %s", e.text);
	return d;
}

static int setup(void **state)
{
	snprintf(dir, sizeof dir, "/tmp/disk_test.XXXXXX");
	assert_non_null(mkdtemp(dir));
	dir_fd = open(dir, O_RDONLY | O_DIRECTORY);
	validity = 100;
	return 0;
}

static int teardown(void **state)
{
	char cmd[100];

	close(dir_fd);
	snprintf(cmd, sizeof cmd, "%s", dir);
	pid_t pid = fork();
	if (pid == 0) {
		execl("/bin/rm", "rm", "-rf", cmd, (char *)NULL);
		_exit(127);
	}
	waitpid(pid, NULL, 0);
	return 0;
}

static void put_add(struct buf *b, uint32_t uid)
{
	char base[32];
	snprintf(base, sizeof base, "%u.msg", uid);
	struct rec r = {.type = REC_ADD, .uid = uid, .modseq = uid + 10, .base = str_c(base), .size = 5};
	rec_put(b, &r);
}

/* Adds messages from..to as a writer does. */
static void add(struct disk *d, uint32_t from, uint32_t to)
{
	struct buf b = BUF_INIT, in = BUF_INIT;
	struct err e;
	bool reset;

	assert_int_equal(disk_lock(d, &in, &reset, &e), 0);
	assert_false(reset);
	assert_int_equal(disk_reserve(d, to, to + 10, &e), 0);
	for (uint32_t u = from; u <= to; u++)
		put_add(&b, u);
	assert_int_equal(disk_append(d, buf_str(&b), true, &e), 0);
	assert_true(disk_still_locked(d));
	disk_unlock(d);
	buf_deinit(&b);
	buf_deinit(&in);
}

struct seen {
	unsigned adds;
	uint32_t last, uidnext;
};

static struct seen count(struct buf *b)
{
	struct str s = buf_str(b);
	struct seen n = {0, 0, 1};
	struct rec r;
	int rc;

	while ((rc = rec_get(&s, &r)) == 1) {
		if (r.type == REC_ADD) {
			n.adds++;
			n.last = r.uid;
			if (r.uid >= n.uidnext)
				n.uidnext = r.uid + 1;
		} else if ((r.type == REC_RESERVE || r.type == REC_STATE) && r.uidnext > n.uidnext) {
			n.uidnext = r.uidnext;
		}
	}
	assert_int_equal(rc, 0);
	return n;
}

static void records_survive_reopening(void **state)
{
	struct buf b = BUF_INIT;
	struct err e;
	bool rebuilt, reset;
	int64_t nm, cm;
	struct disk *d = must_open(&b, &rebuilt);

	assert_int_equal(disk_uidvalidity(d), 101);
	add(d, 1, 5);
	assert_int_equal(disk_lock(d, &b, &reset, &e), 0);
	assert_int_equal(disk_mark_clean(d, 111, 222, &e), 0);
	disk_unlock(d);
	disk_close(&d);

	d = must_open(&b, &rebuilt);
	assert_false(rebuilt);
	assert_int_equal(disk_uidvalidity(d), 101);
	assert_true(disk_was_clean(d, &nm, &cm));
	assert_int_equal(nm, 111);
	assert_int_equal(cm, 222);
	struct seen n = count(&b);
	assert_int_equal(n.adds, 5);
	assert_int_equal(n.uidnext, 6);
	add(d, 6, 7);
	disk_close(&d); /* not clean: numbers that may have been shown are skipped */

	d = must_open(&b, &rebuilt);
	assert_false(disk_was_clean(d, &nm, &cm));
	n = count(&b);
	assert_int_equal(n.adds, 7);
	assert_true(n.uidnext > 1000);
	disk_close(&d);
	buf_deinit(&b);
}

static void a_follower_reads_what_others_write_over_generations(void **state)
{
	struct buf a = BUF_INIT, b = BUF_INIT, snap = BUF_INIT, in = BUF_INIT;
	struct err e;
	bool rebuilt, reset;
	struct disk *w = must_open(&a, &rebuilt), *f = must_open(&b, &rebuilt);

	buf_reset(&b);
	add(w, 1, 3);
	assert_int_equal(disk_tail(f, &b, &reset, &e), 0);
	assert_int_equal(count(&b).adds, 3);

	add(w, 4, 4);
	assert_int_equal(disk_lock(w, &in, &reset, &e), 0);
	struct rec st = {.type = REC_STATE, .uidnext = 5, .modseq = 14};
	rec_put(&snap, &st);
	for (uint32_t u = 1; u <= 4; u++)
		put_add(&snap, u);
	assert_int_equal(disk_compact(w, buf_str(&snap), &e), 0);
	disk_unlock(w);
	add(w, 5, 6);

	buf_reset(&b);
	assert_int_equal(disk_tail(f, &b, &reset, &e), 0);
	assert_false(reset);
	assert_int_equal(count(&b).adds, 3);
	assert_int_equal(count(&b).last, 6);
	assert_int_equal(disk_generation(f), disk_generation(w));
	assert_int_equal(disk_offset(f), disk_offset(w));
	disk_close(&f);
	disk_close(&w);

	w = must_open(&b, &rebuilt);
	assert_false(rebuilt);
	assert_int_equal(count(&b).adds, 6);
	disk_close(&w);
	buf_deinit(&a);
	buf_deinit(&b);
	buf_deinit(&snap);
	buf_deinit(&in);
}

/* A dead holder's lock is taken over; what it writes afterwards is never read. */
static void a_dead_holder_is_sealed_off(void **state)
{
	struct buf a = BUF_INIT, b = BUF_INIT;
	bool rebuilt, reset;
	struct err e;
	int go[2], said[2];
	char c;

	assert_int_equal(pipe(go) | pipe(said), 0);
	struct disk *d = must_open(&a, &rebuilt);
	add(d, 1, 2);
	pid_t pid = fork();
	if (pid == 0) {
		struct disk *x = must_open(&b, &rebuilt);
		if (disk_lock(x, &b, &reset, &e) < 0 || write(said[1], "l", 1) != 1)
			_exit(1);
		_exit(0); /* without unlocking */
	}
	assert_int_equal(read(said[0], &c, 1), 1);
	waitpid(pid, NULL, 0);

	uint64_t before = disk_generation(d);
	buf_reset(&b);
	assert_int_equal(disk_lock(d, &b, &reset, &e), 0);
	assert_true(disk_generation(d) > before);
	assert_true(count(&b).uidnext > 1000); /* the dead one may have shown numbers */
	disk_unlock(d);

	/* The old journal grows behind the seal, as by a paused holder: nobody sees it. */
	char name[40];
	snprintf(name, sizeof name, "posthouse/journal.%llu", (unsigned long long)before);
	int f = openat(dir_fd, name, O_WRONLY | O_APPEND);
	buf_reset(&a);
	put_add(&a, 99);
	assert_int_equal(write(f, a.p + a.off, a.n), (ssize_t)a.n);
	close(f);
	disk_close(&d);
	d = must_open(&b, &rebuilt);
	assert_false(rebuilt);
	assert_int_equal(count(&b).adds, 2);
	disk_close(&d);
	buf_deinit(&a);
	buf_deinit(&b);
}

static void a_live_holder_keeps_its_lock(void **state)
{
	struct buf a = BUF_INIT;
	bool rebuilt, reset;
	struct err e;
	struct disk *d = must_open(&a, &rebuilt);
	struct disk_opts o = {.dir_fd = dir_fd, .dir_name = dir, .use_locks = true, .lock_timeout_ms = 300,
			      .lock_stale_ms = 120000, .new_uidvalidity = new_validity};
	struct disk *x;

	assert_int_equal(disk_lock(d, &a, &reset, &e), 0);
	assert_int_equal(disk_open(&o, &x, &a, &rebuilt, &e), -1);
	assert_int_equal(e.code, EAGAIN);
	assert_true(disk_still_locked(d));
	assert_int_equal(unlinkat(dir_fd, "posthouse/lock", 0), 0);
	assert_false(disk_still_locked(d));
	disk_close(&d);
	buf_deinit(&a);
}

static void copy_file(const char *from, const char *to, size_t cut, size_t flip)
{
	struct stat st;
	int f = openat(dir_fd, from, O_RDONLY), t = openat(dir_fd, to, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(f >= 0 && t >= 0);
	assert_int_equal(fstat(f, &st), 0);
	char *p = xmalloc((size_t)st.st_size + 1);
	assert_int_equal(read(f, p, (size_t)st.st_size), st.st_size);
	if (flip < (size_t)st.st_size)
		p[flip] ^= 0x10;
	size_t n = cut < (size_t)st.st_size ? cut : (size_t)st.st_size;
	assert_int_equal(write(t, p, n), (ssize_t)n);
	free(p);
	close(f);
	close(t);
}

/* B64: whatever byte is cut or flipped: the same UIDs, or a new UIDVALIDITY, or numbers above. */
static void damage_never_reuses_a_uid(void **state)
{
	struct buf b = BUF_INIT;
	struct err e;
	struct stat st;
	bool rebuilt, reset;
	struct disk *d = must_open(&b, &rebuilt);

	for (uint32_t u = 1; u <= 6; u += 2)
		add(d, u, u + 1);
	assert_int_equal(disk_lock(d, &b, &reset, &e), 0);
	assert_int_equal(disk_mark_clean(d, -1, -1, &e), 0);
	disk_unlock(d);
	disk_close(&d);
	assert_int_equal(renameat(dir_fd, "posthouse/journal.1", dir_fd, "j"), 0);
	assert_int_equal(renameat(dir_fd, "posthouse/mark", dir_fd, "m"), 0);
	assert_int_equal(fstatat(dir_fd, "j", &st, 0), 0);
	for (size_t i = 0; i < 2 * (size_t)st.st_size; i++) {
		bool flip = i >= (size_t)st.st_size;
		size_t at = flip ? i - (size_t)st.st_size : i;
		for (int g = 1; g < 5; g++) {
			char name[40];
			snprintf(name, sizeof name, "posthouse/journal.%d", g);
			unlinkat(dir_fd, name, 0);
		}
		copy_file("j", "posthouse/journal.1", flip ? SIZE_MAX : at, flip ? at : SIZE_MAX);
		copy_file("m", "posthouse/mark", SIZE_MAX, SIZE_MAX);
		validity = 200;
		d = must_open(&b, &rebuilt);
		struct seen n = count(&b);
		if (disk_uidvalidity(d) == 101)
			assert_true(n.uidnext >= 7);
		else
			assert_int_equal(n.adds, 0);
		disk_close(&d);
	}
	/* Without the mark nothing can be believed but an empty journal. */
	unlinkat(dir_fd, "posthouse/mark", 0);
	d = must_open(&b, &rebuilt);
	assert_true(rebuilt || count(&b).adds == 0);
	disk_close(&d);
	buf_deinit(&b);
}

static void records_round_trip(void **state)
{
	struct buf b = BUF_INIT;
	struct rec r = {.type = REC_ADD, .uid = 7, .modseq = 1ull << 40, .base = STR("1.a"), .extra = STR("ab"),
			.flags = 9, .in_new = true, .internaldate = -5, .size = 10, .wire = 11,
			.kw_add = {1, 500}, .nadd = 2};
	struct rec got;

	rec_put(&b, &r);
	struct str s = buf_str(&b);
	assert_int_equal(rec_get(&s, &got), 1);
	assert_int_equal(got.modseq, r.modseq);
	assert_true(str_eq(got.base, r.base) && str_eq(got.extra, r.extra));
	assert_int_equal(got.internaldate, -5);
	assert_int_equal(got.kw_add[1], 500);
	assert_int_equal(rec_get(&s, &got), 0);
	for (size_t i = 1; i < b.n; i++) {
		s = str_sub(buf_str(&b), 0, i);
		assert_int_equal(rec_get(&s, &got), -1);
	}
	buf_deinit(&b);
}

/* Several processes append at once: every record is there once and the UIDs are distinct. */
static void several_writers_share_a_folder(void **state)
{
	enum { WRITERS = 4, EACH = 50 };
	struct buf b = BUF_INIT;
	bool rebuilt, reset;
	struct err e;
	struct disk *d = must_open(&b, &rebuilt);

	disk_close(&d);
	for (int w = 0; w < WRITERS; w++) {
		if (fork())
			continue;
		d = must_open(&b, &rebuilt);
		uint32_t next = count(&b).uidnext;
		for (int i = 0; i < EACH; i++) {
			buf_reset(&b);
			if (disk_lock(d, &b, &reset, &e) < 0 || reset)
				_exit(1);
			struct seen n = count(&b);
			next = n.uidnext > next ? n.uidnext : next;
			buf_reset(&b);
			put_add(&b, next++);
			if (disk_reserve(d, next, next + 10, &e) < 0 ||
			    disk_append(d, buf_str(&b), false, &e) < 0 || !disk_still_locked(d))
				_exit(2);
			disk_unlock(d);
		}
		_exit(0);
	}
	for (int w = 0; w < WRITERS; w++) {
		int status;
		wait(&status);
		assert_int_equal(status, 0);
	}
	d = must_open(&b, &rebuilt);
	assert_false(rebuilt);
	struct str s = buf_str(&b);
	struct rec r;
	uint32_t last = 0;
	unsigned n = 0;
	while (rec_get(&s, &r) == 1)
		if (r.type == REC_ADD) {
			assert_true(r.uid > last);
			last = r.uid;
			n++;
		}
	assert_int_equal(n, WRITERS * EACH);
	disk_close(&d);
	buf_deinit(&b);
}

static unsigned reserved, refusals;

static int on_reserved(void *ctx, uint32_t uidvalidity, uint32_t ceiling, struct err *e)
{
	reserved = ceiling;
	return refusals && refusals-- ? err_set(e, ENOSPC, "full") : 0;
}

static int first_ones(void *ctx, uint32_t *uidvalidity, struct buf *records, struct err *e)
{
	struct rec state = {.type = REC_STATE, .uidnext = 50, .modseq = 99};

	*uidvalidity = 7;
	put_add(records, 44);
	rec_put(records, &state);
	return 0;
}

static struct disk *open_first(struct buf *recs, bool *rebuilt)
{
	struct disk_opts o = {.dir_fd = dir_fd,
			      .dir_name = dir,
			      .use_locks = true,
			      .lock_timeout_ms = 2000,
			      .lock_stale_ms = 120000,
			      .new_uidvalidity = new_validity,
			      .first = first_ones,
			      .reserved = on_reserved};
	struct disk *d = NULL;
	struct err e = {0};

	if (disk_open(&o, &d, recs, rebuilt, &e) < 0)
		fail_msg("disk_open: %s", e.text);
	return d;
}

static void a_folder_begins_with_what_others_left(void **state)
{
	struct buf b = BUF_INIT;
	bool rebuilt;
	struct rec r;

	for (int i = 0; i < 3; i++) {
		struct disk *d = open_first(&b, &rebuilt);
		struct str s = buf_str(&b);
		assert_false(rebuilt);
		assert_int_equal(disk_uidvalidity(d), 7);
		assert_int_equal(rec_get(&s, &r), 1);
		assert_int_equal(r.uid, 44);
		assert_int_equal(rec_get(&s, &r), 1);
		assert_int_equal(r.uidnext, 50);
		disk_close(&d);
		if (i == 0) /* its maker died before the mark was there */
			assert_int_equal(unlinkat(dir_fd, "posthouse/mark", 0), 0);
	}
	/* But with a journal that has gone and a mark that tells of it, UIDs may have been given. */
	assert_int_equal(unlinkat(dir_fd, "posthouse/journal.1", 0), 0);
	struct disk *d = open_first(&b, &rebuilt);
	assert_true(disk_uidvalidity(d) > 7);
	assert_int_equal(b.n, 0);
	disk_close(&d);
	buf_deinit(&b);
}

static void what_could_not_be_reserved_is_not_given(void **state)
{
	struct buf b = BUF_INIT;
	bool rebuilt, reset;
	struct err e;
	struct disk *d = open_first(&b, &rebuilt);

	assert_int_equal(disk_lock(d, &b, &reset, &e), 0);
	refusals = 2;
	for (int i = 0; i < 2; i++)
		assert_int_equal(disk_reserve(d, 60, 100, &e), -1);
	assert_int_equal(e.code, ENOSPC);
	assert_int_equal(disk_reserve(d, 60, 100, &e), 0);
	assert_true(reserved > 60 && disk_uid_ceiling(d) == reserved);
	reserved = 0;
	assert_int_equal(disk_reserve(d, 61, 100, &e), 0);
	assert_int_equal(reserved, 0);
	disk_close(&d);
	buf_deinit(&b);
}

static void a_restart_is_a_reset_for_others(void **state)
{
	struct buf b = BUF_INIT, in = BUF_INIT;
	struct rec state_rec = {.type = REC_STATE, .uidnext = 3, .modseq = 100};
	bool rebuilt, reset;
	struct err e;
	struct disk *d = must_open(&b, &rebuilt), *other = must_open(&b, &rebuilt);

	add(d, 1, 9);
	buf_reset(&b);
	put_add(&b, 2);
	rec_put(&b, &state_rec);
	assert_int_equal(disk_lock(d, &in, &reset, &e), 0);
	assert_int_equal(disk_restart(d, 5000, buf_str(&b), &e), 0);
	assert_true(disk_still_locked(d));
	disk_unlock(d);
	assert_int_equal(disk_tail(other, &in, &reset, &e), 0);
	assert_true(reset);
	disk_close(&other);
	disk_close(&d);
	buf_reset(&in);
	d = must_open(&in, &rebuilt);
	assert_false(rebuilt);
	assert_int_equal(disk_uidvalidity(d), 5000);
	struct str s = buf_str(&in);
	struct rec r;
	assert_true(rec_get(&s, &r) == 1 && r.type == REC_ADD && r.uid == 2);
	assert_true(rec_get(&s, &r) == 1 && r.type == REC_STATE);
	disk_close(&d);
	buf_deinit(&b);
	buf_deinit(&in);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_round_trip),
		cmocka_unit_test_setup_teardown(records_survive_reopening, setup, teardown),
		cmocka_unit_test_setup_teardown(a_follower_reads_what_others_write_over_generations, setup, teardown),
		cmocka_unit_test_setup_teardown(a_dead_holder_is_sealed_off, setup, teardown),
		cmocka_unit_test_setup_teardown(a_live_holder_keeps_its_lock, setup, teardown),
		cmocka_unit_test_setup_teardown(damage_never_reuses_a_uid, setup, teardown),
		cmocka_unit_test_setup_teardown(several_writers_share_a_folder, setup, teardown),
		cmocka_unit_test_setup_teardown(a_folder_begins_with_what_others_left, setup, teardown),
		cmocka_unit_test_setup_teardown(what_could_not_be_reserved_is_not_given, setup, teardown),
		cmocka_unit_test_setup_teardown(a_restart_is_a_reset_for_others, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
