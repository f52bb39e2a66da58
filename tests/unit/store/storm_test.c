/* SPDX-License-Identifier: Apache-2.0 */
/* The store among others: a second process, programs that rename as fast as they can, kill -9, a full
 * volume, damaged files. */
#include <signal.h>
#include <sys/prctl.h>
#include <sys/mman.h>
#include <sys/mount.h>

#include "backend/store/disk.h"
#include "common/base/clock.h"
#include "tests/unit/store/harness.h"

/* "uid:base:flags:keywords " of all messages */
static void dump(struct folder *f, struct buf *out)
{
	buf_printf(out, "%u %u ", f->uidvalidity, f->uidnext);
	for (size_t i = 0; i < f->msgs.n; i++) {
		const struct msg *m = &f->msgs.a[i];
		if (m->state & MSG_EXPUNGED)
			continue;
		buf_printf(out, "%u:%s:%u:", m->uid, m->base, m->flags);
		for (uint16_t k = 0; m->kw && k < m->kw->n; k++)
			buf_printf(out, "%s,", f->keywords.a[m->kw->kw[k]]);
		buf_putc(out, ' ');
	}
}

static void uids_are_unique(const struct folder *f)
{
	for (size_t i = 1; i < f->msgs.n; i++)
		assert_true(f->msgs.a[i].uid > f->msgs.a[i - 1].uid);
}

static uint32_t random_uid(const struct box *x)
{
	return x->f->msgs.n ? x->f->msgs.a[rand_u64() % x->f->msgs.n].uid : 1;
}

static void random_work(struct box *x, int rounds)
{
	struct str kws[] = {STR("one"), STR("two"), STR("three")};

	for (int i = 0; i < rounds; i++) {
		uint32_t uid = random_uid(x);
		uint8_t bit = (uint8_t)(1 << rand_u64() % 5);
		switch (rand_u64() % 6) {
		case 0:
		case 1:
			assert_true(put_msg("INBOX", "Subject: x\r\n\r\nbody\r\n", bit & MSG_SEEN) != 0);
			break;
		case 2:
			box_flags(x, &uid, 1, FLAGS_ADD, bit, &kws[rand_u64() % 3], 1);
			break;
		case 3:
			box_flags(x, &uid, 1, FLAGS_REMOVE, bit, &kws[rand_u64() % 3], 1);
			break;
		case 4:
			if (i % 8 == 0)
				box_expunge(x, &uid, 1);
			break;
		case 5:
			box_sync(x);
			break;
		}
	}
}

static void two_processes(void **state)
{
	int fds[2];
	struct buf mine = BUF_INIT;
	char theirs[65536] = "";

	assert_int_equal(pipe(fds), 0);
	store_end(); /* its threads don't live on in a child */
	jobs_free(&jobs);
	loop_free(&loop);
	pid_t pid = fork();
	world_start();
	struct box *x = box_open("INBOX", true);
	random_work(x, 150);
	if (pid == 0) { /* both must have ended before they are compared */
		char c = 'x';
		assert_int_equal(write(fds[1], &c, 1), 1);
		pause_ms(1500);
		box_sync(x);
		dump(x->f, &mine);
		uids_are_unique(x->f);
		assert_int_equal(write(fds[1], buf_cstr(&mine), mine.n + 1), mine.n + 1);
		_exit(0);
	}
	char c;
	assert_int_equal(read(fds[0], &c, 1), 1);
	pause_ms(500);
	box_sync(x);
	dump(x->f, &mine);
	uids_are_unique(x->f);
	size_t n = 0;
	ssize_t got;
	close(fds[1]);
	while ((got = read(fds[0], theirs + n, sizeof theirs - n)) > 0)
		n += (size_t)got;
	close(fds[0]);
	waitpid(pid, NULL, 0);
	assert_string_equal(buf_cstr(&mine), theirs);
	box_close(&x);
	store_restart();
	x = box_open("INBOX", true);
	struct buf again = BUF_INIT;
	dump(x->f, &again);
	/* an unclean end jumps ahead in UIDs: compare from the first message on */
	assert_string_equal(strchr(strchr(buf_cstr(&again), ' ') + 1, ' '), strchr(strchr(buf_cstr(&mine), ' ') + 1, ' '));
	buf_deinit(&mine);
	buf_deinit(&again);
	box_close(&x);
}

enum { STORM_FILES = 3000, STORM_MS = 3000 };

static _Noreturn void rename_for_ever(void)
{
	static char now[STORM_FILES][64];
	char to[64];

	prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves no storm behind */
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
	struct box *x = box_open("INBOX", true);
	assert_int_equal(x->f->msgs.n, STORM_FILES);
	pid_t pid = fork(); /* uses nothing of ours but dir_fd */
	if (pid == 0)
		rename_for_ever();
	uint64_t end = clock_ms() + STORM_MS;
	unsigned syncs = 0;
	struct folder_files *ff = folder_files_get(x->f);
	while (clock_ms() < end) {
		uint64_t size;
		int64_t mtime;
		struct msg_ref r;
		box_sync(x);
		syncs++;
		msg_ref_fill(x->f, &x->f->msgs.a[rand_u64() % STORM_FILES], ff, &r);
		int fd = msg_open(&r, &size, &mtime);
		assert_true(fd >= 0 || errno == EAGAIN);
		if (fd >= 0)
			close(fd);
	}
	folder_files_put(&ff);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_int_equal(x->expunged, 0);
	assert_int_equal(x->added, 0);
	assert_true(x->flags_told > 0);
	box_sync(x);
	assert_int_equal(x->f->msgs.n, STORM_FILES);
	for (size_t i = 0; i < x->f->msgs.n; i++) { /* at rest, the table says what the names say */
		struct msg_ref r;
		msg_ref_fill(x->f, &x->f->msgs.a[i], NULL, &r);
		snprintf(name, sizeof name, "cur/%s", r.name);
		assert_true(there(name));
	}
	box_close(&x);
	print_message("%u syncs\n", syncs);
}

/* ---- kill -9 ------------------------------------------------------------------------------------------ */

enum { ACK_MAX = 4096 };
struct acks { /* shared with the child */
	uint32_t n, uidvalidity;
	struct {
		uint32_t uid;
		uint8_t flags;
	} a[ACK_MAX];
	uint32_t highest_seen;
};

static struct acks *acks;

static void see(struct box *x)
{
	for (size_t i = 0; i < x->f->msgs.n; i++)
		if (x->f->msgs.a[i].uid > acks->highest_seen)
			acks->highest_seen = x->f->msgs.a[i].uid;
}

static _Noreturn void work_until_killed(void)
{
	unsigned serial = 0;
	char name[64];

	world_start();
	struct box *x = box_open("INBOX", true);
	acks->uidvalidity = x->f->uidvalidity;
	for (;;) {
		if (rand_u64() % 3 == 0) {
			uint32_t uid = put_msg("INBOX", "Subject: x\r\n\r\nbody\r\n", MSG_SEEN);
			if (uid && acks->n < ACK_MAX) {
				acks->a[acks->n].uid = uid;
				acks->a[acks->n].flags = MSG_SEEN;
				__atomic_thread_fence(__ATOMIC_SEQ_CST);
				acks->n++;
			}
		} else if (rand_u64() % 4 == 0) { /* seen, so its UID must not be given again */
			snprintf(name, sizeof name, "new/%u.%d.h", serial++, (int)getpid());
			deliver(name, "x\n");
			box_sync(x);
			see(x);
		} else if (acks->n) {
			uint32_t i = (uint32_t)(rand_u64() % acks->n), uid = acks->a[i].uid;
			uint8_t bit = rand_u64() % 2 ? MSG_FLAGGED : MSG_ANSWERED;
			box_flags(x, &uid, 1, FLAGS_ADD, bit, NULL, 0);
			acks->a[i].flags |= bit;
		}
	}
}

static void check_acks(void)
{
	struct box *x = box_open("INBOX", true);

	assert_int_equal(x->f->uidvalidity, acks->uidvalidity);
	assert_true(x->f->uidnext > acks->highest_seen);
	for (uint32_t i = 0; i < acks->n; i++) {
		size_t at = folder_find(x->f, acks->a[i].uid);
		assert_true(at < x->f->msgs.n && x->f->msgs.a[at].uid == acks->a[i].uid);
		assert_false(x->f->msgs.a[at].state & MSG_EXPUNGED);
		/* what was on its way when the process died may be there too */
		assert_int_equal(x->f->msgs.a[at].flags & acks->a[i].flags, acks->a[i].flags);
	}
	uids_are_unique(x->f);
	see(x);
	box_close(&x);
}

static void killed_at_any_time(void **state)
{
	acks = mmap(NULL, sizeof *acks, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(acks != MAP_FAILED);
	store_end();
	for (int round = 0; round < 25; round++) {
		jobs_free(&jobs);
		loop_free(&loop);
		pid_t pid = fork();
		if (pid == 0)
			work_until_killed();
		usleep((useconds_t)(20000 + rand_u64() % 120000));
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		world_start();
		if (acks->uidvalidity)
			check_acks();
		store_end();
	}
	print_message("%u acknowledged\n", acks->n);
	assert_true(acks->n > 10);
	munmap(acks, sizeof *acks);
	store_start();
}

/* ---- a full volume ------------------------------------------------------------------------------------- */

static void full_volume(void **state)
{
	struct buf big = BUF_INIT;
	char path[100];

	snprintf(path, sizeof path, "%s", top);
	store_end();
	close(dir_fd);
	if (mount("tmpfs", path, "tmpfs", 0, "size=512k") < 0) {
		dir_fd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		store_start();
		skip();
	}
	dir_fd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	store_start();
	uint32_t first = put_msg("INBOX", "small\r\n", MSG_SEEN);
	for (int i = 0; i < 20000; i++)
		buf_puts(&big, "0123456789012345678901234567\r\n");
	assert_int_equal(put_msg("INBOX", buf_cstr(&big), 0), 0);
	assert_int_equal(result.code, STORE_OVERQUOTA);
	assert_int_equal(count_files("tmp"), 0);
	assert_int_equal(put_msg("INBOX", "small\r\n", 0), first + 1);
	buf_cut(&big, 40000);
	int kept = 0;
	while (put_msg("INBOX", buf_cstr(&big), MSG_SEEN))
		kept++;
	assert_int_equal(result.code, STORE_OVERQUOTA);
	int fd = openat(dir_fd, "filler", O_WRONLY | O_CREAT, 0600);
	while (write(fd, "x", 1) == 1)
		;
	close(fd);
	/* journal and directories can't grow; what is there can be read, and expunged again later */
	struct box *x = box_open("INBOX", true);
	assert_int_equal(x->f->msgs.n, kept + 2);
	uint32_t uid = first;
	for (int i = 0; i < 200; i++)
		box_flags(x, &uid, 1, i % 2 ? FLAGS_REMOVE : FLAGS_ADD, MSG_FLAGGED, NULL, 0);
	gone("filler");
	box_flags(x, &uid, 1, FLAGS_SET, MSG_SEEN | MSG_DRAFT, NULL, 0);
	assert_int_equal(x->last.code, STORE_OK);
	box_sync(x);
	assert_int_equal(x->f->msgs.n, kept + 2);
	assert_int_equal(x->f->msgs.a[0].flags, MSG_SEEN | MSG_DRAFT);
	assert_int_equal(count_files("tmp"), 0);
	box_close(&x);
	store_restart();
	x = box_open("INBOX", true);
	assert_int_equal(x->f->msgs.n, kept + 2);
	box_close(&x);
	buf_deinit(&big);
	store_end();
	close(dir_fd);
	umount2(path, MNT_DETACH);
	dir_fd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	store_start();
}

/* ---- damage ----------------------------------------------------------------------------------------------- */

static void damaged_journal(void **state)
{
	uint32_t validity = 0;

	for (int i = 0; i < 5; i++)
		put_msg("INBOX", "x\r\n", MSG_SEEN);
	for (int round = 0; round < 60; round++) {
		struct box *x = box_open("INBOX", true);
		assert_int_equal(x->f->msgs.n, 5);
		assert_true(x->f->uidvalidity >= validity);
		validity = x->f->uidvalidity;
		box_close(&x);
		store_end();
		int ph = openat(dir_fd, "posthouse", O_RDONLY | O_DIRECTORY);
		DIR *d = fdopendir(ph);
		struct dirent *de;
		char newest[300] = "";
		while ((de = readdir(d)))
			if (!strncmp(de->d_name, "journal.", 8) && (strlen(de->d_name) > strlen(newest) || strcmp(de->d_name, newest) > 0))
				snprintf(newest, sizeof newest, "%s", de->d_name);
		int fd = openat(ph, newest, O_RDWR);
		struct stat sb;
		assert_true(fd >= 0 && fstat(fd, &sb) == 0);
		off_t at = (off_t)(rand_u64() % ((uint64_t)sb.st_size + 1));
		unsigned char c = 0;
		if (round % 3 == 0) {
			assert_int_equal(ftruncate(fd, at), 0);
		} else {
			if (pread(fd, &c, 1, at) != 1)
				at = 0; /* an empty file gets a byte */
			c ^= (unsigned char)(1 << rand_u64() % 8);
			assert_int_equal(pwrite(fd, &c, 1, at), 1);
		}
		close(fd);
		closedir(d);
		store_start();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(two_processes, setup, teardown),
		cmocka_unit_test_setup_teardown(rename_storm, setup, teardown),
		cmocka_unit_test_setup_teardown(killed_at_any_time, setup, teardown),
		cmocka_unit_test_setup_teardown(full_volume, setup, teardown),
		cmocka_unit_test_setup_teardown(damaged_journal, setup, teardown),
	};
	disk_host_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
