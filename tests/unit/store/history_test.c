/* SPDX-License-Identifier: Apache-2.0 */
/* The memory of expunges: exact as far as it reaches, through journals, snapshots and files of older versions. */
#include "tests/unit/store/harness.h"

#include "backend/store/disk.h"
#include "backend/store/history.h"
#include "common/base/crc32c.h"
#include "common/ipc/wire.h"

/* ---- the history alone ------------------------------------------------------------------------------ */

static char told[4096];

static void tell(void *ctx, uint32_t lo, uint32_t hi)
{
	size_t n = strlen(told);

	assert_true(lo <= hi);
	if (lo == hi)
		snprintf(told + n, sizeof told - n, "%u ", lo);
	else
		snprintf(told + n, sizeof told - n, "%u:%u ", lo, hi);
}

static void add(struct history *h, uint32_t lo, uint32_t hi, uint64_t modseq, uint64_t max)
{
	history_add(h, &(struct history_range){lo, hi, modseq}, max);
}

static const char *since(const struct history *h, uint64_t modseq)
{
	*told = 0;
	return history_since(h, modseq, tell, NULL) ? told : "unknown";
}

static void ranges(void **state)
{
	struct history h = {0};

	assert_string_equal(since(&h, 0), "");
	add(&h, 5, 5, 10, 100);
	add(&h, 6, 6, 11, 100); /* goes on where the last one ended */
	add(&h, 7, 9, 12, 100);
	add(&h, 11, 11, 15, 100);
	add(&h, 12, 12, 17, 100); /* the UID follows, the modseq doesn't */
	add(&h, 2, 2, 18, 100);
	add(&h, UINT32_MAX - 1, UINT32_MAX, 19, 100);
	assert_int_equal(h.a.n, 5);
	assert_string_equal(since(&h, 0), "5:9 11 12 2 4294967294:4294967295 ");
	assert_string_equal(since(&h, 9), "5:9 11 12 2 4294967294:4294967295 ");
	assert_string_equal(since(&h, 10), "6:9 11 12 2 4294967294:4294967295 ");
	assert_string_equal(since(&h, 13), "9 11 12 2 4294967294:4294967295 ");
	assert_string_equal(since(&h, 14), "11 12 2 4294967294:4294967295 ");
	assert_string_equal(since(&h, 16), "12 2 4294967294:4294967295 ");
	assert_string_equal(since(&h, 19), "4294967295 ");
	assert_string_equal(since(&h, 20), "");
	assert_string_equal(since(&h, UINT64_MAX), "");
	add(&h, 20, 20, 3, 100); /* out of order: never too old to be told */
	assert_string_equal(since(&h, 19), "4294967295 20 ");
	history_free(&h);
}

static void bounds(void **state)
{
	struct history h = {0};

	for (uint32_t i = 0; i < 1000; i++)
		add(&h, 2 * i + 1, 2 * i + 1, 100 + i, 8);
	assert_in_range(h.a.n, 8, 10);
	assert_int_equal(h.floor, 100 + 1000 - h.a.n - 1);
	assert_string_equal(since(&h, h.floor - 1), "unknown");
	assert_string_equal(since(&h, 1097), "1997 1999 ");
	history_forget(&h, 1097);
	assert_int_equal(h.a.n, 2);
	assert_string_equal(since(&h, 1096), "unknown");
	assert_string_equal(since(&h, 1097), "1997 1999 ");
	history_forget(&h, 5);
	assert_int_equal(h.floor, 1097);
	add(&h, 5001, 5001, 2000, 0); /* none at all */
	assert_string_equal(since(&h, 1999), "unknown");
	assert_string_equal(since(&h, 2000), "");
	history_free(&h);
}

/* ---- records ------------------------------------------------------------------------------------------ */

static int read_one(struct buf *b, struct rec *r)
{
	struct str s = buf_str(b);
	int rc = rec_get(&s, r);

	buf_reset(b);
	return rc;
}

static void records(void **state)
{
	struct buf b = BUF_INIT;
	struct rec r = {.type = REC_VANISHED, .uid = 7, .last = 9, .modseq = 12};

	rec_put(&b, &r);
	assert_int_equal(read_one(&b, &r), 1);
	assert_int_equal(r.type, REC_VANISHED);
	assert_int_equal(r.uid, 7);
	assert_int_equal(r.last, 9);
	assert_int_equal(r.modseq, 12);
	r.last = 6;
	rec_put(&b, &r);
	assert_int_equal(read_one(&b, &r), -1);
	r = (struct rec){.type = REC_VANISHED, .uid = 7, .last = 9, .modseq = INT64_MAX};
	rec_put(&b, &r);
	assert_int_equal(read_one(&b, &r), -1); /* beyond 63 bits */
	r = (struct rec){.type = REC_EXPUNGE, .uid = 7, .modseq = (uint64_t)INT64_MAX + 1};
	rec_put(&b, &r);
	assert_int_equal(read_one(&b, &r), -1);
	r = (struct rec){
		.type = REC_STATE, .uidnext = 5, .modseq = 50, .floor = 20, .keeps_expunges = true};
	rec_put(&b, &r);
	assert_int_equal(read_one(&b, &r), 1);
	assert_int_equal(r.floor, 20);
	r.floor = 51;
	rec_put(&b, &r);
	assert_int_equal(read_one(&b, &r), -1);
	buf_deinit(&b);
}

/* A STATE record as version 1 wrote it. */
static void put_old_state(struct buf *b, uint32_t uidnext, uint64_t modseq)
{
	size_t at = b->n;

	wire_u32(b, 28);
	wire_u8(b, REC_STATE);
	wire_u8(b, 1);
	wire_u16(b, 0);
	wire_u32(b, 0);
	wire_u64(b, modseq);
	wire_u32(b, uidnext);
	wire_u32(b, crc32c(0, b->p + b->off + at, b->n - at));
}

static void state_of_version_1_knows_no_expunges(void **state)
{
	struct buf b = BUF_INIT;
	struct rec r;

	put_old_state(&b, 5, 50);
	assert_int_equal(read_one(&b, &r), 1);
	assert_int_equal(r.uidnext, 5);
	assert_int_equal(r.modseq, 50);
	assert_int_equal(r.floor, 50);
	assert_false(r.keeps_expunges);
	rec_put(&b, &r); /* and is still written so */
	assert_int_equal(b.n, 28);
	assert_int_equal(read_one(&b, &r), 1);
	assert_int_equal(r.floor, 50);
	buf_deinit(&b);
}

/* ---- a folder ------------------------------------------------------------------------------------------- */

static int by_start(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static VEC(uint64_t) uids;

static void note(void *ctx, uint32_t lo, uint32_t hi)
{
	assert_true(lo <= hi);
	for (uint64_t uid = lo; uid <= hi; uid++)
		*vec_push(&uids) = uid;
}

static const char *vanished(struct box *x, uint64_t modseq)
{
	uids.n = 0;
	*told = 0;
	folder_vanished_since(x->f, modseq, note, NULL);
	if (uids.n)
		qsort(uids.a, uids.n, sizeof *uids.a, by_start);
	for (size_t i = 0; i < uids.n; i++)
		snprintf(told + strlen(told), sizeof told - strlen(told), "%llu ",
			 (unsigned long long)uids.a[i]);
	return told;
}

static uint64_t expunge_one(struct box *x, uint32_t uid)
{
	box_flags(x, &uid, 1, FLAGS_ADD, MSG_DELETED, NULL, 0);
	box_expunge(x, &uid, 1);
	return x->f->modseq;
}

static void fill(int n)
{
	for (int i = 0; i < n; i++)
		put_msg("INBOX", "x\r\n", 0);
}

static void a_folder_remembers(void **state)
{
	fill(12);
	struct box *x = box_open("INBOX", true);
	uint64_t start = x->f->modseq, a = expunge_one(x, 3), b = expunge_one(x, 9),
		 c = expunge_one(x, 4);
	for (int round = 0; round < 3; round++) {
		assert_string_equal(vanished(x, start), "3 4 9 ");
		assert_string_equal(vanished(x, a), "4 9 ");
		assert_string_equal(vanished(x, b), "4 ");
		assert_string_equal(vanished(x, c), "");
		assert_string_equal(vanished(x, UINT64_MAX), "");
		if (round == 1) { /* now through a snapshot, too */
			set.journal_compact = 100;
			uint32_t one = 1;
			for (int i = 0; i < 100; i++)
				box_flags(x, &one, 1, i % 2 ? FLAGS_REMOVE : FLAGS_ADD, MSG_SEEN,
					  NULL, 0);
			settle();
			assert_true(there("posthouse/snapshot.2"));
		}
		box_close(&x);
		store_restart();
		x = box_open("INBOX", true);
	}
	box_close(&x);
}

static void a_batch_has_ascending_modseqs(void **state)
{
	uint32_t all[] = {1, 2, 3, 4, 5, 6};

	fill(6);
	struct box *x = box_open("INBOX", true);
	for (size_t i = 1; i < 6; i++)
		assert_true(x->f->msgs.a[i].modseq > x->f->msgs.a[i - 1].modseq);
	uint64_t start = x->f->modseq;
	box_flags(x, all, 6, FLAGS_ADD, MSG_DELETED, NULL, 0);
	for (size_t i = 0; i < 6; i++)
		assert_int_equal(x->f->msgs.a[i].modseq, start + 1 + i);
	assert_int_equal(x->f->modseq, start + 6);
	box_expunge(x, all, 6);
	assert_string_equal(vanished(x, start), "1 2 3 4 5 6 ");
	assert_string_equal(vanished(x, start + 9), "4 5 6 ");
	box_close(&x);
}

static void a_folder_forgets(void **state)
{
	set.expunge_history = 4;
	fill(22);
	struct box *x = box_open("INBOX", true);
	uint64_t start = x->f->modseq, at[11];
	for (uint32_t i = 0; i < 11; i++)
		at[i] = expunge_one(x, 2 * i + 1);
	for (int round = 0; round < 2; round++) {
		assert_string_equal(vanished(x, start), "1 3 5 7 9 11 13 15 17 19 21 ");
		assert_string_equal(vanished(x, at[1]), "1 3 5 7 9 11 13 15 17 19 21 ");
		assert_string_equal(vanished(x, at[8]), "19 21 ");
		assert_string_equal(vanished(x, at[10]), "");
		box_close(&x);
		store_restart();
		x = box_open("INBOX", true);
	}
	box_close(&x);
}

/* What a version wrote that kept no expunges in snapshots: nobody is told too little. */
static void a_folder_of_version_1(void **state)
{
	struct disk_opts o = {.dir_fd = dir_fd,
			      .dir_name = "test",
			      .lock_timeout_ms = 1000,
			      .lock_stale_ms = 100000};
	struct buf b = BUF_INIT, snapshot = BUF_INIT;
	struct disk *d;
	struct err e;
	bool rebuilt, reset;

	fill(6);
	struct box *x = box_open("INBOX", true);
	expunge_one(x, 2);
	expunge_one(x, 4);
	uint64_t last = x->f->modseq;
	box_close(&x);
	store_end();
	assert_int_equal(disk_open(&o, &d, &b, &rebuilt, &e), 0);
	assert_int_equal(disk_lock(d, &b, &reset, &e), 0);
	struct str s = buf_str(&b);
	for (struct rec r; rec_get(&s, &r) == 1;)
		if (r.type == REC_ADD && r.uid != 2 && r.uid != 4)
			rec_put(&snapshot, &r);
	put_old_state(&snapshot, 7, last);
	assert_int_equal(disk_compact(d, buf_str(&snapshot), &e), 0);
	assert_int_equal(disk_mark_clean(d, -1, -1, &e), 0);
	disk_close(&d);
	store_start();
	x = box_open("INBOX", true);
	assert_int_equal(x->f->msgs.n, 4);
	assert_string_equal(vanished(x, 1), "2 4 ");
	assert_string_equal(vanished(x, last - 1), "2 4 ");
	assert_string_equal(vanished(x, last), "");
	uint64_t before = x->f->modseq;
	expunge_one(x, 5);
	assert_string_equal(vanished(x, before), "5 ");
	assert_string_equal(vanished(x, before - 1), last == before ? "2 4 5 " : "5 ");
	box_close(&x);
	buf_deinit(&b);
	buf_deinit(&snapshot);
}

/* ---- conditional changes -------------------------------------------------------------------------------- */

static char left_alone[256];

static void on_modified(void *ctx, const uint32_t *a, size_t n)
{
	for (size_t i = 0; i < n; i++)
		snprintf(left_alone + strlen(left_alone), sizeof left_alone - strlen(left_alone),
			 "%u ", a[i]);
}

static const char *flags_if(struct box *x, const uint32_t *a, size_t n, uint64_t unchanged,
			    uint8_t flags)
{
	struct flags_request q = {.uids = a,
				  .n = n,
				  .mode = FLAGS_ADD,
				  .flags = flags,
				  .origin = x,
				  .unchanged_since = unchanged,
				  .modified = on_modified};

	*left_alone = 0;
	folder_flags(x->f, &q, on_done, NULL);
	wait_done();
	return left_alone;
}

static void conditions(void **state)
{
	uint32_t all[] = {1, 2, 3, 4}, two = 2;

	fill(4);
	struct box *x = box_open("INBOX", true);
	uint64_t start = x->f->modseq;
	box_flags(x, &two, 1, FLAGS_ADD, MSG_SEEN, NULL, 0);
	assert_string_equal(flags_if(x, all, 4, start, MSG_FLAGGED), "2 ");
	assert_int_equal(x->f->msgs.a[1].flags, MSG_SEEN);
	assert_int_equal(x->f->msgs.a[2].flags, MSG_FLAGGED);
	assert_string_equal(flags_if(x, all, 4, x->f->modseq, MSG_FLAGGED), "");
	assert_int_equal(x->f->msgs.a[1].flags, MSG_SEEN | MSG_FLAGGED);
	assert_string_equal(flags_if(x, all, 4, 0, MSG_FLAGGED), "1 2 3 4 ");
	box_close(&x);
}

static void conditions_over_slices(void **state)
{
	enum { N = 2300 };
	static uint32_t all[N];
	char name[64];

	for (uint32_t i = 0; i < N; i++) {
		all[i] = i + 1;
		snprintf(name, sizeof name, "cur/%u.x.h:2,", i + 1);
		deliver(name, "x\n");
	}
	struct box *x = box_open("INBOX", true);
	uint64_t start = x->f->modseq;
	uint32_t some[] = {5, 1500, 2299};
	box_flags(x, some, 3, FLAGS_ADD, MSG_SEEN, NULL, 0);
	assert_string_equal(flags_if(x, all, N, start, MSG_FLAGGED), "5 1500 2299 ");
	for (uint32_t i = 1; i < N; i++)
		assert_int_equal(x->f->msgs.a[i].flags,
				 i == 4 || i == 1499 || i == 2298 ? MSG_SEEN : MSG_FLAGGED);
	box_close(&x);
}

#define FOLDER_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ranges),
		cmocka_unit_test(bounds),
		cmocka_unit_test(records),
		cmocka_unit_test(state_of_version_1_knows_no_expunges),
		FOLDER_TEST(a_folder_remembers),
		FOLDER_TEST(a_batch_has_ascending_modseqs),
		FOLDER_TEST(a_folder_forgets),
		FOLDER_TEST(a_folder_of_version_1),
		FOLDER_TEST(conditions),
		FOLDER_TEST(conditions_over_slices),
	};
	int rc = cmocka_run_group_tests(tests, NULL, NULL);

	vec_free(&uids);
	return rc;
}
