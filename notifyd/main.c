/* SPDX-License-Identifier: Apache-2.0 */
/*
 * notifyd: watches every folder that an imapd holds open, tells each change to all who hold it, and
 * relays what they tell each other. One per host (DESIGN.md P15 to P17).
 */
#include <signal.h>
#include <sys/stat.h>
#include "common/base/log.h"
#include "common/ipc/control.h"
#include "common/sys/main.h"
#include "common/sys/sdnotify.h"
#include "notifyd/control.h"
#include "notifyd/notifyd.h"

/* Ordinary users' imapds (from a shell) may come where RUNDIR lets them pass; they are held to
 * their own uid by SO_PEERCRED and to PEER_LINKS_MAX links. */
#define SOCKET_MODE 0666

static int fail(const char *what, const struct err *e)
{
	LOG(L_ERROR, what, L_C("error", e->text));
	return 1;
}

static int listen_on(const char *rundir, struct err *e)
{
	struct buf path = BUF_INIT;
	int fd;

	if (mkdir(rundir, 0711) == 0)
		chmod(rundir, 0711); /* whatever the umask says */
	buf_printf(&path, "%s/notifyd.sock", rundir);
	fd = link_listen(buf_cstr(&path), SOCKET_MODE);
	if (fd < 0)
		err_sys(e, "can't listen on %s", buf_cstr(&path));
	buf_deinit(&path);
	return fd;
}

static void on_stop(void *ctx, int signo)
{
	LOG(L_INFO, "stopping", L_I("signal", signo));
	sdnotify("STOPPING=1");
	loop_stop(ctx);
}

static void on_reload(void *ctx, int signo)
{
	LOG(L_INFO, "reload_ignored", L_C("hint", "settings are read at the start: restart notifyd"));
}

int main(int argc, char **argv)
{
	static struct settings set;
	static struct notifyd nd;
	struct control_server *control;
	struct loop_signal *sig[3];
	struct loop *loop;
	struct err e;
	int fd;

	if (main_init(argc, argv, "notifyd", &set) == MAIN_CHECK)
		return 0;
	loop = loop_new();
	fd = listen_on(set.rundir, &e);
	if (fd < 0)
		return fail("socket", &e);
	control = notifyd_control(&nd, loop, set.rundir, &e);
	if (!control)
		return fail("control", &e);
	if (privs_drop(&set, &e) < 0)
		return fail("privileges", &e);
	sig[0] = loop_signal_new(loop, SIGTERM, on_stop, loop);
	sig[1] = loop_signal_new(loop, SIGINT, on_stop, loop);
	sig[2] = loop_signal_new(loop, SIGHUP, on_reload, loop);
	if (notifyd_start(&nd, loop, &set, fd, &e) < 0)
		return fail("inotify", &e);
	LOG(L_INFO, "ready", L_U("instances", nd.nshards), L_C("rundir", set.rundir), L_U("uid", geteuid()));
	sdnotify("READY=1");
	loop_run(loop);
	control_server_free(&control);
	if (!notifyd_stop(&nd))
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(sig); i++)
		loop_signal_free(&sig[i]);
	loop_free(&loop);
	settings_free(&set);
	return 0;
}
