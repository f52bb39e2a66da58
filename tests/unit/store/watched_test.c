/* SPDX-License-Identifier: Apache-2.0 */
/* Folders that the real notifyd watches: nobody asks, changes come. */
#include "tests/unit/notifyd/daemon.h"
#include "tests/unit/store/harness.h"

#include "backend/store/disk.h"
#include "common/base/clock.h"

static struct daemon nd;

static int start_watched(void **state)
{
	nd = (struct daemon){0};
	raise_limit();
	daemon_start(&nd, (const char *const[]){"NOTIFY_PER_UID=100", NULL});
	return setup(state);
}

static int end_watched(void **state)
{
	int rc = teardown(state);

	if (nd.pid > 0)
		daemon_end(&nd, SIGTERM);
	remove_tree(nd.dir);
	return rc;
}

static void wait_until(bool (*ready)(struct box *x), struct box *x)
{
	uint64_t end = clock_ms() + 10000;

	while (!ready(x)) {
		assert_true(clock_ms() < end);
		pause_ms(2);
	}
}

static bool is_live(struct box *x)
{
	return folder_live(x->f);
}

static bool not_live(struct box *x)
{
	return !folder_live(x->f);
}

static unsigned want_added, want_flags, want_expunged;
static bool counted(struct box *x)
{
	return x->added >= want_added && x->flags_told >= want_flags && x->expunged >= want_expunged;
}

static void expect_counts(struct box *x, unsigned added, unsigned flags, unsigned expunged)
{
	want_added = added;
	want_flags = flags;
	want_expunged = expunged;
	wait_until(counted, x);
	assert_int_equal(x->added, added);
	assert_int_equal(x->flags_told, flags);
	assert_int_equal(x->expunged, expunged);
}

static struct box *open_live(const char *name, bool writable)
{
	struct box *x;

	store_set_notify_link(st, joined(&nd, 0));
	x = box_open(name, writable);
	wait_until(is_live, x);
	return x;
}

static void changes_come_by_themselves(void **state)
{
	struct box *x = open_live("INBOX", true);
	uint64_t before = clock_us();

	deliver("tmp/1.a.h", "one\n");
	move("tmp/1.a.h", "new/1.a.h");
	expect_counts(x, 1, 0, 0);
	print_message("delivery to FOLDER_ADDED: %u us\n", (unsigned)(clock_us() - before));
	assert_true(x->f->msgs.a[0].state & MSG_RECENT);
	assert_true(there("cur/1.a.h:2,"));
	deliver("cur/2.b.h:2,S", "two\n");
	expect_counts(x, 2, 0, 0);
	move("cur/2.b.h:2,S", "cur/2.b.h:2,FS");
	expect_counts(x, 2, 1, 0);
	assert_int_equal(x->f->msgs.a[1].flags, MSG_SEEN | MSG_FLAGGED);
	gone("cur/1.a.h:2,");
	expect_counts(x, 2, 1, 1);
	/* our own changes are told once, and come to nothing when their events arrive */
	uint32_t uid = 2;
	box_flags(x, &uid, 1, FLAGS_SET, MSG_DELETED, NULL, 0);
	put_msg("INBOX", "x\r\n", 0);
	box_expunge(x, NULL, 0);
	pause_ms(100);
	expect_counts(x, 3, 2, 2);
	box_sync(x);
	expect_counts(x, 3, 2, 2);
	box_close(&x);
}

static void sync_waits_for_what_happened_before(void **state)
{
	struct box *x = open_live("INBOX", true);
	char name[64];

	for (int i = 0; i < 20; i++) {
		snprintf(name, sizeof name, "new/%d.x.h", i);
		deliver(name, "x\n");
		box_sync(x);
		assert_int_equal(x->added, i + 1);
		snprintf(name, sizeof name, "cur/%d.x.h:2,", i);
		if (i % 3 == 0) {
			gone(name);
			box_sync(x);
			assert_int_equal(x->expunged, i / 3 + 1);
		}
	}
	box_close(&x);
}

/* The folder is still in memory, nobody has it selected. */
static void changes_while_nobody_looks(void **state)
{
	struct box *x = open_live("INBOX", true);

	deliver("cur/1.a.h:2,", "x\n");
	deliver("cur/2.b.h:2,", "x\n");
	deliver("cur/3.c.h:2,", "x\n");
	box_sync(x);
	box_close(&x);
	pause_ms(50);
	gone("cur/2.b.h:2,");
	move("cur/1.a.h:2,", "cur/1.a.h:2,RS");
	deliver("new/4.d.h", "x\n");
	uint64_t before = clock_ms();
	x = box_open("INBOX", true);
	assert_true(clock_ms() - before < 1000);
	unsigned left = 0;
	vec_foreach(m, &x->f->msgs)
		left += !(m->state & MSG_EXPUNGED);
	assert_int_equal(left, 3);
	assert_int_equal(x->f->msgs.a[0].flags, MSG_ANSWERED | MSG_SEEN);
	assert_true(x->f->msgs.a[x->f->msgs.n - 1].state & MSG_RECENT);
	box_close(&x);
}

/* What comes and goes and comes again while nobody has looked yet. */
static void hasty_programs(void **state)
{
	struct box *x = open_live("INBOX", true);

	deliver("cur/1.a.h:2,", "x\n");
	box_sync(x);
	move("cur/1.a.h:2,", "cur/1.a.h:2,F");
	move("cur/1.a.h:2,F", "cur/1.a.h:2,FS");
	gone("cur/1.a.h:2,FS");
	deliver("new/2.b.h", "x\n");
	move("new/2.b.h", "cur/2.b.h:2,S");
	move("cur/2.b.h:2,S", "cur/2.b.h:2,RS");
	deliver("new/3.c.h", "x\n");
	gone("new/3.c.h");
	box_sync(x);
	assert_int_equal(x->expunged, 1);
	assert_int_equal(x->f->msgs.a[x->f->msgs.n - 1].flags, MSG_SEEN | MSG_ANSWERED);
	assert_int_equal(x->f->msgs.a[x->f->msgs.n - 1].uid, x->f->uidnext - 1);
	box_close(&x);
}

enum { STORM_FILES = 1000, STORM_MS = 4000 };

static _Noreturn void rename_for_ever(void)
{
	static char now[STORM_FILES][64];
	char to[64];

	for (int i = 0; i < STORM_FILES; i++)
		snprintf(now[i], sizeof now[i], "cur/%d.x.h:2,", i + 1000);
	for (unsigned round = 0;; round++)
		for (int i = 0; i < STORM_FILES; i++) {
			snprintf(to, sizeof to, "cur/%d.x.h:2,%s", i + 1000, (round + (unsigned)i) % 2 ? "S" : "FS");
			renameat(dir_fd, now[i], dir_fd, to);
			memcpy(now[i], to, sizeof to);
		}
}

static void rename_storm(void **state)
{
	char name[64];

	for (int i = 0; i < STORM_FILES; i++) {
		snprintf(name, sizeof name, "cur/%d.x.h:2,", i + 1000);
		deliver(name, "x\n");
	}
	struct box *x = open_live("INBOX", true);
	assert_int_equal(x->f->msgs.n, STORM_FILES);
	pid_t pid = fork();
	if (pid == 0)
		rename_for_ever();
	uint64_t longest = 0;
	for (uint64_t end = clock_ms() + STORM_MS; clock_ms() < end;) { /* NOOP comes back whatever happens */
		uint64_t t = clock_ms();
		box_sync(x);
		if (clock_ms() - t > longest)
			longest = clock_ms() - t;
		pause_ms(10);
	}
	print_message("longest sync in the storm: %u ms\n", (unsigned)longest);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	pause_ms(200);
	box_sync(x);
	pause_ms(1500);
	box_sync(x);
	assert_int_equal(x->expunged, 0);
	assert_int_equal(x->added, 0);
	assert_true(x->flags_told > 0);
	print_message("%u flag changes told\n", x->flags_told);
	for (size_t i = 0; i < x->f->msgs.n; i++) { /* at rest, the table says what the names say */
		struct msg_ref r;
		msg_ref_fill(x->f, &x->f->msgs.a[i], NULL, &r);
		snprintf(name, sizeof name, "cur/%s", r.name);
		if (!there(name))
			fail_msg("%s", name);
	}
	box_close(&x);
}

static void two_processes_follow_each_other(void **state)
{
	struct box *x;
	int fds[2];
	char c;

	assert_int_equal(pipe(fds), 0);
	store_end();
	jobs_free(&jobs);
	loop_free(&loop);
	pid_t pid = fork();
	world_start();
	x = open_live("INBOX", true);
	if (pid == 0) {
		assert_int_equal(read(fds[0], &c, 1), 1);
		for (int i = 0; i < 20; i++) {
			uint32_t uid = put_msg("INBOX", "x\r\n", MSG_SEEN);
			struct str kw = STR("Label");
			box_flags(x, &uid, 1, FLAGS_ADD, MSG_FLAGGED, &kw, 1);
			if (i % 2)
				box_flags(x, &uid, 1, FLAGS_ADD, MSG_DELETED, NULL, 0);
		}
		box_expunge(x, NULL, 0);
		pause_ms(2000);
		_exit(0);
	}
	assert_int_equal(write(fds[1], "x", 1), 1);
	want_added = 20, want_flags = 0, want_expunged = 10;
	wait_until(counted, x);
	pause_ms(50);
	assert_int_equal(x->added, 20);
	assert_int_equal(x->expunged, 10);
	vec_foreach(m, &x->f->msgs)
		if (!(m->state & MSG_EXPUNGED)) {
			assert_int_equal(m->flags, MSG_SEEN | MSG_FLAGGED);
			assert_int_equal(m->kw->n, 1);
		}
	waitpid(pid, NULL, 0);
	box_close(&x);
	close(fds[0]);
	close(fds[1]);
}

static void without_notifyd_and_back(void **state)
{
	struct box *x = open_live("INBOX", true);

	deliver("cur/1.a.h:2,", "x\n");
	expect_counts(x, 1, 0, 0);
	daemon_end(&nd, SIGKILL);
	nd.pid = 0;
	wait_until(not_live, x);
	deliver("cur/2.b.h:2,", "x\n");
	gone("cur/1.a.h:2,");
	box_sync(x);
	expect_counts(x, 2, 0, 1);
	deliver("cur/3.c.h:2,", "x\n");
	daemon_start(&nd, (const char *const[]){"NOTIFY_PER_UID=100", NULL});
	store_set_notify_link(st, joined(&nd, 0));
	wait_until(is_live, x);
	box_sync(x);
	expect_counts(x, 3, 0, 1);
	deliver("cur/4.d.h:2,", "x\n");
	expect_counts(x, 4, 0, 1);
	box_close(&x);
}

static void folder_deleted_by_another_process(void **state)
{
	make("INBOX.a");
	struct box *x = open_live("INBOX.a", true);

	remove_tree((snprintf(listing, sizeof listing, "%s/.a", top), listing));
	uint64_t end = clock_ms() + 5000;
	while (!x->gone && clock_ms() < end)
		pause_ms(5);
	assert_int_equal(x->gone, 1);
	box_close(&x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(changes_come_by_themselves, start_watched, end_watched),
		cmocka_unit_test_setup_teardown(sync_waits_for_what_happened_before, start_watched, end_watched),
		cmocka_unit_test_setup_teardown(changes_while_nobody_looks, start_watched, end_watched),
		cmocka_unit_test_setup_teardown(hasty_programs, start_watched, end_watched),
		cmocka_unit_test_setup_teardown(rename_storm, start_watched, end_watched),
		cmocka_unit_test_setup_teardown(two_processes_follow_each_other, start_watched, end_watched),
		cmocka_unit_test_setup_teardown(without_notifyd_and_back, start_watched, end_watched),
		cmocka_unit_test_setup_teardown(folder_deleted_by_another_process, start_watched, end_watched),
	};
	disk_host_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
