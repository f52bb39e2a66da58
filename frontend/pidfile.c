/* SPDX-License-Identifier: Apache-2.0 */
/* PIDFILE and SSLPIDFILE, as Courier's start scripts have them (FEATURES.md R54). */
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include "common/base/log.h"
#include "frontend/frontend.h"

/* By rename: whoever owns the directory can't make us write through a link, and nobody reads half. */
static int write_pid(const char *path)
{
	struct buf tmp = BUF_INIT;
	char text[24];
	int n = snprintf(text, sizeof(text), "%d\n", (int)getpid()), fd, rc = -1, saved;

	buf_printf(&tmp, "%s.%d", path, (int)getpid());
	(void)unlink(buf_cstr(&tmp));
	fd = open(buf_cstr(&tmp), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd >= 0 && fchmod(fd, 0644) == 0 && write(fd, text, (size_t)n) == n)
		rc = rename(buf_cstr(&tmp), path);
	saved = errno;
	if (fd >= 0)
		close(fd);
	if (rc)
		(void)unlink(buf_cstr(&tmp));
	buf_deinit(&tmp);
	errno = saved;
	return rc;
}

static bool serves(const struct frontend *f, bool tls)
{
	for (size_t i = 0; i < f->nports; i++)
		if (f->ports[i].tls == tls)
			return true;
	return false;
}

static const char *path_of(const struct frontend *f, bool tls)
{
	const char *path = tls ? f->set->sslpidfile : f->set->pidfile;

	return *path && serves(f, tls) ? path : NULL;
}

/* The process that the file names; 0: none. */
static pid_t read_pid(const char *path)
{
	char text[24] = "";
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
	uint32_t pid = 0;

	if (fd >= 0)
		close(fd);
	return n > 0 && str_u32(str_trim(str_mem(text, (size_t)n)), &pid) && pid < INT32_MAX
		       ? (pid_t)pid
		       : 0;
}

/* Courier itself, on other ports while a site moves: its start script needs the file. */
static bool of_another(const char *path)
{
	pid_t pid = read_pid(path);

	return pid > 0 && pid != getpid() && (kill(pid, 0) == 0 || errno == EPERM);
}

void pidfiles_write(const struct frontend *f)
{
	for (int tls = 0; tls < 2; tls++) {
		const char *path = path_of(f, tls);

		if (path && of_another(path))
			LOG(L_WARN, "pid file not written", L_C("file", path),
			    L_C("error", "it names another process that runs"));
		else if (path && write_pid(path))
			LOG(L_WARN, "pid file not written", L_C("file", path),
			    L_C("error", strerror(errno)));
	}
}

void pidfiles_remove(const struct frontend *f)
{
	for (int tls = 0; tls < 2; tls++) {
		const char *path = path_of(f, tls);

		if (path && read_pid(path) == getpid())
			(void)unlink(path);
	}
}
