/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/loginexec/child.h"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "common/base/clock.h"
#include "common/base/log.h"

enum { LINES_MAX = 100, KILL_ROUNDS = 400, KILL_STEP_US = 5000, ENV_N = 6 };

struct output {
	int fd;
	struct buf line;
	size_t left; /* bytes that are still logged */
	unsigned lines;
	uint64_t dropped;
};

/* ---- what it says ----------------------------------------------------------------------------- */

static void log_line(struct output *o, const struct loginexec_run *r)
{
	struct str s = str_trim(buf_str(&o->line));

	if (s.n && o->lines++ < LINES_MAX)
		LOG(L_INFO, "loginexec-output", L_S("user", r->user), L_S("session", r->session),
		    L_S("text", s));
	buf_reset(&o->line);
}

/* Read to the end even over the limit: a full pipe would stop the program. False: the pipe is closed. */
static bool take_output(struct output *o, const struct loginexec_run *r)
{
	char chunk[4096];
	ssize_t n = read(o->fd, chunk, sizeof chunk);

	if (n <= 0)
		return n < 0 && (errno == EAGAIN || errno == EINTR);
	for (ssize_t i = 0; i < n; i++) {
		if (o->left == 0) {
			o->dropped += (uint64_t)(n - i);
			break;
		}
		o->left--;
		if (chunk[i] == '\n' || o->line.n >= LOG_VALUE_MAX)
			log_line(o, r);
		if (chunk[i] != '\n')
			buf_putc(&o->line, chunk[i]);
	}
	return true;
}

/* ---- starting --------------------------------------------------------------------------------- */

static char *env_text(const char *name, struct str value)
{
	struct buf b = BUF_INIT;

	buf_printf(&b, "%s=%.*s", name, STR_ARG(value));
	return str_dup(buf_str(&b));
}

static _Noreturn void be_it(const struct loginexec_run *r, const char *path, int out)
{
	char cwd[4096], *argv[2] = {str_dup(str_c(path)), NULL}, *env[ENV_N];
	sigset_t none;

	setpgid(0, 0);
	if (!getcwd(cwd, sizeof cwd))
		snprintf(cwd, sizeof cwd, ".");
	env[0] = env_text("HOME", r->home);
	env[1] = env_text("USER", r->user);
	env[2] = env_text("LOGNAME", r->user);
	env[3] = env_text("MAILDIR", str_c(cwd));
	env[4] = str_dup(STR("PATH=/usr/local/bin:/usr/bin:/bin"));
	env[5] = NULL;
	for (int s = 1; s < NSIG; s++)
		signal(s, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (dup2(out, STDOUT_FILENO) < 0 || dup2(out, STDERR_FILENO) < 0 ||
	    syscall(SYS_close_range, 3U, ~0U, 0U) < 0)
		_exit(126);
	execve(path, argv, env);
	dprintf(STDERR_FILENO, "can't be executed: %s\n", strerror(errno));
	_exit(126);
}

/* ---- the end ---------------------------------------------------------------------------------- */

/* What left its group has become our child, or will when its parent is dead. */
static void kill_children(void)
{
	char text[4096], path[64], *at = text;
	ssize_t n;
	int fd;

	snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return;
	text[n] = '\0';
	for (;;) {
		char *end;
		long pid = strtol(at, &end, 10);

		if (end == at || *end == '\0') /* what is cut comes in the next round */
			break;
		if (pid > 1)
			kill((pid_t)pid, SIGKILL);
		at = end;
	}
}

static void end_all(pid_t pid, const struct loginexec_run *r)
{
	kill(-pid, SIGKILL);
	for (int i = 0; i < KILL_ROUNDS; i++) {
		pid_t got;

		kill_children();
		while ((got = waitpid(-1, NULL, WNOHANG)) > 0)
			continue;
		if (got < 0) /* ECHILD */
			return;
		usleep(KILL_STEP_US);
	}
	LOG(L_ERROR, "loginexec-left", L_S("user", r->user),
	    L_C("error", "processes of it can't be ended"));
}

static void judge(int status, bool late, const struct settings *set, struct child_end *end)
{
	end->good = !late && WIFEXITED(status) && WEXITSTATUS(status) == 0;
	if (late)
		snprintf(end->text, sizeof end->text, "killed after LOGINEXEC_TIMEOUT=%llu",
			 (unsigned long long)set->loginexec_timeout);
	else if (WIFSIGNALED(status))
		snprintf(end->text, sizeof end->text, "signal %d", WTERMSIG(status));
	else
		snprintf(end->text, sizeof end->text, "exit %d", WEXITSTATUS(status));
}

/* Until it has ended (true) or its time is over. */
static bool watch(pid_t pid, int sigfd, struct output *o, const struct settings *set,
		  const struct loginexec_run *r, int *status)
{
	uint64_t until = clock_ms() + set->loginexec_timeout * 1000;
	struct signalfd_siginfo si;

	for (;;) {
		uint64_t now = clock_ms();
		struct pollfd p[2] = {{.fd = sigfd, .events = POLLIN},
				      {.fd = o->fd, .events = POLLIN}};

		if (now >= until)
			return false;
		if (poll(p, 2, (int)(until - now)) < 0 && errno != EINTR)
			return false;
		if (p[1].revents && !take_output(o, r)) {
			close(o->fd);
			o->fd = -1; /* poll passes it over */
		}
		if (!p[0].revents)
			continue;
		while (read(sigfd, &si, sizeof si) > 0)
			continue;
		if (waitpid(pid, status, WNOHANG) == pid)
			return true;
	}
}

void child_run(const struct settings *set, const struct loginexec_run *r, const char *path,
	       struct child_end *end)
{
	struct output o = {.line = BUF_INIT, .left = set->loginexec_output_max};
	int pipes[2] = {-1, -1}, sigfd, status = 0;
	sigset_t chld;
	bool ended;
	pid_t pid;

	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &chld, NULL);
	sigfd = signalfd(-1, &chld, SFD_CLOEXEC | SFD_NONBLOCK);
	*end = (struct child_end){.text = "it could not be started"};
	if (sigfd < 0 || pipe2(pipes, O_CLOEXEC) < 0)
		return;
	pid = fork();
	if (pid == 0)
		be_it(r, path, pipes[1]);
	close(pipes[1]);
	if (pid < 0)
		return;
	setpgid(pid, pid); /* whoever comes first */
	o.fd = pipes[0];
	fcntl(o.fd, F_SETFL, O_NONBLOCK);
	ended = watch(pid, sigfd, &o, set, r, &status);
	end_all(pid, r);
	while (o.fd >= 0 && o.left && take_output(&o, r) && errno != EAGAIN)
		errno = 0;
	log_line(&o, r);
	if (o.dropped)
		LOG(L_INFO, "loginexec-output", L_S("user", r->user), L_S("session", r->session),
		    L_U("bytes_not_logged", o.dropped));
	judge(status, !ended, set, end);
}
