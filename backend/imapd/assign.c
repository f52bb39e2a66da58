/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/imapd/assign.h"
#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <syslog.h>
#include "backend/imapd/process.h"
#include "common/base/log.h"
#include "common/io/link.h"
#include "common/ipc/session.h"
#include "common/sys/priv.h"
#include "common/sys/proc.h"
#include "common/sys/sandbox.h"

/* What an imapd holds (B27), at fixed numbers; above them its own epoll and folders, clients. */
enum { FD_SESSION = 3, FD_MAILDIR, FD_LOCK, FD_CRASH, FD_NOTIFYD, FD_GCONV, FD_N };

static const char *const gconv_dirs[] = {
#if defined(__x86_64__)
	"/usr/lib/x86_64-linux-gnu/gconv",
#elif defined(__aarch64__)
	"/usr/lib/aarch64-linux-gnu/gconv",
#endif
	"/usr/lib64/gconv",
	"/usr/lib/gconv",
};

int assign_open_gconv(void)
{
	for (size_t i = 0; i < ARRAY_LEN(gconv_dirs); i++) {
		int fd = open(gconv_dirs[i], O_PATH | O_DIRECTORY | O_CLOEXEC);

		if (fd >= 0)
			return fd;
	}
	return -1;
}

int assign_sandbox(const struct settings *set, int maildir_fd, int gconv_fd, bool shared_uid, struct err *e)
{
	struct sandbox_rule rules[2] = {{maildir_fd, SANDBOX_READWRITE}, {gconv_fd, SANDBOX_READ}};

	if (strcmp(set->sandbox, "off") == 0)
		return 0;
	if (sandbox_fs(rules, gconv_fd >= 0 ? 2 : 1, true, e) == 0)
		return 0;
	if (e->code != ENOSYS || shared_uid)
		return -1;
	LOG(L_WARN, "no-landlock", L_C("effect", "this process is held in its store by its uid alone"));
	return 0;
}

/* ---- becoming --------------------------------------------------------------------------------- */

struct assigned {
	struct buf body; /* the message: lives as long as the process */
	struct session_assign a;
	int notify_fd;
	struct crash_page *crash;
};

/* Moves the descriptors to their numbers and closes all others. */
static int place_fds(int session_fd, int gconv_fd, const struct link_msg *m)
{
	int from[FD_N];
	int high[FD_N];

	for (int i = 0; i < FD_N; i++)
		from[i] = -1;
	from[FD_SESSION] = session_fd;
	for (unsigned i = 0; i < m->nfds; i++)
		from[FD_MAILDIR + (int)i] = m->fds[i];
	from[FD_GCONV] = gconv_fd;
	for (int i = FD_SESSION; i < FD_N; i++) {
		high[i] = from[i] < 0 ? -1 : fcntl(from[i], F_DUPFD_CLOEXEC, 64);
		if (from[i] >= 0 && high[i] < 0)
			return -1;
	}
	closelog(); /* it opens its socket again by itself, but must not write into another's number */
	for (int i = FD_SESSION; i < FD_N; i++)
		if (high[i] < 0 ? close(i) < 0 && errno != EBADF : dup3(high[i], i, O_CLOEXEC) < 0)
			return -1;
	return (int)syscall(SYS_close_range, (unsigned)FD_N, ~0U, 0U);
}

static int become(const struct user_record *r, struct err *e)
{
	if (geteuid() == 0)
		return priv_become(r->uid, r->gid, -1, e);
	if (r->uid != geteuid())
		return err_set(e, EPERM, "the account's uid is %u, this process runs as %u", r->uid, geteuid());
	return priv_harden(e);
}

/* Under AddressSanitizer the shadow counts too, and nothing would start. */
#if defined(__SANITIZE_ADDRESS__)
#define SHADOWED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SHADOWED 1
#endif
#endif

static void limit_data(const struct settings *set)
{
#ifndef SHADOWED
	uint64_t least = 16384, n = set->imap_ulimitd < least ? least : set->imap_ulimitd;
	struct rlimit data = {n * 1024, n * 1024};

	if (set->imap_ulimitd)
		setrlimit(RLIMIT_DATA, &data);
#endif
}

static int map_crash_page(struct assigned *as, struct err *e)
{
	void *p = mmap(NULL, sizeof(struct crash_page), PROT_READ | PROT_WRITE, MAP_SHARED, FD_CRASH, 0);

	if (p == MAP_FAILED)
		return err_sys(e, "crash page");
	close(FD_CRASH);
	as->crash = p;
	return 0;
}

static int take_over(struct assigned *as, int session_fd, int gconv_fd, const struct link_msg *m,
		     const struct settings *set, struct err *e)
{
	if (place_fds(session_fd, gconv_fd, m) < 0)
		return err_sys(e, "descriptors");
	as->notify_fd = m->nfds == 4 ? FD_NOTIFYD : -1;
	if (map_crash_page(as, e) < 0 || become(&as->a.record, e) < 0)
		return -1;
	limit_data(set);
	if (fchdir(FD_MAILDIR) < 0)
		return err_sys(e, "uid %u can't enter its Maildir: check the owner and mode of its directories",
			       as->a.record.uid);
	if (assign_sandbox(set, FD_MAILDIR, gconv_fd >= 0 ? FD_GCONV : -1, as->a.shared_uid, e) < 0)
		return -1;
	close(FD_GCONV);
	return 0;
}

static _Noreturn void fail(int fd, const struct err *e)
{
	struct buf b = BUF_INIT;
	struct session_failed f = {.code = STR("UNAVAILABLE"), .text = str_c(e->text)};

	session_failed_put(&b, &f);
	(void)link_send_blocking(fd, SESSION_FAILED, buf_str(&b), NULL, 0);
	exit(1);
}

static void receive(int fd, struct assigned *as, struct link_msg *m)
{
	struct buf store = BUF_INIT;

	if (link_recv_blocking(fd, &store, m, -1) != 1)
		_exit(0); /* the master has gone, or doesn't need us */
	if (m->type != SESSION_ASSIGN || m->nfds < 3)
		_exit(1);
	buf_str_put(&as->body, m->body);
	buf_wipe(&store);
	if (!session_assign_get(buf_str(&as->body), &as->a))
		_exit(1);
}

void assign_wait(int fd, int gconv_fd, const struct settings *set)
{
	static struct assigned as;
	struct process_opts o;
	struct link_msg m;
	struct err e;

	receive(fd, &as, &m);
	if (take_over(&as, fd, gconv_fd, &m, set, &e) < 0)
		fail(FD_SESSION, &e);
	proc_title("%.*s", STR_ARG(as.a.record.user));
	o = (struct process_opts){.set = set, .record = &as.a.record, .opaque = as.a.opaque,
				  .dev = as.a.dev, .ino = as.a.ino, .maildir_fd = FD_MAILDIR,
				  .session_fd = FD_SESSION, .notify_fd = as.notify_fd, .crash = as.crash};
	_exit(process_run(&o)); /* no tidying: the system does it faster */
}
