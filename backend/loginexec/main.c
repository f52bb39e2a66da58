/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loginexec: runs the file of that name in one Maildir, as the account, and ends all that it started. The
 * backend master starts it for a login and lets the login go on when it has ended, however it did.
 */
#include <fcntl.h>
#include <sys/stat.h>
#include "backend/loginexec/child.h"
#include "common/base/log.h"
#include "common/io/link.h"
#include "common/ipc/loginexec.h"
#include "common/sys/main.h"
#include "common/sys/priv.h"
#include "common/sys/proc.h"

#define NAME "loginexec"

static _Noreturn void fail(const char *what, const char *why)
{
	LOG(L_ERROR, "loginexec-failed", L_C("what", what), L_C("error", why));
	exit(1);
}

static void receive(struct buf *body, struct loginexec_run *r)
{
	struct buf store = BUF_INIT;
	struct link_msg m;

	if (link_recv_blocking(LOGINEXEC_FD, &store, &m, -1) != 1)
		exit(0); /* the master has gone */
	buf_str_put(body, m.body);
	buf_deinit(&store);
	if (m.type != LOGINEXEC_RUN || m.nfds != 0 || !loginexec_run_get(buf_str(body), r))
		fail("request", "malformed");
	close(LOGINEXEC_FD);
}

static void become(const struct loginexec_run *r)
{
	struct err e;

	if (geteuid() == 0 ? priv_become(r->uid, r->gid, -1, &e) < 0 : priv_harden(&e) < 0)
		fail("become", e.text);
	if (geteuid() != r->uid)
		fail("become", "another uid than the account's");
	if (proc_subreaper(&e) < 0)
		fail("become", e.text);
	if (fchdir(LOGINEXEC_MAILDIR_FD) < 0)
		fail("Maildir", strerror(errno));
}

/* Why it isn't run, or NULL. entry: what has the name, a link itself. */
static const char *refuse(const struct loginexec_run *r, struct stat *entry)
{
	struct stat st;

	if (lstat(NAME, entry) < 0)
		return errno == ENOENT ? "" : strerror(errno);
	if (entry->st_uid != r->uid && entry->st_uid != 0)
		return "it isn't the account's own";
	if (!S_ISREG(entry->st_mode) && !S_ISLNK(entry->st_mode))
		return "neither a file nor a link";
	if (stat(NAME, &st) < 0)
		return strerror(errno);
	if (!S_ISREG(st.st_mode))
		return "the link doesn't lead to a file";
	if (st.st_mode & S_IWOTH)
		return "anybody may write to it";
	if (faccessat(AT_FDCWD, NAME, X_OK, AT_EACCESS) < 0)
		return "it isn't executable";
	return NULL;
}

/* The name goes, not what a link leads to; and not what somebody put there meanwhile. */
static void remove_it(const struct loginexec_run *r, const struct stat *was)
{
	struct stat now;

	if (lstat(NAME, &now) == 0 && now.st_dev == was->st_dev && now.st_ino == was->st_ino &&
	    unlink(NAME) == 0)
		LOG(L_INFO, "loginexec-done", L_S("user", r->user), L_S("session", r->session));
	else
		LOG(L_INFO, "loginexec-done", L_S("user", r->user), L_S("session", r->session),
		    L_C("kept", "it was removed or replaced while it ran"));
}

int main(int argc, char **argv)
{
	static struct settings set;
	struct buf body = BUF_INIT;
	struct loginexec_run r;
	struct child_end end;
	struct stat entry;
	const char *why;

	if (main_init(argc, argv, "loginexec", &set) == MAIN_CHECK)
		return 0;
	receive(&body, &r);
	become(&r);
	why = refuse(&r, &entry);
	if (!why) {
		child_run(&set, &r, "./" NAME, &end);
		if (end.good)
			remove_it(&r, &entry);
		else
			LOG(L_WARN, "loginexec-failed", L_S("user", r.user),
			    L_S("session", r.session), L_C("error", end.text),
			    L_C("kept", "it runs again at the next login"));
	} else if (*why) {
		LOG(L_WARN, "loginexec-not-run", L_S("user", r.user), L_S("session", r.session),
		    L_C("cause", why));
	}
	return 0;
}
