/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/imapd/debug.h"
#include <errno.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include "common/base/buf.h"

static _Noreturn void refuse(const char *why)
{
	fprintf(stderr, "imapd: -D: %s\n", why);
	exit(2);
}

/* As printf would with (program, process, name), "%n$" included; nothing else is a conversion. */
static void expand(struct buf *out, const char *f)
{
	char path[4096], pid[16];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	const char *args[] = {path, pid, "imapd"};
	size_t next = 0;

	path[n > 0 ? n : 0] = '\0';
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	while (*f) {
		bool numbered = f[0] == '%' && f[1] >= '1' && f[1] <= '3' && f[2] == '$';
		const char *letter = numbered ? f + 3 : f + 1;
		size_t which = numbered ? (size_t)(f[1] - '1') : next;

		if (f[0] == '%' && f[1] == '%') {
			buf_putc(out, '%');
			f += 2;
		} else if (f[0] == '%' && (*letter == 's' || *letter == 'd') && which < 3) {
			buf_puts(out, args[which]);
			next = which + 1;
			f = letter + 1;
		} else {
			buf_putc(out, *f++);
		}
	}
}

void debug_run(const struct settings *set)
{
	struct buf command = BUF_INIT;
	int status;
	pid_t pid;

	if (!set->debug_command[0])
		refuse("DEBUG_COMMAND is not set");
	if (geteuid() == 0)
		refuse("not as root: run imapd as the owner of the Maildir");
	/* A debugger that is nobody's ancestor may look at us where the kernel asks (Yama). */
	(void)prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
	expand(&command, set->debug_command);
	pid = fork();
	if (pid == 0) {
		/* stdin and stdout are the client's. */
		if (dup2(STDERR_FILENO, STDOUT_FILENO) >= 0 && fclose(stdin) == 0)
			execl("/bin/sh", "sh", "-c", buf_cstr(&command), (char *)NULL);
		_exit(127);
	}
	buf_deinit(&command);
	if (pid < 0)
		refuse(strerror(errno));
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
}
