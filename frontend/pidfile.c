/* SPDX-License-Identifier: Apache-2.0 */
/* PIDFILE and SSLPIDFILE, as Courier's start scripts have them (FEATURES.md R54). */
#include <fcntl.h>
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

void pidfiles_write(const struct frontend *f)
{
	for (int tls = 0; tls < 2; tls++) {
		const char *path = path_of(f, tls);

		if (path && write_pid(path))
			LOG(L_WARN, "pid file not written", L_C("file", path),
			    L_C("error", strerror(errno)));
	}
}

void pidfiles_remove(const struct frontend *f)
{
	for (int tls = 0; tls < 2; tls++)
		if (path_of(f, tls))
			(void)unlink(path_of(f, tls));
}
