/* SPDX-License-Identifier: Apache-2.0 */
/* authd: checks passwords, signs tickets. Started by frontend main; descriptor 3 is the link to it. */
#include <signal.h>
#include "common/base/log.h"
#include "common/io/jobs.h"
#include "common/ipc/supervise.h"
#include "common/sys/main.h"
#include "common/sys/priv.h"
#include "common/sys/sandbox.h"
#include "frontend/authd/authd.h"
#include "frontend/authd/chain.h"
#include "frontend/authd/passwd_provider.h"
#include "frontend/authd/penalty.h"
#include "frontend/authd/requests.h"
#include "frontend/authd/revoke.h"
#include "frontend/authd/sasl/mech.h"

enum { SUP_FD = 3 };

static _Noreturn void fail(const char *what, const char *why)
{
	LOG(L_ERROR, what, L_C("error", why));
	exit(1);
}

/* The run directory is all that may be opened, for ticket.key. No thread has started yet: the
 * workers' links come behind this. */
static void lock_in(struct authd *ad, int rundir)
{
	struct sandbox_rule rule = {rundir, SANDBOX_READ};
	struct err e;

	signer_rundir(&ad->signer, rundir);
	if (strcmp(ad->set->sandbox, "off") == 0 || sandbox_fs(&rule, 1, true, &e) == 0)
		return;
	if (e.code != ENOSYS)
		fail("sandbox", e.text);
	LOG(L_WARN, "no sandbox", L_C("error", e.text));
}

static int take_fd(struct link_msg *m)
{
	int fd = m->fds[0];

	m->fds[0] = -1;
	return fd;
}

static int add_worker(struct authd *ad, struct link_msg *m)
{
	struct wire r = wire_reader(m->body);
	uint32_t number = wire_get_u32(&r);

	if (!wire_end(&r) || ad->signer.rundir < 0)
		return -1;
	requests_add_worker(ad, number, take_fd(m));
	return 0;
}

static int on_revoke(struct authd *ad, struct link_msg *m)
{
	struct wire r = wire_reader(m->body);
	struct str user = wire_get_str(&r, IPC_NAME_MAX);

	if (!wire_end(&r))
		return -1;
	revoke_user(ad, user, "posthousectl");
	return 0;
}

static int on_msg(void *ctx, struct link_msg *m)
{
	struct authd *ad = ctx;

	if (m->nfds != (m->type == SUP_REVOKE ? 0 : 1))
		return -1;
	switch (m->type) {
	case SUP_REVOKE:
		return on_revoke(ad, m);
	case SUP_RUNDIR:
		if (ad->signer.rundir >= 0)
			return -1;
		lock_in(ad, take_fd(m));
		link_send(ad->sup, SUP_READY, STR(""), NULL, 0);
		return 0;
	case SUP_PASSWD_FILE:
		if (ad->passwd && passwd_provider_load(ad->passwd, m->fds[0]))
			revoke_all_cached(ad, "passwd-file");
		return 0;
	case SUP_AUTHD_LINK:
		return add_worker(ad, m);
	default:
		return -1;
	}
}

static void on_close(void *ctx, const char *why)
{
	struct authd *ad = ctx;

	loop_stop(ad->loop);
}

static void make_providers(struct authd *ad)
{
	struct str rest = str_c(ad->set->authmodules);

	while (rest.p) {
		struct str name = str_trim(str_split(&rest, ' '));

		if (!name.n)
			continue;
		if (!str_eq(name, STR("passwd-file")) || ad->passwd)
			fail("AUTHMODULES", "only passwd-file, once");
		ad->passwd = passwd_provider_new(ad->set);
		chain_add(ad->chain, ad->passwd);
	}
	ad->mechanisms = mech_possible(ad->set, chain_kinds(ad->chain));
}

static unsigned thread_count(const struct settings *set)
{
	long n = set->auth_threads ? (long)set->auth_threads : sysconf(_SC_NPROCESSORS_ONLN);

	return n > 0 ? (unsigned)n : 1;
}

static void on_stop(void *ctx, int signo)
{
	struct authd *ad = ctx;

	loop_stop(ad->loop);
}

int main(int argc, char **argv)
{
	static const struct link_ops ops = {on_msg, on_close, NULL};
	static struct settings set;
	static struct authd ad = {.signer = {.rundir = -1}};
	struct err e;

	if (main_init(argc, argv, "authd", &set) == MAIN_CHECK)
		return 0;
	if (priv_drop(set.auth_user, -1, &e))
		fail("privileges", e.text);
	ad.set = &set;
	ad.loop = loop_new();
	ad.jobs = jobs_new(ad.loop, thread_count(&set));
	ad.chain = chain_new(&ad);
	ad.penalty = penalty_new(ad.loop, &set);
	list_init(&ad.requesters);
	make_providers(&ad);
	ad.sup = link_new(ad.loop, SUP_FD, 64, &ops, &ad);
	loop_signal_new(ad.loop, SIGTERM, on_stop, &ad);
	loop_signal_new(ad.loop, SIGINT, on_stop, &ad);
	loop_run(ad.loop);
	secret_zero(ad.signer.key, sizeof(ad.signer.key));
	return 0;
}
