/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/imapd/shell.h"
#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>
#include "backend/imapd/assign.h"
#include "backend/imapd/keywords.h"
#include "backend/imapd/process.h"
#include "backend/imapd/transfer.h"
#include "common/base/log.h"
#include "common/base/rand.h"
#include "common/io/link.h"
#include "common/ipc/watch.h"
#include "common/sys/priv.h"

static bool speaks_imap = true;

static _Noreturn void bye(const char *text)
{
	printf("* BYE %s\r\n", text);
	fflush(stdout);
	exit(1);
}

void shell_fatal(const char *why)
{
	fprintf(stderr, "imapd: %s\n", why);
	if (speaks_imap)
		printf("* BYE [ALERT] Fatal error: %s\r\n", why);
	fflush(stdout);
	exit(1);
}

static const char *account_name(void)
{
	const char *name = getenv("AUTHENTICATED");
	const struct passwd *pw;
	static char number[16];

	if (name && *name)
		return name;
	if (getenv("IMAPLOGINTAG"))
		bye("AUTHENTICATED environment variable not set.");
	pw = getpwuid(getuid());
	if (pw)
		return pw->pw_name;
	snprintf(number, sizeof number, "%u", getuid());
	return number;
}

/* A Maildir of somebody else's would get files that its owner can't touch. */
static void check_owner(const struct stat *st, const char *maildir)
{
	struct err e;

	if (st->st_uid == geteuid())
		return;
	err_set(&e, 0, "%s belongs to uid %u, this is uid %u: run imapd as its owner (su, runuser)", maildir,
		st->st_uid, geteuid());
	shell_fatal(e.text);
}

static int open_maildir(const char *maildir, struct stat *st)
{
	struct err e;
	int fd;

	if (chdir(maildir) < 0) {
		err_set(&e, errno, "%s: %s", maildir, strerror(errno));
		shell_fatal(e.text);
	}
	fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, st) < 0) {
		err_set(&e, errno, "%s: %s", maildir, strerror(errno));
		shell_fatal(e.text);
	}
	check_owner(st, maildir);
	return fd;
}

int shell_connect_notifyd(const struct settings *set, uint64_t dev, uint64_t ino)
{
	struct buf b = BUF_INIT;
	int fd, rc;

	buf_printf(&b, "%s/notifyd.sock", set->rundir);
	fd = link_connect(buf_cstr(&b));
	buf_reset(&b);
	if (fd >= 0) {
		wire_u32(&b, geteuid());
		wire_u64(&b, dev);
		wire_u64(&b, ino);
		rc = link_send_blocking(fd, WATCH_HELLO, buf_str(&b), NULL, 0);
		if (rc < 0) {
			close(fd);
			fd = -1;
		}
	}
	buf_deinit(&b);
	return fd;
}

void shell_client(struct imapd *im)
{
	static char id[17];
	const char *rip = getenv("TCPREMOTEIP");
	struct session_facts f = {.protocol = STR("imap"), .rip = str_c(rip ? rip : "127.0.0.1"),
				  .lip = STR("127.0.0.1")};
	struct client_start s = {.conn = 1, .facts = &f, .user = im->record->user, .preauth = true};

	snprintf(id, sizeof id, "%016llx", (unsigned long long)rand_u64());
	f.session = str_c(id);
	/* Duplicates: the client closes its own, these two are set back at the end. */
	s.in_fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	s.out_fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	(void)client_new(im, &s);
}

/* No process of root's opens a user's files: what follows is done as the Maildir's owner. */
static void become_owner(const char *maildir)
{
	const struct passwd *pw;
	struct stat st;
	struct err e;

	if (geteuid() != 0)
		return;
	if (stat(maildir, &st) < 0) {
		err_set(&e, errno, "%s: %s", maildir, strerror(errno));
		shell_fatal(e.text);
	}
	if (st.st_uid == 0)
		return; /* root's own: it is the owner */
	pw = st.st_gid == 0 ? getpwuid(st.st_uid) : NULL;
	if (priv_become(st.st_uid, pw ? pw->pw_gid : st.st_gid ? st.st_gid : st.st_uid, -1, &e) < 0)
		shell_fatal(e.text);
}

static _Noreturn void serve(struct process_opts *o)
{
	int rc, in_flags, out_flags;

	/* A terminal that stayed non-blocking would be of no use to the shell. */
	in_flags = fcntl(STDIN_FILENO, F_GETFL);
	out_flags = fcntl(STDOUT_FILENO, F_GETFL);
	rc = process_run(o);
	fcntl(STDIN_FILENO, F_SETFL, in_flags);
	fcntl(STDOUT_FILENO, F_SETFL, out_flags);
	_exit(rc);
}

void shell_run(const struct settings *set, const char *maildir, const struct transfer_what *what)
{
	static struct user_record record;
	const char *env = what ? NULL : getenv("MAILDIR");
	struct process_opts o;
	struct stat st;
	struct err e;
	int fd, gconv;

	speaks_imap = !what;
	if (what)
		become_owner(maildir);
	record = (struct user_record){.user = str_c(account_name()),
				      .uid = geteuid(),
				      .gid = getegid(),
				      .quota = str_c(getenv("MAILDIRQUOTA"))};
	fd = open_maildir(env && *env ? env : maildir, &st);
	o = (struct process_opts){.set = set, .record = &record, .dev = st.st_dev, .ino = st.st_ino,
				  .maildir_fd = fd, .session_fd = -1};
	gconv = assign_open_gconv();
	tzset();
	/* Before the sandbox, which lets nothing be connected to. */
	o.notify_fd = what ? -1 : shell_connect_notifyd(set, o.dev, o.ino);
	if (priv_harden(&e) < 0 || assign_sandbox(set, fd, gconv, false, &e) < 0)
		shell_fatal(e.text);
	if (gconv >= 0)
		close(gconv);
	if (what)
		_exit(what->keywords ? keywords_run(&o, what->keywords) : transfer_run(&o, what));
	serve(&o);
}
