/* SPDX-License-Identifier: Apache-2.0 */
#include "common/sys/proc.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "common/base/ensure.h"
#include "common/base/str.h"
#include "common/base/vec.h"

/* ---- starting programs --------------------------------------------------------------------- */

struct string_list {
	const char **a;
	size_t n, cap;
};

static const char *const kept_env[] = {"PH_", "JOURNAL_STREAM=", "TZ=", "OPENSSL_CONF=", "ASAN_OPTIONS=", "UBSAN_OPTIONS=",
				       "LSAN_OPTIONS="};

static void make_env(struct string_list *env)
{
	for (char **v = environ; v && *v; v++)
		for (size_t i = 0; i < ARRAY_LEN(kept_env); i++)
			if (str_starts(str_c(*v), str_c(kept_env[i])))
				*vec_push(env) = *v;
	*vec_push(env) = NULL;
}

static int program_path(const char *program, char out[PATH_MAX], struct err *e)
{
	ssize_t n = readlink("/proc/self/exe", out, PATH_MAX - 1);
	size_t dir;

	if (n < 0)
		return err_sys(e, "/proc/self/exe");
	dir = str_rfind(str_mem(out, (size_t)n), '/') + 1;
	if ((size_t)snprintf(out + dir, PATH_MAX - dir, "%s", program) >= PATH_MAX - dir)
		return err_set(e, ENAMETOOLONG, "the path of %s is too long", program);
	return 0;
}

/* In the child: fds to their places, everything else closes on exec. 0 or -1 with errno. */
static int place_fds(const struct proc_fd *fds, size_t n, int *report)
{
	int high = 3, moved[PROC_FDS_MAX], null;

	for (size_t i = 0; i < n; i++)
		if (fds[i].to >= high)
			high = fds[i].to + 1;
	/* Out of the way first: a target may be another's source. */
	*report = fcntl(*report, F_DUPFD_CLOEXEC, high);
	for (size_t i = 0; i < n; i++) {
		moved[i] = fcntl(fds[i].from, F_DUPFD_CLOEXEC, high);
		if (moved[i] < 0)
			return -1;
	}
	null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (*report < 0 || null < 0 || dup2(null, STDIN_FILENO) < 0)
		return -1;
	if (syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC) != 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (dup2(moved[i], fds[i].to) < 0)
			return -1;
	return 0;
}

static void default_signals(void)
{
	sigset_t none;

	for (int s = 1; s < NSIG; s++)
		signal(s, SIG_DFL); /* fails for a few, which is fine */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static _Noreturn void run_child(const char *path, const struct string_list *argv, const struct string_list *env,
				const struct proc_fd *fds, size_t n, int report)
{
	ssize_t done;
	int code;

	if (place_fds(fds, n, &report) == 0) {
		default_signals();
		execve(path, (char **)argv->a, (char **)env->a);
	}
	code = errno;
	done = write(report, &code, sizeof code);
	(void)done;
	_exit(127);
}

/* The pipe closes with the exec; before, an errno comes through it. */
static int exec_result(int pipe_fd)
{
	int code = 0;
	ssize_t n;

	do {
		n = read(pipe_fd, &code, sizeof code);
	} while (n < 0 && errno == EINTR);
	return n == sizeof code ? code : 0;
}

pid_t proc_spawn(const char *program, const char *const *args, const struct proc_fd *fds, size_t n, struct err *e)
{
	struct string_list argv = {0}, env = {0};
	char path[PATH_MAX];
	int report[2], code;
	pid_t pid;

	ASSERT(n <= PROC_FDS_MAX);
	if (program_path(program, path, e) != 0)
		return -1;
	if (pipe2(report, O_CLOEXEC) != 0)
		return err_sys(e, "can't start %s", program);
	*vec_push(&argv) = program;
	for (; args && *args; args++)
		*vec_push(&argv) = *args;
	*vec_push(&argv) = NULL;
	make_env(&env);
	pid = fork();
	if (pid == 0)
		run_child(path, &argv, &env, fds, n, report[1]);
	code = pid < 0 ? errno : 0;
	close(report[1]);
	if (pid > 0)
		code = exec_result(report[0]);
	close(report[0]);
	vec_free(&argv);
	vec_free(&env);
	if (code == 0)
		return pid;
	if (pid > 0)
		waitpid(pid, NULL, 0);
	errno = code;
	return err_sys(e, "can't start %s", path);
}

int proc_subreaper(struct err *e)
{
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0)
		return err_sys(e, "PR_SET_CHILD_SUBREAPER");
	return 0;
}

/* ---- title --------------------------------------------------------------------------------- */

static struct {
	char *start;
	size_t room;
	char *env, *env_end; /* where the kernel put the environment, behind the arguments */
	char name[32];
} title;

/* The environment moves away, so that its place is free for the title. */
static void move_environment(void)
{
	size_t n = 0;
	char **copy;

	while (environ[n])
		n++;
	copy = xcalloc(n + 1, sizeof *copy);
	title.env = title.env_end = environ[0];
	for (size_t i = 0; i < n; i++) {
		if (environ[i] == title.env_end)
			title.env_end += strlen(environ[i]) + 1;
		copy[i] = xstrdup(environ[i]);
	}
	environ = copy;
}

void proc_title_init(int argc, char **argv)
{
	char *end = argv[0] + strlen(argv[0]) + 1;
	const char *slash = strrchr(argv[0], '/');

	if (title.start == NULL)
		move_environment();
	snprintf(title.name, sizeof title.name, "%s", slash ? slash + 1 : argv[0]);
	for (int i = 1; i < argc && argv[i] == end; i++)
		end += strlen(argv[i]) + 1;
	if (end == title.env)
		end = title.env_end;
	title.start = argv[0];
	title.room = (size_t)(end - argv[0]);
}

void proc_title(const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	prctl(PR_SET_NAME, title.name, 0, 0, 0);
	if (title.room < 2)
		return;
	memset(title.start, 0, title.room);
	snprintf(title.start, title.room, "%s: %s", title.name, text);
}
