/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/foldername.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include "common/base/utf8.h"
#include "common/base/vec.h"
#include "common/imap/mutf7.h"

enum { DIR_MAX = 250 };

bool foldername_ok(struct str name)
{
	uint32_t cp;

	if (!name.n || name.n >= DIR_MAX)
		return false;
	for (size_t i = 0; i < name.n;)
		if (!utf8_next(name, &i, &cp) || cp < 0x20 || (cp >= 0x7f && cp < 0xa0) ||
		    cp == '/' || cp == 0x2028 || cp == 0x2029)
			return false;
	for (struct str rest = name; rest.p;)
		if (!str_split(&rest, '.').n)
			return false;
	return true;
}

bool foldername_dir(struct str inbox, struct buf *out)
{
	buf_reset(out);
	buf_putc(out, '.');
	if (str_eq(inbox, STR("INBOX")))
		return true;
	if (!str_starts(inbox, STR("INBOX.")) || !foldername_ok(str_from(inbox, 6)))
		return false;
	buf_str_put(out, str_from(inbox, 6));
	return true;
}

static bool is_ascii(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] >= 0x80)
			return false;
	return true;
}

/* Level by level: the dot is never part of a coded run. */
static bool convert(struct str dir, bool decode, struct buf *out)
{
	struct str rest = str_from(dir, 1);

	buf_reset(out);
	while (rest.p) {
		struct str part = str_split(&rest, '.');
		size_t at;

		buf_putc(out, '.');
		at = out->n;
		if (!(decode ? mutf7_decode(out, part) : mutf7_encode(out, part)) ||
		    str_find(str_from(buf_str(out), at), '.') != out->n - at)
			goto bad;
	}
	if (out->n > 1 && out->n <= DIR_MAX && foldername_ok(str_from(buf_str(out), 1)))
		return true;
bad:
	buf_reset(out);
	return false;
}

bool foldername_encode(struct str dir, struct buf *out)
{
	return convert(dir, false, out);
}

enum foldername_form foldername_form(struct str dir, struct buf *other)
{
	buf_reset(other);
	if (!str_starts(dir, STR(".")) || !foldername_ok(str_from(dir, 1)))
		return FOLDERNAME_NEITHER;
	if (!is_ascii(dir)) {
		(void)convert(dir, false, other);
		return FOLDERNAME_UTF8;
	}
	if (str_find(dir, '&') == dir.n)
		return FOLDERNAME_PLAIN;
	if (convert(dir, true, other))
		return FOLDERNAME_MUTF7;
	(void)convert(dir, false, other); /* "R&D" */
	return FOLDERNAME_UTF8;
}

int foldername_list(int maildir_fd, struct foldername_list *l)
{
	int fd = openat(maildir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct stat st;

	*l = (struct foldername_list){0};
	if (!d) {
		if (fd >= 0)
			close(fd);
		return -1;
	}
	for (struct dirent *de; (de = readdir(d));)
		if (de->d_name[0] == '.' && strcmp(de->d_name, ".") != 0 &&
		    strcmp(de->d_name, "..") != 0 &&
		    fstatat(dirfd(d), de->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISDIR(st.st_mode))
			*vec_push(l) = xstrdup(de->d_name);
	closedir(d);
	return 0;
}

void foldername_list_free(struct foldername_list *l)
{
	vec_foreach(name, l)
		free(*name);
	vec_free(l);
}
