/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/maildirnames.h"
#include <fcntl.h>
#include <sys/stat.h>
#include "ctl/ctl.h"
#include "ctl/foldername.h"
#include "ctl/owner.h"

#define SUBSCRIBED "courierimapsubscribed"
#define SUBSCRIBED_MAX ((size_t)4 << 20)

bool maildirnames_mutf7(const struct settings *set, int maildir_fd)
{
	struct foldername_list names;
	struct buf other = BUF_INIT;
	bool coded = false, utf8 = false;

	if (strcmp(set->maildir_names, "auto") != 0)
		return strcmp(set->maildir_names, "mutf7") == 0;
	if (foldername_list(maildir_fd, &names) < 0)
		return false;
	for (size_t i = 0; i < names.n; i++) {
		enum foldername_form form = foldername_form(str_c(names.a[i]), &other);

		utf8 = utf8 || form == FOLDERNAME_UTF8;
		coded = coded || form == FOLDERNAME_MUTF7;
	}
	foldername_list_free(&names);
	buf_deinit(&other);
	return coded && !utf8;
}

/* ---- the subscriptions ----------------------------------------------------------------------------------- */

/* "INBOX.name" as a directory's name is; lines that are no folder's stay. */
static void convert_line(struct str line, enum foldername_form from, struct buf *out)
{
	struct buf dir = BUF_INIT, other = BUF_INIT;

	if (str_starts(line, STR("INBOX.")) &&
	    (buf_str_put(&dir, str_from(line, 5)),
	     foldername_form(buf_str(&dir), &other) == from) &&
	    other.n)
		buf_printf(out, "INBOX%.*s\n", STR_ARG(buf_str(&other)));
	else
		buf_printf(out, "%.*s\n", STR_ARG(line));
	buf_deinit(&dir);
	buf_deinit(&other);
}

static int convert_subscribed(int at, enum foldername_form from, struct err *e)
{
	int fd = openat(at, SUBSCRIBED, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC), rc = 0;
	struct buf old = BUF_INIT, text = BUF_INIT;
	struct str rest;
	ssize_t got = 0;

	if (fd < 0 && errno == ENOENT)
		return 0;
	while (fd >= 0 && old.n <= SUBSCRIBED_MAX &&
	       (got = read(fd, buf_reserve(&old, 65536), 65536)) > 0)
		buf_added(&old, (size_t)got);
	if (fd < 0 || got < 0 || old.n > SUBSCRIBED_MAX)
		rc = err_sys(e, "can't read " SUBSCRIBED);
	if (fd >= 0)
		close(fd);
	for (rest = buf_str(&old); rest.p && rest.n;)
		convert_line(str_split(&rest, '\n'), from, &text);
	if (rc == 0) {
		fd = openat(at, "tmp/" SUBSCRIBED,
			    O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (fd < 0 || write(fd, buf_str(&text).p, text.n) != (ssize_t)text.n ||
		    fsync(fd) < 0 || renameat(at, "tmp/" SUBSCRIBED, at, SUBSCRIBED) < 0)
			rc = err_sys(e, "can't write " SUBSCRIBED);
		if (fd >= 0)
			close(fd);
	}
	buf_deinit(&old);
	buf_deinit(&text);
	return rc;
}

/* ---- the folders ------------------------------------------------------------------------------------------- */

/* 0, or EXIT_FAULT when the name can't be in the other form. */
static int one(int at, const char *name, enum foldername_form from, bool change, struct buf *other)
{
	enum foldername_form form = foldername_form(str_c(name), other);
	struct stat st;

	if (form == FOLDERNAME_NEITHER)
		return ctl_fault("%s: neither UTF-8 nor modified UTF-7: rename it by hand", name);
	if (form != from || str_eq(buf_str(other), str_c(name)))
		return 0;
	if (!other->n)
		return ctl_fault("%s: its name would be too long", name);
	if (fstatat(at, buf_cstr(other), &st, AT_SYMLINK_NOFOLLOW) == 0)
		return ctl_fault("%s: %s is there, too: bring them together by hand", name,
				 buf_cstr(other));
	if (change && renameat2(at, name, at, buf_cstr(other), RENAME_NOREPLACE) < 0)
		return ctl_fault("%s: %s", name, strerror(errno));
	printf("%s -> %s\n", name, buf_cstr(other));
	return 0;
}

int maildirnames_run(const char *option, const char *maildir)
{
	bool change = strcmp(option, "--checkutf8") != 0;
	enum foldername_form from =
		strcmp(option, "--convutf7") == 0 ? FOLDERNAME_UTF8 : FOLDERNAME_MUTF7;
	struct buf other = BUF_INIT;
	struct foldername_list names;
	struct err e;
	int rc = 0, at = owner_open(maildir, &e);

	if (at < 0)
		return ctl_fault("maildirmake: %s", e.text);
	if (foldername_list(at, &names) < 0)
		rc = ctl_fault("maildirmake: can't read %s: %s", maildir, strerror(errno));
	for (size_t i = 0; i < names.n; i++)
		rc |= one(at, names.a[i], from, change, &other);
	if (change && convert_subscribed(at, from, &e) < 0)
		rc = ctl_fault("maildirmake: %s", e.text);
	if (change && fsync(at) < 0)
		rc = ctl_fault("maildirmake: %s: %s", maildir, strerror(errno));
	foldername_list_free(&names);
	buf_deinit(&other);
	close(at);
	return rc;
}
