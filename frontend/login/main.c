/* SPDX-License-Identifier: Apache-2.0 */
/* login: a login worker. Started by frontend main; descriptor 3 is the link to it. */
#include <openssl/ssl.h>
#include <signal.h>
#include <sys/resource.h>
#include "common/base/log.h"
#include "common/sys/main.h"
#include "common/sys/priv.h"
#include "common/sys/sandbox.h"
#include "frontend/login/loglines.h"
#include "frontend/login/worker.h"

enum { SUP_FD = 3 };

static _Noreturn void fail(const char *what, const struct err *e)
{
	LOG(L_ERROR, what, L_C("error", e->text));
	exit(1);
}

static void raise_descriptor_limit(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
}

/* From here on no file can be opened and nothing executed: what is needed comes over the link. */
static void lock_in(const struct settings *set)
{
	struct err e;

	if (priv_drop(set->login_user, -1, &e))
		fail("privileges", &e);
	if (strcmp(set->sandbox, "off") == 0)
		return;
	if (sandbox_fs(NULL, 0, true, &e) == 0)
		return;
	if (e.code != ENOSYS)
		fail("sandbox", &e);
	LOG(L_WARN, "no sandbox", L_C("error", e.text));
}

static void on_stop(void *ctx, int signo)
{
	loop_stop(ctx);
}

int main(int argc, char **argv)
{
	static struct settings set;
	struct loop *loop;
	struct worker *w;

	if (main_init(argc, argv, "login", &set) == MAIN_CHECK)
		return 0;
	main_start_log(loglines_program(&set), &set);
	raise_descriptor_limit();
	/* Reads openssl.cnf and loads its tables while files can still be opened. */
	OPENSSL_init_ssl(OPENSSL_INIT_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, NULL);
	lock_in(&set);
	loop = loop_new();
	w = worker_new(loop, &set, SUP_FD);
	loop_signal_new(loop, SIGTERM, on_stop, loop);
	loop_signal_new(loop, SIGINT, on_stop, loop);
	loop_run(loop);
	worker_free(&w);
	loop_free(&loop);
	settings_free(&set);
	return 0;
}
