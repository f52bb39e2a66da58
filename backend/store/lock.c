/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lock: the dot-lock posthouse/lock. It is made with O_EXCL and holds a random token, by which its
 * maker knows it again whatever an inode number or a cached attribute says, and who made it:
 *
 *     token boot-id pid-namespace pid host
 *
 * Making and removing a file each time is slow (ext4 looks for an inode that wasn't freed just now: half a
 * millisecond), so where the file system can rename without replacing, each user has a file of its own,
 * lock.TOKEN, which becomes "lock" and back.
 *
 * A lock whose maker is dead on this very kernel is taken over at once, one of another host when it
 * is older than lock_stale by the file server's clock. Thieves are kept apart by posthouse/steal.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <sys/stat.h>

#include "backend/store/disk_int.h"
#include "common/base/clock.h"
#include "common/base/ensure.h"
#include "common/base/rand.h"

enum { LOCK_TEXT_MAX = 400, STEAL_STALE_S = 10, EMPTY_STALE_S = 2 };

static struct {
	bool known;
	char boot[40];
	uint64_t pid_ns;
	char host[65];
} here;

void disk_host_init(void)
{
	struct stat st;

	if (here.known)
		return;
	int f = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = f < 0 ? -1 : read(f, here.boot, sizeof here.boot - 1);
	if (f >= 0)
		close(f);
	here.boot[n > 0 ? n : 0] = 0;
	here.boot[strcspn(here.boot, "\n")] = 0;
	if (!here.boot[0]) /* unknown: never equal to another's, so nothing is ever judged dead */
		snprintf(here.boot, sizeof here.boot, "%016" PRIx64, rand_u64());
	here.pid_ns = stat("/proc/self/ns/pid", &st) == 0 ? st.st_ino : 0;
	if (gethostname(here.host, sizeof here.host - 1) < 0)
		here.host[0] = 0;
	for (char *p = here.host; *p; p++)
		if (*p <= ' ')
			*p = '_';
	here.known = true;
}

static void make_token(struct disk *d)
{
	for (int i = 0; i < 2; i++)
		snprintf(d->token + 16 * i, 17, "%016" PRIx64, rand_u64());
}

/* Reads the lock file; "" where it is empty. -1 errno. */
static int read_lock(int ph, char text[LOCK_TEXT_MAX], struct stat *st)
{
	int f = openat(ph, "lock", O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (f < 0)
		return -1;
	ssize_t n = read(f, text, LOCK_TEXT_MAX - 1);
	if (n >= 0 && st && fstat(f, st) < 0)
		n = -1;
	int saved = errno;
	close(f);
	errno = saved;
	if (n < 0)
		return -1;
	text[n] = 0;
	return 0;
}

static void own_name(const struct disk *d, char out[64])
{
	snprintf(out, 64, "lock.%s", d->token);
}

static int make_file(struct disk *d, const char *name)
{
	char text[LOCK_TEXT_MAX];
	int f = openat(d->ph, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (f < 0)
		return -1;
	int n = snprintf(text, sizeof text, "%s %s %" PRIu64 " %ld %s\n", d->token, here.boot, here.pid_ns,
			 (long)getpid(), here.host);
	bool ok = write(f, text, (size_t)n) == n;
	int saved = ok ? 0 : errno ? errno : EIO;
	if (close(f) < 0 && ok) {
		saved = errno;
		ok = false;
	}
	if (!ok) {
		unlinkat(d->ph, name, 0);
		errno = saved;
		return -1;
	}
	return 0;
}

/* 0 made; -1 errno, EEXIST = somebody has it. */
static int make_lock(struct disk *d)
{
	char own[64];

	if (d->no_rename)
		return make_file(d, "lock");
	own_name(d, own);
	/* Its age counts from now, by the server's clock, even before it is the lock. */
	if (d->own_file && utimensat(d->ph, own, NULL, AT_SYMLINK_NOFOLLOW) < 0)
		d->own_file = false;
	if (!d->own_file && make_file(d, own) < 0)
		return -1;
	d->own_file = true;
	if (renameat2(d->ph, own, d->ph, "lock", RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -1;
	d->no_rename = true;
	lock_forget(d);
	return make_file(d, "lock");
}

void lock_forget(struct disk *d)
{
	char own[64];

	if (!d->own_file)
		return;
	own_name(d, own);
	unlinkat(d->ph, own, 0);
	d->own_file = false;
}

/* Seconds by the file server's own clock: the mtime that it gives to a file of ours. */
static int64_t server_now(struct disk *d)
{
	char name[64];
	struct stat st;
	int64_t now = clock_wall_s();

	snprintf(name, sizeof name, "clock.%s", d->token);
	int f = openat(d->ph, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (f < 0)
		return now;
	if (write(f, "x", 1) == 1 && fstat(f, &st) == 0)
		now = st.st_mtime;
	close(f);
	unlinkat(d->ph, name, 0);
	return now;
}

/* Whether the maker of this lock can't be alive any more. */
static bool holder_dead(struct disk *d, const char *text, const struct stat *st)
{
	char token[LOCK_TOKEN_LEN + 1], boot[40];
	uint64_t ns;
	long pid;

	if (sscanf(text, "%32s %39s %" SCNu64 " %ld", token, boot, &ns, &pid) != 4)
		return server_now(d) - st->st_mtime > EMPTY_STALE_S; /* died before it wrote its name */
	if (!strcmp(boot, here.boot) && ns == here.pid_ns)
		return pid > 0 && kill((pid_t)pid, 0) < 0 && errno == ESRCH;
	return server_now(d) - st->st_mtime > (int64_t)(d->o.lock_stale_ms / 1000);
}

static bool same_holder(int ph, const char *text)
{
	char now[LOCK_TEXT_MAX];

	return read_lock(ph, now, NULL) == 0 && !strcmp(now, text);
}

/*
 * With posthouse/steal in hand and the dead holder's lock still there: generation G+1 first, which
 * seals what the dead one may still write, then the lock itself. 1: we have it; 0: not; -1 *e.
 */
static int steal(struct disk *d, const char *text, struct err *e)
{
	struct stat st;
	int rc = 0;

	int f = openat(d->ph, "steal", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (f < 0) {
		if (errno == EEXIST && fstatat(d->ph, "steal", &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    server_now(d) - st.st_mtime > STEAL_STALE_S)
			unlinkat(d->ph, "steal", 0);
		return 0; /* another thief is at it: wait for the lock like everybody */
	}
	close(f);
	if (same_holder(d->ph, text)) {
		if (d->journal >= 0)
			rc = disk_seal(d, e);
		if (rc == 0 && unlinkat(d->ph, "lock", 0) == 0 && make_lock(d) == 0)
			rc = 1;
	}
	unlinkat(d->ph, "steal", 0);
	return rc;
}

int lock_take(struct disk *d, struct err *e)
{
	char text[LOCK_TEXT_MAX] = "";
	struct stat st;
	uint64_t end = clock_ms() + d->o.lock_timeout_ms, next_look = 0, nap_us = 200;

	disk_host_init();
	if (!d->own_file)
		make_token(d);
	for (;;) {
		if (make_lock(d) == 0)
			return 0;
		if (errno != EEXIST)
			return err_sys(e, "%s/posthouse/lock", d->dir_name);
		uint64_t now = clock_ms();
		if (now >= next_look) {
			next_look = now + 100;
			if (read_lock(d->ph, text, &st) == 0 && holder_dead(d, text, &st)) {
				int rc = steal(d, text, e);
				if (rc)
					return rc < 0 ? -1 : 0;
			}
		}
		if (now >= end)
			return err_set(e, EAGAIN, "%s/posthouse/lock is held: %.100s", d->dir_name, text);
		usleep((useconds_t)nap_us);
		nap_us = nap_us < 10000 ? nap_us * 2 : nap_us;
	}
}

bool lock_ours(const struct disk *d)
{
	char text[LOCK_TEXT_MAX];

	return read_lock(d->ph, text, NULL) == 0 && !strncmp(text, d->token, LOCK_TOKEN_LEN);
}

void lock_release(struct disk *d)
{
	char own[64];

	if (!lock_ours(d))
		return;
	own_name(d, own);
	if (!d->own_file || renameat(d->ph, "lock", d->ph, own) < 0)
		unlinkat(d->ph, "lock", 0);
}
