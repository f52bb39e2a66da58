/* SPDX-License-Identifier: Apache-2.0 */
/* pwmaildir: where an account of the passwd-file has its Maildir. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "ctl/ctl.h"

#define PWFILE_MAX ((size_t)256 << 20)

static int read_all(const char *path, struct buf *out, struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	ssize_t got = -1;

	if (fd >= 0 && fstat(fd, &st) == 0 && !S_ISREG(st.st_mode))
		errno = EINVAL;
	else if (fd >= 0)
		while ((got = read(fd, buf_reserve(out, 65536), 65536)) > 0 && out->n <= PWFILE_MAX)
			buf_added(out, (size_t)got);
	if (got != 0)
		err_sys(e, "can't read %s", path);
	if (fd >= 0)
		close(fd);
	return got == 0 ? 0 : -1;
}

/* MAIL_HOME for this user. False: it makes no path. */
static bool put_home(const char *pattern, struct str user, struct buf *out)
{
	size_t at = str_find(user, '@');

	if (str_find(user, '/') < user.n || str_starts(user, STR(".")) || !pattern[0])
		return false;
	for (const char *p = pattern; *p; p++) {
		if (*p != '%')
			buf_putc(out, *p);
		else if (*++p == 'u')
			buf_str_put(out, user);
		else if (*p == 'n')
			buf_str_put(out, str_sub(user, 0, at));
		else if (*p == 'd' && at + 1 < user.n && user.p[at + 1] != '.')
			buf_str_put(out, str_from(user, at + 1));
		else
			return false;
	}
	return true;
}

static struct str option(struct str options, struct str name)
{
	while (options.p && options.n) {
		struct str value = str_split(&options, ','), key = str_trim(str_split(&value, '='));
		if (str_ieq(key, name))
			return str_trim(value);
	}
	return STR_NONE;
}

static int put_maildir(const struct settings *set, struct str user, struct str line,
		       struct buf *out, struct err *e)
{
	struct str f[8];

	for (int i = 0; i < 8; i++)
		f[i] = str_split(&line, ':');
	struct str maildir = option(f[7], STR("maildir"));
	if (!maildir.n)
		maildir = option(str_c(set->defaultoptions), STR("maildir"));
	if (!maildir.n)
		maildir = str_c(set->maildirpath);
	if (!str_starts(maildir, STR("/"))) {
		if (f[5].n)
			buf_str_put(out, f[5]);
		else if (!put_home(set->mail_home, user, out))
			return err_set(
				e, 0,
				"%.*s has no home, and MAIL_HOME makes none: name the Maildir",
				STR_ARG(user));
		buf_putc(out, '/');
	}
	buf_str_put(out, maildir);
	return 0;
}

int pwfile_maildir(const struct settings *set, struct str user, struct buf *out, struct err *e)
{
	struct buf text = BUF_INIT;
	struct str rest, line = STR_NONE;
	int rc = read_all(set->passwd_file, &text, e);

	rest = buf_str(&text);
	while (rc == 0 && rest.n > 0 && !line.p) {
		line = str_split(&rest, '\n');
		if (!str_eq(str_sub(line, 0, str_find(line, ':')), user))
			line = STR_NONE;
	}
	if (rc == 0 && !line.p)
		rc = err_set(e, 0,
			     "%s has no account %.*s: name the Maildir (a path with a / in it)",
			     set->passwd_file, STR_ARG(user));
	else if (rc == 0)
		rc = put_maildir(set, user, line, out, e);
	buf_wipe(&text);
	return rc;
}
