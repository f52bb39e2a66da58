/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/imapd/inetd.h"
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <syslog.h>
#include "common/base/log.h"
#include "common/io/link.h"
#include "common/io/sock.h"
#include "common/ipc/inlet.h"

enum { ANSWER_MS = 5000, SYSTEMD_FD = 3, REPORT_MAX = 1024 };

static int report_fd = -1;

bool inetd_is_network(int fd)
{
	struct sockaddr_storage ss;
	socklen_t n = sizeof(ss);

	return getsockname(fd, (struct sockaddr *)&ss, &n) == 0 && ss.ss_family != AF_UNIX;
}

/* What was meant for a terminal. */
static void report(void)
{
	char text[REPORT_MAX];
	ssize_t n = pread(report_fd, text, sizeof(text) - 1, 0);

	if (n <= 0)
		return;
	text[n] = '\0';
	openlog("imapd", LOG_PID, LOG_MAIL);
	syslog(LOG_ERR, "%s", text);
}

static void hide_stderr(void)
{
	report_fd = memfd_create("stderr", MFD_CLOEXEC);
	if (report_fd < 0 || dup2(report_fd, STDERR_FILENO) < 0)
		_exit(1); /* rather than tell a stranger about our settings */
	atexit(report);
}

static bool from_systemd(void)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	uint64_t v;

	return pid && fds && str_eq(str_c(fds), STR("1")) && str_u64(str_c(pid), &v) &&
	       v == (uint64_t)getpid() && inetd_is_network(SYSTEMD_FD);
}

int inetd_client(void)
{
	int fd = inetd_is_network(STDIN_FILENO)	   ? STDIN_FILENO
		 : inetd_is_network(STDOUT_FILENO) ? STDOUT_FILENO
		 : from_systemd()		   ? SYSTEMD_FD
						   : -1;

	if (fd >= 0 && inetd_is_network(STDERR_FILENO))
		hide_stderr();
	return fd;
}

static _Noreturn void refuse(int fd, const struct inetd_opts *o, const char *why)
{
	LOG(L_ERROR, "client not passed on", L_C("error", why));
	if (!o->tls)
		(void)dprintf(fd,
			      "* BYE [UNAVAILABLE] Temporary problem, please try again later.\r\n");
	exit(1);
}

/* A -N that reached past this host would be a server without passwords. */
static bool is_loopback(int fd)
{
	struct sock_addr local, peer = {.len = sizeof(peer.ss)};

	sock_local(fd, &local);
	return getpeername(fd, (struct sockaddr *)&peer.ss, &peer.len) == 0 &&
	       sock_loopback(&local) && sock_loopback(&peer);
}

static void check_socket(int fd, const struct inetd_opts *o)
{
	int type = 0, listens = 0;
	socklen_t n = sizeof(type), nl = sizeof(listens);

	(void)getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &n);
	(void)getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &nl);
	if (type != SOCK_STREAM || listens) {
		LOG(L_ERROR, "client not passed on",
		    L_C("error",
			"a connected TCP socket is wanted: nowait in inetd.conf, Accept=yes for systemd"));
		exit(1);
	}
	if (o->nocheck && !is_loopback(fd))
		refuse(fd, o, "-N is for connections from this host to a loopback address");
}

static int connect_frontend(const struct settings *set, struct err *e)
{
	struct buf path = BUF_INIT;
	int fd;

	buf_printf(&path, "%s/frontend.in", set->rundir);
	fd = link_connect(buf_cstr(&path));
	if (fd < 0)
		err_sys(e, "the front end isn't reached at %s", buf_cstr(&path));
	buf_deinit(&path);
	return fd;
}

void inetd_run(const struct settings *set, int fd, const struct inetd_opts *o)
{
	struct buf b = BUF_INIT, store = BUF_INIT;
	struct link_msg m;
	struct str why;
	struct wire w;
	struct err e;
	int frontend;

	check_socket(fd, o);
	frontend = connect_frontend(set, &e);
	if (frontend < 0)
		refuse(fd, o, e.text);
	wire_u8(&b, o->tls);
	wire_u8(&b, o->nocheck);
	wire_u32(&b, o->ssf);
	if (link_send_blocking(frontend, INLET_CLIENT, buf_str(&b), &fd, 1) < 0 ||
	    link_recv_blocking(frontend, &store, &m, ANSWER_MS) != 1)
		refuse(fd, o,
		       "the front end doesn't answer; RUNDIR's frontend.in is for root and its own user");
	if (m.type == INLET_TAKEN)
		exit(0);
	w = wire_reader(m.body);
	why = wire_get_str(&w, sizeof(e.text));
	err_set(&e, 0, "%.*s", STR_ARG(why));
	refuse(fd, o, e.text);
}
