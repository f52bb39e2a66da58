/* SPDX-License-Identifier: Apache-2.0 */
/* authd: checks passwords, signs tickets. Started by frontend main; descriptor 3 is the link to it. */
#include <openssl/crypto.h>
#include <signal.h>
#include "common/base/log.h"
#include "common/io/jobs.h"
#include "common/ipc/supervise.h"
#include "common/sys/main.h"
#include "common/sys/priv.h"
#include "frontend/authd/authd.h"
#include "frontend/authd/authtest.h"
#include "frontend/authd/authlib_provider.h"
#include "frontend/authd/chain.h"
#include "frontend/authd/clientcert.h"
#include "frontend/authd/confine.h"
#include "frontend/authd/http_provider.h"
#include "frontend/authd/oauth/oauth.h"
#include "frontend/authd/passwd_provider.h"
#include "frontend/authd/penalty.h"
#include "frontend/authd/penalty_redis.h"
#include "frontend/authd/pwhash.h"
#include "frontend/authd/redis_provider.h"
#include "frontend/authd/redis_service.h"
#include "frontend/authd/requests.h"
#include "frontend/authd/revoke.h"
#include "frontend/authd/revoke_redis.h"
#include "frontend/authd/sasl/mech.h"
#include "frontend/authd/trustfiles.h"

enum { SUP_FD = 3 };

static _Noreturn void fail(const char *what, const char *why)
{
	LOG(L_ERROR, what, L_C("error", why));
	exit(1);
}

/* No thread has started yet: the workers' links and the passwd-file come behind this. */
static void lock_in(struct authd *ad, int rundir)
{
	struct err e;

	signer_rundir(&ad->signer, rundir);
	if (strcmp(ad->set->sandbox, "off") == 0 || confine(ad->set, rundir, &e) == 0)
		return;
	if (e.code != ENOSYS)
		fail("sandbox", e.text);
	LOG(L_WARN, "no sandbox", L_C("error", e.text));
}

/* Connections to others are made inside of the sandbox. */
static void connect_redis(struct authd *ad)
{
	ad->redis = redis_service_new(ad);
	if (!ad->redis)
		return;
	revoke_redis_start(ad);
	if (strcmp(ad->set->limits_shared, "redis") == 0)
		ad->penalty_redis = penalty_redis_new(ad);
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

static unsigned fds_of(uint16_t type)
{
	if (type == SUP_REVOKE || type == SUP_AUTHTEST || type == SUP_COUNTS_WANTED)
		return 0;
	return type == SUP_TRUST ? 2 : 1;
}

static void send_counts(struct authd *ad)
{
	struct buf b = BUF_INIT;

	chain_counts(ad->chain, &b);
	redis_service_counts(ad, &b);
	wire_count(&b, "worst_turn_us", loop_worst_turn_us(ad->loop));
	link_send(ad->sup, SUP_COUNTS, buf_str(&b), NULL, 0);
	buf_deinit(&b);
}

static int on_msg(void *ctx, struct link_msg *m)
{
	struct authd *ad = ctx;

	if (m->nfds != fds_of(m->type))
		return -1;
	switch (m->type) {
	case SUP_COUNTS_WANTED:
		send_counts(ad);
		return 0;
	case SUP_REVOKE:
		return on_revoke(ad, m);
	case SUP_AUTHTEST:
		return authtest_begin(ad, m->body);
	case SUP_RUNDIR:
		if (ad->signer.rundir >= 0)
			return -1;
		lock_in(ad, take_fd(m));
		connect_redis(ad);
		oauth_start(ad->oauth);
		link_send(ad->sup, SUP_READY, STR(""), NULL, 0);
		return 0;
	case SUP_PASSWD_FILE:
		if (ad->passwd)
			passwd_provider_load(ad->passwd, m->fds[0]);
		return 0;
	case SUP_TRUST:
		return trustfiles_take(ad->clientcert, m->fds);
	case SUP_SERVER_CERTS:
		return trustfiles_take_servers(ad->clientcert, m->fds[0]);
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

static void offer_mechanisms(struct authd *ad)
{
	ad->mechanisms = mech_possible(ad->set, chain_kinds(ad->chain), chain_unsuited(ad->chain));
}

static void passwd_loaded(void *ctx)
{
	struct authd *ad = ctx;
	unsigned before = ad->mechanisms;

	revoke_doubt(ad, "passwd-file");
	offer_mechanisms(ad);
	if (ad->mechanisms != before)
		requests_tell_mechanisms(ad);
}

static struct provider *make_provider(struct authd *ad, struct str name,
				      const struct http_files *files)
{
	struct provider *p = NULL;
	struct err e;

	err_set(&e, EINVAL, "%.*s is no module", STR_ARG(name));
	if (str_eq(name, STR("passwd-file")))
		p = ad->passwd = passwd_provider_new(ad->loop, ad->set, passwd_loaded, ad);
	else if (str_eq(name, STR("http")))
		p = http_provider_new(ad->loop, ad->set, files, &e);
	else if (str_eq(name, STR("redis")))
		p = redis_provider_new(ad);
	else if (str_eq(name, STR("authlib")) || str_eq(name, STR("authdaemon")))
		p = authlib_provider_new(ad->loop, ad->set, ad->jobs);
	if (!p)
		fail("AUTHMODULES", e.text);
	if (str_eq(name, STR("http")))
		http_provider_certs(p, ad->clientcert);
	return p;
}

static void make_providers(struct authd *ad, const struct http_files *files)
{
	struct str rest = str_c(ad->set->authmodules);

	while (rest.p) {
		struct str name = str_trim(str_split(&rest, ' '));

		if (name.n)
			chain_add(ad->chain, make_provider(ad, name, files));
	}
	offer_mechanisms(ad);
}

static void make_oauth(struct authd *ad)
{
	struct err e;

	ad->oauth = oauth_new(ad->loop, ad->jobs, ad->set, &e);
	if (!ad->oauth && e.text[0])
		fail("access tokens", e.text);
}

static void limit_hashes(const struct settings *set)
{
	pwhash_limit(&(struct pwhash_limits){.rounds = set->pwhash_rounds_max,
					     .memory_kib = set->pwhash_memory_max * 1024});
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
	struct http_files files;
	enum main_mode mode;
	struct err e;

	mode = main_init(argc, argv, "authd", &set);
	if (redis_service_check(&set, &e) || oauth_settings_check(&set, &e) ||
	    mech_settings_check(&set, &e))
		fail("settings", e.text);
	if (http_files_read(&files, &set, &e))
		fail("settings", e.text);
	if (mode == MAIN_CHECK)
		return 0;
	/* Reads openssl.cnf while files can still be opened. */
	OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, NULL);
	if (priv_drop_groups(set.auth_user, set.auth_groups, -1, &e))
		fail("privileges", e.text);
	ad.set = &set;
	ad.loop = loop_new();
	ad.jobs = jobs_new(ad.loop, thread_count(&set));
	ad.clientcert = clientcert_new();
	ad.chain = chain_new(&ad);
	ad.penalty = penalty_new(ad.loop, &set);
	list_init(&ad.requesters);
	limit_hashes(&set);
	make_oauth(&ad);
	make_providers(&ad, &files);
	http_files_wipe(&files);
	ad.sup = link_new(ad.loop, SUP_FD, 64, &ops, &ad);
	loop_signal_new(ad.loop, SIGTERM, on_stop, &ad);
	loop_signal_new(ad.loop, SIGINT, on_stop, &ad);
	loop_run(ad.loop);
	secret_zero(ad.signer.key, sizeof(ad.signer.key));
	return 0;
}
