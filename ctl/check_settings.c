/* SPDX-License-Identifier: Apache-2.0 */
/* What the daemons themselves say of the settings: each is run with --check. */
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include "common/base/vec.h"
#include "ctl/check.h"

#define SAID_MAX 65536

/* Where the daemons are: below PREFIX/libexec, or beside posthousectl in a build. */
static bool find_program(const char *program, struct buf *path)
{
	static const char *const ways[] = {"/../libexec/posthouse", ""};
	char dir[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", dir, sizeof dir - 1);

	if (n <= 0)
		return false;
	dir[str_rfind(str_mem(dir, (size_t)n), '/')] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
		buf_reset(path);
		buf_printf(path, "%s%s/%s", dir, ways[i], program);
		if (access(buf_cstr(path), X_OK) == 0)
			return true;
	}
	return false;
}

/* Which no second --set may contradict. */
static bool is_of_the_log(const char *assignment)
{
	return str_starts(str_c(assignment), STR("LOG_TO=")) ||
	       str_starts(str_c(assignment), STR("LOG_FORMAT=")) ||
	       str_starts(str_c(assignment), STR("LOG_LEVEL="));
}

/* Runs it with the same settings, but with its log on our pipe. -1: it could not be run. */
static pid_t start(const struct ctl *c, const char *path, int to)
{
	static const char *const log[] = {"LOG_TO=stderr", "LOG_FORMAT=text", "LOG_LEVEL=error"};
	posix_spawn_file_actions_t files;
	VEC(const char *) argv = {0};
	pid_t pid = -1;

	*vec_push(&argv) = path;
	if (c->file) {
		*vec_push(&argv) = "-C";
		*vec_push(&argv) = c->file;
	}
	for (const char *const *set = c->sets; set && *set; set++) {
		if (is_of_the_log(*set))
			continue;
		*vec_push(&argv) = "--set";
		*vec_push(&argv) = *set;
	}
	for (size_t i = 0; i < ARRAY_LEN(log); i++) {
		*vec_push(&argv) = "--set";
		*vec_push(&argv) = log[i];
	}
	*vec_push(&argv) = "--check";
	*vec_push(&argv) = NULL;
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_adddup2(&files, to, STDERR_FILENO);
	if (posix_spawn(&pid, path, &files, NULL, (char **)argv.a, environ) != 0)
		pid = -1;
	posix_spawn_file_actions_destroy(&files);
	vec_free(&argv);
	return pid;
}

/* True: valid. said: what came on stderr. */
static bool run(const struct ctl *c, const char *path, struct buf *said)
{
	int ends[2], status = -1;
	char piece[4096];
	ssize_t n;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return false;
	pid = start(c, path, ends[1]);
	close(ends[1]);
	while (pid > 0 && (n = read(ends[0], piece, sizeof piece)) > 0)
		if (said->n < SAID_MAX)
			buf_put(said, piece, (size_t)n);
	close(ends[0]);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status == 0;
}

/* The text of a line of the log: 2026-01-01T00:00:00.000Z error frontend[1] settings error="text". */
static bool error_of(struct str line, struct buf *out)
{
	static const struct str mark = STR("error=\"");
	const char *at = line.n ? memmem(line.p, line.n, mark.p, mark.n) : NULL;

	buf_reset(out);
	if (!at)
		return false;
	for (size_t i = (size_t)(at - line.p) + mark.n; i < line.n && line.p[i] != '"'; i++) {
		if (line.p[i] == '\\' && i + 1 < line.n)
			i++;
		buf_putc(out, line.p[i]);
	}
	return true;
}

static void check_with(struct check *k, const char *program)
{
	struct buf path = BUF_INIT, said = BUF_INIT, text = BUF_INIT;
	unsigned before = k->faults;
	struct str rest;

	if (!find_program(program, &path)) {
		check_say(k, CHECK_FAULT, "settings",
			  "%s isn't where it belongs, in ../libexec/posthouse from here", program);
	} else if (!run(k->ctl, buf_cstr(&path), &said)) {
		for (rest = buf_str(&said); rest.n > 0;)
			/* frontend has nothing to add to what its authd said. */
			if (error_of(str_split(&rest, '\n'), &text) &&
			    !str_starts(buf_str(&text), STR("authd can't work")))
				check_say(k, CHECK_FAULT, "settings", "%s", buf_cstr(&text));
		if (k->faults == before)
			check_say(k, CHECK_FAULT, "settings", "refused: see %s --check",
				  buf_cstr(&path));
	}
	buf_deinit(&path);
	buf_deinit(&said);
	buf_deinit(&text);
}

void check_settings(struct check *k)
{
	unsigned before = k->faults;

	check_with(k, "frontend");
	check_with(k, "backend");
	check_with(k, "notifyd");
	if (k->faults == before)
		check_say(k, CHECK_OK, "settings", "%s",
			  k->ctl->file ? k->ctl->file : "the default file, environment and --set");
}
