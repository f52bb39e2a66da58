/* SPDX-License-Identifier: Apache-2.0 */
/*
 * backend: the master. Verifies tickets, finds or starts the one imapd of each mail store, passes
 * clients on. Where it runs as root, it is the only process of the house that does.
 */
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include "backend/master/master.h"
#include "common/base/log.h"
#include "common/base/secret.h"
#include "common/sys/cyrusopts.h"
#include "common/sys/main.h"
#include "common/sys/priv.h"
#include "common/sys/proc.h"
#include "common/sys/sdnotify.h"

#define RESOLVE_THREADS 48 /* those of stalled volumes sleep; see VOLUME_JOBS_MAX in resolve.c */
#define STOP_WAIT_MS 5000
#define OTHER_MASTER_WAIT_MS 5000

static _Noreturn void fail(const char *what, const char *detail)
{
	LOG(L_ERROR, what, L_C("error", detail));
	exit(1);
}

/* ---- before anything is served ---------------------------------------------------------------- */

static uint32_t user_id(const struct master *m, const char *setting, const char *name)
{
	struct priv_user u;
	struct err e, why;

	if (!m->root)
		return m->uid;
	if (priv_lookup(name, &u, &why) == 0)
		return u.uid;
	err_set(&e, 0, "%s=%s: %s; make it (useradd --system %s) or name another", setting, name,
		why.text, name);
	fail("settings", e.text);
}

static void harden(struct master *m)
{
	struct rlimit files;
	struct err e;

	signal(SIGHUP, SIG_IGN);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	m->uid = geteuid();
	m->root = m->uid == 0;
	if (m->root && setgroups(0, NULL) < 0)
		fail("setgroups", strerror(errno));
	/* Imapds whose zygote died are reaped here. What the mailer runs may need to gain by exec. */
	if ((mailhouse_needed(m->set) ? priv_harden_exec : priv_harden)(&e) < 0 || proc_subreaper(&e) < 0)
		fail("privileges", e.text);
}

/* The directory belongs to root or us, nobody else may write to it; others may pass through. */
static void make_rundir(struct master *m)
{
	const char *dir = m->set->rundir;
	struct stat st;
	struct err e;
	int fd;

	if (mkdir(dir, 0711) < 0 && errno != EEXIST) {
		err_sys(&e, "can't make RUNDIR %s", dir);
		fail("rundir", e.text);
	}
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0) {
		err_sys(&e, "can't open RUNDIR %s", dir);
		fail("rundir", e.text);
	}
	if ((st.st_uid != 0 && st.st_uid != m->uid) || (st.st_mode & 022)) {
		err_set(&e, 0,
			"RUNDIR %s must belong to root or uid %u and be writable by nobody else",
			dir, m->uid);
		fail("rundir", e.text);
	}
	if ((st.st_mode & 0111) != 0111 && fchmod(fd, (st.st_mode & 07777) | 0111) < 0)
		fail("rundir", strerror(errno));
	if (mkdirat(fd, "stores", 0700) < 0 && errno != EEXIST)
		fail("rundir", strerror(errno));
	m->stores_fd = openat(fd, "stores", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (m->stores_fd < 0)
		fail("rundir", strerror(errno));
	close(fd);
}

/* One master per RUNDIR: the locks and sockets in it are its own. Held until the process ends. */
static void be_the_only_one(const struct master *m)
{
	struct buf path = BUF_INIT;
	int fd;

	buf_printf(&path, "%s/backend.lock", m->set->rundir);
	fd = open(buf_cstr(&path), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		fail("rundir", strerror(errno));
	for (int waited = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; waited += 50) {
		if (waited >= OTHER_MASTER_WAIT_MS) {
			struct err e;

			err_set(&e, 0, "another backend uses %s (its lock is held): stop it first",
				m->set->rundir);
			fail("rundir", e.text);
		}
		usleep(50000);
	}
	buf_deinit(&path);
}

static void get_hostname(struct master *m)
{
	if (gethostname(m->hostname, sizeof m->hostname - 1) < 0 || m->hostname[0] == '\0')
		snprintf(m->hostname, sizeof m->hostname, "localhost");
	for (char *c = m->hostname; *c; c++)
		if (*c <= ' ' || *c == '/' || *c >= 0x7f)
			*c = '-';
}

/* ---- stopping --------------------------------------------------------------------------------- */

static void on_stop_late(void *ctx)
{
	struct master *m = ctx;

	LOG(L_WARN, "stop", L_U("imapds_left", m->nprocs),
	    L_C("reason", "they took longer than 5 s"));
	loop_stop(m->loop);
}

static void on_stop(void *ctx, int signo)
{
	struct master *m = ctx;

	if (m->stopping)
		return;
	m->stopping = true;
	sdnotify("STOPPING=1");
	LOG(L_INFO, "stopping", L_I("signal", signo), L_U("imapds", m->nprocs));
	gate_close(m->gate);
	list_foreach(e, &m->procs)
		child_shutdown(list_entry(e, struct child, link),
			       "[UNAVAILABLE] The server is shutting down.");
	m->stop_timer = loop_timer_new(m->loop, on_stop_late, m);
	loop_timer_set(m->stop_timer, STOP_WAIT_MS);
	if (m->nprocs == 0)
		loop_stop(m->loop);
}

static void on_child(void *ctx, pid_t pid, int status)
{
	struct master *m = ctx;

	if (!mailhouse_exit(m->mailhouse, pid, status) && !loginexec_exit(m->loginexec, pid, status))
		pool_child_exit(m->pool, pid, status);
}

/* What only shows when mail is sent is said at the start. */
static void check_outbox(const struct settings *set)
{
	struct str url = str_c(set->smtp_url);
	const char *name = set->outbox;

	if (!*name)
		return;
	if (name[0] != '.' || !name[1] || strpbrk(name, "/ \"\\{%*()\r\n"))
		fail("settings", "OUTBOX must be the name of a folder with a dot in front, as .Outbox is");
	for (const char *p = set->headerfrom; *p; p++)
		if (*p <= ' ' || *p >= 0x7f || *p == ':')
			fail("settings", "HEADERFROM must be the name of a header field");
	if (url.n && !str_starts(url, STR("smtp://")) && !str_starts(url, STR("smtps://")))
		fail("settings", "SMTP_URL must begin with smtp:// or smtps://");
	if (!url.n && set->sendmail[0] != '/')
		fail("settings", "SENDMAIL must be the whole path of a program");
}

static void open_for_business(struct master *m)
{
	struct err e;
	uint32_t login_uid = user_id(m, "LOGIN_USER", m->set->login_user);
	uint32_t auth_uid = user_id(m, "AUTH_USER", m->set->auth_user);

	if (ticket_key_make(m->set->rundir, auth_uid, m->key) < 0) {
		err_sys(&e, "can't make %s/ticket.key", m->set->rundir);
		fail("ticket-key", e.text);
	}
	check_outbox(m->set);
	m->notifier = notifier_new(m);
	m->resolver = resolver_new(m);
	m->cyrus = cyrus_new(m);
	m->loginexec = loginexec_new(m);
	m->jobs = jobs_new(m->loop, RESOLVE_THREADS);
	loop_on_child(m->loop, on_child, m);
	loop_signal_new(m->loop, SIGTERM, on_stop, m);
	loop_signal_new(m->loop, SIGINT, on_stop, m);
	m->pool = pool_new(m, &e);
	if (!m->pool)
		fail("zygote", e.text);
	m->mailhouse = mailhouse_new(m);
	m->control = control_server_new(m->loop, m->set->rundir, "backend", verbs_request, m, &e);
	if (!m->control)
		fail("control", e.text);
	m->gate = gate_new(m, login_uid, &e);
	if (!m->gate)
		fail("gate", e.text);
}

int main(int argc, char **argv)
{
	static struct master m;
	static struct settings set;
	static const struct cyrusopt opts[] = {{'U', "IMAPD_USES", NULL},
					       {'T', "IMAPD_LINGER", "4294967295"}};
	int nargs = argc;
	char **args = cyrusopts(&nargs, argv, opts, ARRAY_LEN(opts), "backend");

	main_help_more("  -U USES           IMAPD_USES, as with Cyrus's imapd\n"
		       "  -T SECONDS        IMAPD_LINGER; 0 means for ever, as with Cyrus's imapd\n");
	if (main_init(nargs, args, "backend", &set) == MAIN_CHECK) {
		printf("settings are valid\n");
		return 0;
	}
	proc_title_init(argc, argv); /* main_init saw a copy of it */
	m.set = &set;
	list_init(&m.procs);
	list_init(&m.crash_order);
	m.stores = hmap_new();
	m.users = hmap_new();
	m.uids = hmap_new();
	m.crashes = hmap_new();
	m.revoked = hmap_new();
	harden(&m);
	get_hostname(&m);
	make_rundir(&m);
	be_the_only_one(&m);
	m.loop = loop_new();
	open_for_business(&m);
	sdnotify("READY=1");
	LOG(L_INFO, "ready", L_C("program", "backend"), L_C("rundir", set.rundir),
	    L_U("uid", m.uid));
	loop_run(m.loop);
	secret_zero(m.key, sizeof m.key);
	LOG(L_INFO, "stopped", L_U("logins", m.count.logins));
	return 0;
}
