/* SPDX-License-Identifier: Apache-2.0 */
/* The real notifyd, a real kernel: events, fences, overflow, relays, limits, hostile subscribers. */
#include "tests/unit/notifyd/daemon.h"
#include "common/ipc/control.h"

static struct daemon nd;

struct tally { /* what came up to FENCED or until the expected number was there */
	unsigned events, overflows, journals, folders;
	struct watch_journal journal;
};

static void count(struct tally *t, const struct link_msg *m)
{
	struct wire w = wire_reader(m->body);
	struct watch_event e;

	switch (m->type) {
	case WATCH_EVENTS:
		assert_true(m->body.n <= 32768);
		for (; w.n; t->events++)
			assert_true(watch_event_get(&w, &e));
		break;
	case WATCH_OVERFLOW:
		t->overflows++;
		break;
	case WATCH_JOURNAL:
		assert_true(watch_journal_get(m->body, &t->journal));
		t->journals++;
		break;
	case WATCH_FOLDERS:
		t->folders++;
		break;
	default:
		fail_msg("unexpected message %d", m->type);
	}
}

static struct tally fence(int fd, uint32_t id)
{
	struct buf store = BUF_INIT;
	struct link_msg m;
	struct tally t = {0};

	say_u32(fd, WATCH_FENCE, id, NULL, 0);
	for (;;) {
		assert_int_equal(hear(fd, &store, &m), 1);
		if (m.type == WATCH_FENCED)
			break;
		count(&t, &m);
	}
	struct wire w = wire_reader(m.body);
	assert_int_equal(wire_get_u32(&w), id);
	assert_true(wire_end(&w));
	buf_deinit(&store);
	return t;
}

static void one_event(int fd, uint32_t folder, int dir, int kind, const char *name)
{
	struct buf store = BUF_INIT;
	struct link_msg m;
	struct watch_event e;
	struct wire w;

	hear_type(fd, &store, &m, WATCH_EVENTS);
	w = wire_reader(m.body);
	assert_true(watch_event_get(&w, &e));
	assert_int_equal(e.folder, folder);
	assert_int_equal(e.dir, dir);
	assert_int_equal(e.kind, kind);
	assert_true(str_eq(e.name, str_c(name)));
	assert_true(wire_end(&w));
	buf_deinit(&store);
}

static int start_all(void **state)
{
	raise_limit();
	daemon_start(&nd, (const char *const[]){"NOTIFY_PER_UID=20000", NULL});
	return 0;
}

static int end_all(void **state)
{
	int status = daemon_end(&nd, SIGTERM);

	remove_tree(nd.dir);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
}

static void events_say_what_happened(void **state)
{
	struct maildir a;
	int fd = joined(&nd, 1);

	maildir_make(&a, &nd, "events");
	assert_true(subscribe(fd, 7, a.new_fd, a.cur_fd));
	touch(a.new_fd, "m1");
	one_event(fd, 7, WATCH_NEW, WATCH_ARRIVED, "m1");
	assert_int_equal(linkat(a.new_fd, "m1", a.cur_fd, "m1:2,S", 0), 0);
	one_event(fd, 7, WATCH_CUR, WATCH_ARRIVED, "m1:2,S");
	assert_int_equal(unlinkat(a.new_fd, "m1", 0), 0);
	one_event(fd, 7, WATCH_NEW, WATCH_LEFT, "m1");
	say_u32(fd, WATCH_UNSUBSCRIBE, 7, NULL, 0);
	assert_int_equal(fence(fd, 1).events, 0);
	touch(a.new_fd, "m2");
	assert_int_equal(fence(fd, 2).events, 0);
	assert_true(subscribe(fd, 7, a.new_fd, a.cur_fd)); /* the same id again */
	touch(a.new_fd, "m3");
	assert_int_equal(fence(fd, 3).events, 1);
	/* The Maildir itself, for its folders: once, as WATCH_NEW. */
	assert_true(subscribe(fd, 8, a.new_fd, a.new_fd));
	assert_int_equal(mkdirat(a.new_fd, ".Folder", 0700), 0);
	assert_int_equal(fence(fd, 4).events, 2); /* by 7 and by 8 */
	close(fd);
	maildir_close(&a);
}

static void directory_gone(void **state)
{
	struct maildir a;
	char path[200];
	int fd = joined(&nd, 1);

	maildir_make(&a, &nd, "gone");
	assert_true(subscribe(fd, 3, a.new_fd, a.cur_fd));
	maildir_close(&a);
	snprintf(path, sizeof path, "%s/cur", a.path);
	assert_int_equal(rmdir(path), 0);
	one_event(fd, 3, WATCH_CUR, WATCH_GONE, "");
	close(fd);
}

static void fence_comes_after_10000_renames(void **state)
{
	enum { N = 10000 };
	struct maildir a;
	char from[32], to[32];
	int fd = joined(&nd, 1);

	maildir_make(&a, &nd, "fence");
	for (int i = 0; i < N; i++) {
		snprintf(from, sizeof from, "%d.M1P1.host", i);
		touch(a.new_fd, from);
	}
	assert_true(subscribe(fd, 1, a.new_fd, a.cur_fd));
	for (unsigned round = 1, seen = 0; round <= 10; round++) {
		for (int i = 0; i < N / 10; i++) {
			snprintf(from, sizeof from, "%d.M1P1.host", (int)(round - 1) * (N / 10) + i);
			snprintf(to, sizeof to, "%d.M1P1.host:2,S", i);
			assert_int_equal(renameat(a.new_fd, from, a.cur_fd, from), 0);
			assert_int_equal(renameat(a.cur_fd, from, a.cur_fd, to), 0);
		}
		struct tally t = fence(fd, round);

		seen += t.events;
		assert_int_equal(t.overflows, 0);
		assert_int_equal(seen, round * N / 10 * 4);
	}
	close(fd);
	maildir_close(&a);
}

/* Stops notifyd until the kernel's queue has overflowed: the fence says so before it is answered. */
static void overflow_is_told_before_the_fence(void **state)
{
	struct maildir a;
	unsigned max = 16384;
	FILE *f = fopen("/proc/sys/fs/inotify/max_queued_events", "r");
	int fd = joined(&nd, 1), other = joined(&nd, 1);

	if (f) {
		char line[32];
		uint32_t n;

		if (fgets(line, sizeof line, f) && str_u32(str_trim(str_c(line)), &n))
			max = n;
		fclose(f);
	}
	if (max > 100000)
		skip();
	maildir_make(&a, &nd, "overflow");
	assert_true(subscribe(fd, 1, a.new_fd, a.cur_fd));
	assert_true(subscribe(other, 5, a.new_fd, a.cur_fd));
	daemon_freeze(&nd);
	for (unsigned i = 0; i < max / 2 + 100; i++) {
		touch(a.new_fd, "m");
		assert_int_equal(unlinkat(a.new_fd, "m", 0), 0);
	}
	kill(nd.pid, SIGCONT);
	assert_int_equal(fence(fd, 1).overflows, 1);
	assert_int_equal(fence(other, 1).overflows, 1); /* by itself, or by its fence */
	touch(a.cur_fd, "after");
	assert_int_equal(fence(fd, 2).events, 1);
	close(fd);
	close(other);
	maildir_close(&a);
}

static void slow_subscriber_is_dropped_alone(void **state)
{
	struct maildir a;
	int slow = joined(&nd, 1), quick = joined(&nd, 1);
	uint64_t worst = 0;
	unsigned seen = 0;

	maildir_make(&a, &nd, "slow");
	assert_true(subscribe(slow, 1, a.new_fd, a.cur_fd));
	assert_true(subscribe(quick, 1, a.new_fd, a.cur_fd));
	for (uint32_t i = 0; i < 6000; i++) {
		uint64_t t = clock_us();

		touch(a.new_fd, "m");
		seen += fence(quick, i).events;
		t = clock_us() - t;
		worst = t > worst ? t : worst;
		assert_int_equal(unlinkat(a.new_fd, "m", 0), 0);
	}
	assert_int_equal(seen, 6000 * 2 - 1);
	assert_true(closed_by_daemon(slow));
	assert_true(worst < 2000000); /* a loaded machine; a wait for the slow one would be for ever */
	close(slow);
	close(quick);
	maildir_close(&a);
}

static void send_journal(int fd, uint32_t folder, uint64_t generation, uint64_t offset)
{
	struct watch_journal j = {folder, generation, offset};
	struct buf b = BUF_INIT;

	watch_journal_put(&b, &j);
	assert_int_equal(link_send_blocking(fd, WATCH_JOURNAL, buf_str(&b), NULL, 0), 0);
	buf_deinit(&b);
}

static void journals_go_to_the_other_holders(void **state)
{
	struct maildir a, b;
	struct buf store = BUF_INIT;
	struct link_msg m;
	struct watch_journal j;
	int one = joined(&nd, 1), two = joined(&nd, 2), three = joined(&nd, 3);

	maildir_make(&a, &nd, "journal-a");
	maildir_make(&b, &nd, "journal-b");
	assert_true(subscribe(one, 1, a.new_fd, a.cur_fd));
	assert_true(subscribe(two, 2, a.new_fd, a.cur_fd)); /* another store's process: a shared folder */
	assert_true(subscribe(three, 3, b.new_fd, b.cur_fd));
	send_journal(one, 1, 5, 4711);
	hear_type(two, &store, &m, WATCH_JOURNAL);
	assert_true(watch_journal_get(m.body, &j));
	assert_int_equal(j.folder, 2);
	assert_int_equal(j.generation, 5);
	assert_int_equal(j.offset, 4711);
	send_journal(one, 99, 5, 4712); /* not subscribed: goes nowhere */
	assert_int_equal(fence(one, 1).journals, 0);
	assert_int_equal(fence(two, 1).journals, 0);
	assert_int_equal(fence(three, 1).journals, 0);
	buf_deinit(&store);
	close(one);
	close(two);
	close(three);
	maildir_close(&a);
	maildir_close(&b);
}

/* 3,000 announcements to one who doesn't read: few arrive, the last is right, nobody is dropped. */
static void journals_are_merged_for_a_slow_reader(void **state)
{
	struct maildir a;
	struct tally t;
	int one = joined(&nd, 1), two = joined(&nd, 1);

	maildir_make(&a, &nd, "merge");
	assert_true(subscribe(one, 1, a.new_fd, a.cur_fd));
	assert_true(subscribe(two, 1, a.new_fd, a.cur_fd));
	for (uint64_t i = 1; i <= 30000; i++)
		send_journal(one, 1, 1, i);
	fence(one, 1);
	t = fence(two, 1);
	assert_true(t.journals < 30000);
	assert_int_equal(t.journal.offset, 30000);
	close(one);
	close(two);
	maildir_close(&a);
}

static void folders_go_to_the_stores_processes(void **state)
{
	int one = joined(&nd, 77), two = joined(&nd, 77), other = joined(&nd, 78);
	struct buf b = BUF_INIT;

	assert_int_equal(fence(two, 1).folders, 0); /* it has joined by now */
	wire_u64(&b, 1);
	wire_u64(&b, 77);
	assert_int_equal(link_send_blocking(one, WATCH_FOLDERS, buf_str(&b), NULL, 0), 0);
	assert_int_equal(fence(one, 1).folders, 0);
	assert_int_equal(fence(two, 2).folders, 1);
	assert_int_equal(fence(other, 1).folders, 0);
	assert_int_equal(link_send_blocking(other, WATCH_FOLDERS, buf_str(&b), NULL, 0), 0);
	assert_true(closed_by_daemon(other)); /* not its store */
	assert_int_equal(fence(two, 3).folders, 0);
	buf_deinit(&b);
	close(one);
	close(two);
	close(other);
}

static void control_tells_the_counts(void **state)
{
	struct control_request r = {.verb = STR("stats")};
	struct control_row row;
	struct buf b = BUF_INIT, store = BUF_INIT;
	struct link_msg m;
	char path[128];
	int fd, one = joined(&nd, 1);

	fence(one, 1);
	snprintf(path, sizeof path, "%s/notifyd.ctl", nd.dir);
	fd = link_connect(path);
	assert_true(fd >= 0);
	control_request_put(&b, &r);
	assert_int_equal(link_send_blocking(fd, CONTROL_REQUEST, buf_str(&b), NULL, 0), 0);
	hear_type(fd, &store, &m, (enum watch_msg)CONTROL_ROW);
	assert_true(control_row_get(m.body, &row));
	assert_true(str_eq(row.name[0], STR("instances")));
	assert_true(str_eq(row.value[0], STR("4")));
	assert_true(str_eq(row.name[2], STR("subscribers")));
	hear_type(fd, &store, &m, (enum watch_msg)CONTROL_END);
	buf_deinit(&b);
	buf_deinit(&store);
	close(fd);
	close(one);
}

static void thousand_subscribers(void **state)
{
	enum { STORES = 20, EACH = 50, FOLDERS = 5 };
	static struct maildir m[STORES][FOLDERS];
	static int fd[STORES][EACH];
	struct rlimit r;

	getrlimit(RLIMIT_NOFILE, &r);
	if (r.rlim_cur < STORES * EACH + 300)
		skip();
	for (int s = 0; s < STORES; s++) {
		for (int f = 0; f < FOLDERS; f++) {
			char name[64];

			snprintf(name, sizeof name, "thousand-%d-%d", s, f);
			maildir_make(&m[s][f], &nd, name);
		}
		for (int i = 0; i < EACH; i++) {
			fd[s][i] = joined(&nd, 1000 + (uint64_t)s);
			for (uint32_t f = 0; f < FOLDERS; f++)
				assert_true(subscribe(fd[s][i], f, m[s][f].new_fd, m[s][f].cur_fd));
		}
	}
	touch(m[3][4].new_fd, "here");
	for (int s = 0; s < STORES; s++)
		for (int i = 0; i < EACH; i++)
			assert_int_equal(fence(fd[s][i], 1).events, s == 3);
	for (int s = 0; s < STORES; s++) {
		for (int i = 0; i < EACH; i++)
			close(fd[s][i]);
		for (int f = 0; f < FOLDERS; f++)
			maildir_close(&m[s][f]);
	}
}

/* ---- hostile ------------------------------------------------------------------------------------ */
static void malformed_messages_end_their_link(void **state)
{
	static const struct {
		bool hello;
		uint16_t type;
		const char *body;
		size_t n;
		unsigned fds;
	} bad[] = {
		{false, WATCH_FENCE, "\1\0\0\0", 4, 0},     /* before HELLO */
		{false, WATCH_SUBSCRIBE, "\1\0\0\0", 4, 2}, /* before HELLO */
		{false, WATCH_HELLO, "\1\0\0\0", 4, 0},     /* too short */
		{true, WATCH_HELLO, "\1\0\0\0\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0", 20, 0}, /* twice */
		{true, WATCH_SUBSCRIBE, "\1\0\0\0", 4, 0},
		{true, WATCH_SUBSCRIBE, "\1\0\0\0", 4, 1},
		{true, WATCH_SUBSCRIBE, "\1\0\0\0", 4, 3},
		{true, WATCH_SUBSCRIBE, "\1\0\0\0\0", 5, 2}, /* left-over byte */
		{true, WATCH_UNSUBSCRIBE, "\1\0\0", 3, 0},
		{true, WATCH_FENCE, "", 0, 0},
		{true, WATCH_FENCE, "\1\0\0\0", 4, 1}, /* surprise descriptor */
		{true, WATCH_JOURNAL, "\1\0\0\0", 4, 0},
		{true, WATCH_FOLDERS, "\1\0\0\0", 4, 0},
		{true, WATCH_SUBSCRIBED, "\1\0\0\0\1\0\0\0\0", 9, 0}, /* wrong direction */
		{true, WATCH_EVENTS, "", 0, 0},
		{true, 0, "", 0, 0},
		{true, 65535, "", 0, 0},
	};
	int good = joined(&nd, 1), dir = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int fds[3] = {dir, dir, dir};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		int fd = bad[i].hello ? joined(&nd, 1) : daemon_connect(&nd);

		link_send_blocking(fd, bad[i].type, str_mem(bad[i].body, bad[i].n), fds, bad[i].fds);
		if (!closed_by_daemon(fd))
			fail_msg("case %zu was not refused", i);
		close(fd);
	}
	assert_int_equal(fence(good, 1).events, 0);
	close(good);
	close(dir);
}

static void garbage_ends_its_link(void **state)
{
	static const char noise[300] = "\377\377\1\0\20";
	int fd = daemon_connect(&nd);

	assert_int_equal(send(fd, noise, sizeof noise, 0), sizeof noise);
	assert_true(closed_by_daemon(fd));
	close(fd);
}

static void duplicate_folder_ends_its_link(void **state)
{
	struct maildir a;
	int fd = joined(&nd, 1);

	maildir_make(&a, &nd, "twice");
	assert_true(subscribe(fd, 1, a.new_fd, a.cur_fd));
	say_u32(fd, WATCH_SUBSCRIBE, 1, (int[]){a.new_fd, a.cur_fd}, 2);
	assert_true(closed_by_daemon(fd));
	close(fd);
	maildir_close(&a);
}

static unsigned descriptors(pid_t pid) /* 0: may not look */
{
	char path[64];
	unsigned n = 0;
	DIR *d;

	snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
	d = opendir(path);
	while (d && readdir(d))
		n++;
	if (d)
		closedir(d);
	return n;
}

static void bad_descriptors_are_refused_and_closed(void **state)
{
	struct maildir a;
	char path[160];
	int fd, p[2], wrong[4];
	unsigned before;

	maildir_make(&a, &nd, "bad-fds");
	snprintf(path, sizeof path, "%s/new", a.path);
	assert_int_equal(pipe(p), 0);
	wrong[0] = p[0];
	wrong[1] = open(path, O_PATH | O_DIRECTORY);
	wrong[2] = open("/etc/passwd", O_RDONLY);
	wrong[3] = open("/dev/null", O_RDWR);
	fd = joined(&nd, 1);
	fence(fd, 0);
	usleep(20000); /* links of earlier tests are gone then */
	before = descriptors(nd.pid);
	for (uint32_t i = 0; i < 10000; i++) {
		int w = wrong[i % 4];

		assert_false(subscribe(fd, i, i % 8 < 4 ? w : a.new_fd, i % 8 < 4 ? a.cur_fd : w));
		if (i % 100 == 0) { /* wrong number: the link ends, its descriptors with it */
			int bad = joined(&nd, 1);

			say_u32(bad, WATCH_SUBSCRIBE, 1, (int[]){w, w, w, w}, i % 200 ? 1 : 4);
			assert_true(closed_by_daemon(bad));
			close(bad);
		}
	}
	fence(fd, 1);
	assert_int_equal(descriptors(nd.pid), before);
	assert_true(subscribe(fd, 1, a.new_fd, a.cur_fd));
	for (int i = 0; i < 4; i++)
		close(wrong[i]);
	close(p[1]);
	close(fd);
	maildir_close(&a);
}

/* An ordinary user may come himself, but speaks for himself alone. */
static void peer_uid_is_checked(void **state)
{
	pid_t pid;
	int status;

	if (geteuid() != 0)
		skip();
	pid = fork();
	if (pid == 0) {
		int fd;

		if (setresuid(12345, 12345, 12345) != 0)
			_exit(2);
		fd = daemon_connect(&nd);
		say_hello(fd, 0, 1);
		if (!closed_by_daemon(fd))
			_exit(3);
		fd = daemon_connect(&nd);
		say_hello(fd, 12345, 1);
		fence(fd, 1);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void budgets(void **state)
{
	struct daemon small = {0};
	struct maildir a;
	int fd, other, more[17];

	daemon_start(&small, (const char *const[]){"NOTIFY_PER_UID=16", "NOTIFY_SUBSCRIBERS=16", NULL});
	maildir_make(&a, &small, "m");
	fd = joined(&small, 1);
	for (uint32_t i = 0; i < 16; i++)
		assert_true(subscribe(fd, i, a.new_fd, a.cur_fd));
	assert_false(subscribe(fd, 16, a.new_fd, a.cur_fd));
	other = daemon_connect(&small);
	say_hello(other, 1001, 1);
	assert_true(subscribe(other, 16, a.new_fd, a.cur_fd)); /* another uid */
	say_u32(fd, WATCH_UNSUBSCRIBE, 3, NULL, 0);
	assert_true(subscribe(fd, 17, a.new_fd, a.cur_fd));
	for (int i = 0; i < 17; i++)
		more[i] = daemon_connect(&small);
	assert_true(closed_by_daemon(more[16]));
	assert_int_equal(fence(fd, 1).events, 0);
	for (int i = 0; i < 17; i++)
		close(more[i]);
	close(fd);
	close(other);
	maildir_close(&a);
	assert_int_equal(daemon_end(&small, SIGTERM), 0);
	remove_tree(small.dir);
}

/* A kernel limit of 5 watches: told per folder, in words, and what is watched stays so. */
static void watch_limit_is_told(void **state)
{
	enum { PLAIN_UID = 12345 };
	struct daemon few = {0};
	struct maildir m[3];
	struct buf store = BUF_INIT;
	struct link_msg msg;
	struct wire w;
	int fd;

	few.max_watches = 5;
	few.uid = geteuid() ? geteuid() : PLAIN_UID;
	if (!daemon_can_limit(&few))
		skip();
	daemon_start(&few, NULL);
	for (int i = 0; i < 3; i++) {
		char name[16];

		snprintf(name, sizeof name, "m%d", i);
		maildir_make(&m[i], &few, name);
		fchmod(m[i].new_fd, 0755);
		fchmod(m[i].cur_fd, 0755);
	}
	fd = daemon_connect(&few);
	say_hello(fd, geteuid() ? geteuid() : 65534, 1); /* as it sees root from its namespace */
	assert_true(subscribe(fd, 1, m[0].new_fd, m[0].cur_fd));
	assert_true(subscribe(fd, 2, m[1].new_fd, m[1].cur_fd));
	say_u32(fd, WATCH_SUBSCRIBE, 3, (int[]){m[2].new_fd, m[2].cur_fd}, 2);
	hear_type(fd, &store, &msg, WATCH_SUBSCRIBED);
	w = wire_reader(msg.body);
	wire_get_u32(&w);
	assert_false(wire_get_bool(&w));
	struct str why = wire_get_str(&w, 2048);
	assert_non_null(memmem(why.p, why.n, "max_user_watches", 16));
	touch(m[1].new_fd, "x");
	assert_int_equal(fence(fd, 1).events, 1);
	say_u32(fd, WATCH_UNSUBSCRIBE, 1, NULL, 0);
	assert_true(subscribe(fd, 3, m[2].new_fd, m[2].cur_fd)); /* watches are given back */
	buf_deinit(&store);
	close(fd);
	for (int i = 0; i < 3; i++)
		maildir_close(&m[i]);
	assert_int_equal(daemon_end(&few, SIGTERM), 0);
	remove_tree(few.dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(events_say_what_happened),
		cmocka_unit_test(directory_gone),
		cmocka_unit_test(fence_comes_after_10000_renames),
		cmocka_unit_test(overflow_is_told_before_the_fence),
		cmocka_unit_test(slow_subscriber_is_dropped_alone),
		cmocka_unit_test(journals_go_to_the_other_holders),
		cmocka_unit_test(journals_are_merged_for_a_slow_reader),
		cmocka_unit_test(folders_go_to_the_stores_processes),
		cmocka_unit_test(control_tells_the_counts),
		cmocka_unit_test(thousand_subscribers),
		cmocka_unit_test(malformed_messages_end_their_link),
		cmocka_unit_test(garbage_ends_its_link),
		cmocka_unit_test(duplicate_folder_ends_its_link),
		cmocka_unit_test(bad_descriptors_are_refused_and_closed),
		cmocka_unit_test(peer_uid_is_checked),
		cmocka_unit_test(budgets),
		cmocka_unit_test(watch_limit_is_told),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, start_all, end_all);
}
