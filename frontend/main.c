/* SPDX-License-Identifier: Apache-2.0 */
/* frontend: starts login workers and authd and keeps them going. */
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include "common/base/ensure.h"
#include "common/base/log.h"
#include "common/base/rand.h"
#include "common/imap/caps.h"
#include "common/io/netlist.h"
#include "common/ipc/ipcount.h"
#include "common/sys/main.h"
#include "common/sys/priv.h"
#include "common/sys/sdnotify.h"
#include "frontend/frontend.h"

enum { TICK_MS = 1000, STOP_WAIT_MS = 5000 };

static _Noreturn void fail(const char *what, const struct err *e)
{
	LOG(L_ERROR, what, L_C("error", e->text));
	exit(1);
}

void frontend_maybe_ready(struct frontend *f)
{
	if (f->announced || !f->authd.ready)
		return;
	for (unsigned i = 0; i < f->nworkers; i++)
		if (!f->workers[i].ready)
			return;
	f->announced = true;
	sdnotify("READY=1");
	LOG(L_INFO, "ready", L_C("program", "frontend"), L_U("workers", f->nworkers));
}

static void on_tick(void *ctx)
{
	struct frontend *f = ctx;

	files_look(f, false);
	loop_timer_set(f->tick, TICK_MS);
}

static void on_reload(void *ctx, int signo)
{
	files_look(ctx, true);
}

static void on_request(void *ctx, struct control_client *who, const struct control_request *q)
{
	struct frontend *f = ctx;

	if (str_eq(q->verb, STR("stats")))
		stats_request(f, who);
	else if (str_eq(q->verb, STR("revoke")))
		revoke_request(f, who, q);
	else
		control_answer_end(who, false, "the frontend knows: stats, revoke");
}

/* ---- stopping ------------------------------------------------------------------------------ */

static void on_stop_late(void *ctx)
{
	struct frontend *f = ctx;

	LOG(L_WARN, "children killed", L_C("reason", "they took longer than 5 s"));
	child_signal_all(f, SIGKILL);
	loop_stop(f->loop);
}

static void on_stop(void *ctx, int signo)
{
	struct frontend *f = ctx;

	if (f->stopping)
		return;
	f->stopping = true;
	sdnotify("STOPPING=1");
	LOG(L_INFO, "stopping", L_I("signal", signo));
	child_signal_all(f, SIGTERM);
	loop_timer_set(f->stop_timer, STOP_WAIT_MS);
	if (!child_any_left(f))
		loop_stop(f->loop);
}

static void on_child(void *ctx, pid_t pid, int status)
{
	struct frontend *f = ctx;

	child_exited(f, pid, status);
	if (f->stopping && !child_any_left(f))
		loop_stop(f->loop);
}

/* ---- starting ------------------------------------------------------------------------------ */

static int open_rundir(struct frontend *f, struct err *e)
{
	const char *dir = f->set->rundir;

	if (mkdir(dir, 0711) == 0) {
		/* The umask is 077; authd and the workers' users pass through. */
		if (chmod(dir, 0711))
			return err_sys(e, "RUNDIR %s", dir);
	} else if (errno != EEXIST) {
		return err_sys(e, "can't make RUNDIR %s", dir);
	}
	f->rundir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return f->rundir < 0 ? err_sys(e, "can't open RUNDIR %s", dir) : 0;
}

static int check_user(const char *setting, const char *name, struct err *e)
{
	struct priv_user u;
	struct err why;

	if (geteuid() != 0 || priv_lookup(name, &u, &why) == 0)
		return 0;
	return err_set(e, 0, "%s=%s: %s; make it (useradd --system %s) or name another", setting,
		       name, why.text, name);
}

/* MAIL_UID and MAIL_GID: a name or 0 would be found out only by the first login. */
static int check_id(const char *setting, const char *value, struct err *e)
{
	uint32_t id;

	if (!value[0] || (str_u32(str_c(value), &id) && id != 0 && id != UINT32_MAX))
		return 0;
	return err_set(e, 0, "%s=%.40s: a number above 0 is wanted, as id -u and id -g print them",
		       setting, value);
}

static unsigned worker_count(const struct settings *set)
{
	long n = set->login_workers ? (long)set->login_workers : sysconf(_SC_NPROCESSORS_ONLN);

	return n > 0 ? (unsigned)n : 1;
}

static void raise_descriptor_limit(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
}

static void warn_of_capabilities(const struct settings *set)
{
	struct str word;
	size_t it = 0;

	while (imap_caps_unknown(str_c(set->imap_capability), &it, &word))
		LOG(L_WARN, "capability not offered", L_C("setting", "IMAP_CAPABILITY"),
		    L_S("name", word));
}

static int check_exempt(const struct settings *set, struct err *e)
{
	struct netlist l;

	if (netlist_parse(&l, set->limit_exempt, "LIMIT_EXEMPT", e))
		return -1;
	netlist_deinit(&l);
	return 0;
}

static void prepare(struct frontend *f)
{
	struct err e;

	if (ports_read(f, &e) || check_exempt(f->set, &e) ||
	    check_user("LOGIN_USER", f->set->login_user, &e) ||
	    check_user("AUTH_USER", f->set->auth_user, &e) ||
	    check_id("MAIL_UID", f->set->mail_uid, &e) ||
	    check_id("MAIL_GID", f->set->mail_gid, &e) || files_open(f, &e) || authd_check(&e))
		fail("settings", &e);
	warn_of_capabilities(f->set);
}

static void open_worker(struct frontend *f, unsigned i)
{
	struct child *c = &f->workers[i];
	struct err e;

	child_init(f, c, "login", i + 1);
	if (ports_open(f, c, &e))
		fail("listen", &e);
	if (ipcount_make(f->set->maxprelogin, &c->ipcount, &c->ipcount_shared)) {
		err_sys(&e, "counters");
		fail("start", &e);
	}
}

static void open_for_business(struct frontend *f)
{
	struct err e;

	if (open_rundir(f, &e) || priv_harden(&e))
		fail("start", &e);
	list_init(&f->revoking);
	f->nworkers = worker_count(f->set);
	f->workers = xcalloc(f->nworkers, sizeof(*f->workers));
	rand_bytes(f->ipcount_key, sizeof(f->ipcount_key));
	child_init(f, &f->authd, "authd", 0);
	for (unsigned i = 0; i < f->nworkers; i++)
		open_worker(f, i);
	f->control = control_server_new(f->loop, f->set->rundir, "frontend", on_request, f, &e);
	if (!f->control)
		fail("control", &e);
	f->tick = loop_timer_new(f->loop, on_tick, f);
	loop_timer_set(f->tick, TICK_MS);
	f->stop_timer = loop_timer_new(f->loop, on_stop_late, f);
	loop_on_child(f->loop, on_child, f);
	loop_signal_new(f->loop, SIGTERM, on_stop, f);
	loop_signal_new(f->loop, SIGINT, on_stop, f);
	loop_signal_new(f->loop, SIGHUP, on_reload, f);
}

int main(int argc, char **argv)
{
	static struct settings set;
	static struct frontend f = {.set = &set, .rundir = -1};
	enum main_mode mode = main_init(argc, argv, "frontend", &set);

	prepare(&f);
	if (mode == MAIN_CHECK) {
		printf("settings are valid\n");
		return 0;
	}
	raise_descriptor_limit();
	f.loop = loop_new();
	open_for_business(&f);
	child_start(&f.authd);
	for (unsigned i = 0; i < f.nworkers; i++)
		child_start(&f.workers[i]);
	loop_run(f.loop);
	control_server_free(&f.control);
	LOG(L_INFO, "stopped", L_C("program", "frontend"));
	return 0;
}
