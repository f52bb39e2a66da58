/* SPDX-License-Identifier: Apache-2.0 */
/* names: folders as clients name them and as they are called on disk (FEATURES.md R9, X13). */
#include <fcntl.h>

#include "backend/store/store_int.h"
#include "common/base/utf8.h"
#include "common/imap/mutf7.h"

enum { DISK_NAME_MAX = 250, CLIENT_NAME_MAX = 1000 };

static bool part_ok(struct str part)
{
	size_t i = 0;
	uint32_t cp;

	while (i < part.n)
		if (!utf8_next(part, &i, &cp) || cp < 0x20 || (cp >= 0x7f && cp < 0xa0) || cp == '/' ||
		    cp == 0x2028 || cp == 0x2029)
			return false;
	return part.n > 0;
}

enum store_code names_check(const struct settings *set, struct str name, struct err *e)
{
	struct str rest = name, part;
	unsigned levels = 0;

	if (!name.n || name.n > CLIENT_NAME_MAX) {
		err_set(e, 0, "Folder name is empty or too long.");
		return STORE_BADNAME;
	}
	part = str_split(&rest, '.');
	if (!str_ieq(part, STR("INBOX"))) {
		err_set(e, 0, "Folder names begin with INBOX.");
		return STORE_BADNAME;
	}
	while (rest.p) {
		part = str_split(&rest, '.');
		if (!part_ok(part)) {
			err_set(e, 0, "Folder name has an empty level or a character that can't be used.");
			return STORE_BADNAME;
		}
		if (++levels > set->imap_folder_depth) {
			err_set(e, 0, "Folder name has too many levels.");
			return STORE_BADNAME;
		}
	}
	return STORE_OK;
}

enum store_code store_name_check(const struct store *st, struct str name, struct err *e)
{
	enum store_code code = names_check(st->o.set, name, e);

	if (code != STORE_OK)
		return code;
	char *canonical = names_canonical(name);
	char *disk = names_disk(st->mutf7, str_c(canonical));
	if (!disk) {
		err_set(e, 0, "Folder name is too long.");
		code = STORE_BADNAME;
	}
	free(canonical);
	free(disk);
	return code;
}

char *names_canonical(struct str name)
{
	char *out = str_dup(name);

	memcpy(out, "INBOX", 5);
	return out;
}

char *names_disk(bool mutf7, struct str canonical)
{
	struct buf b = BUF_INIT;
	struct str rest = str_from(canonical, 5);
	char *out = NULL;

	if (!rest.n)
		return xstrdup(".");
	if (!mutf7) {
		buf_str_put(&b, rest);
	} else {
		rest = str_from(rest, 1);
		while (rest.p) { /* level by level: the dot is never part of a coded run */
			struct str part = str_split(&rest, '.');
			buf_putc(&b, '.');
			if (!mutf7_encode(&b, part))
				goto out;
		}
	}
	if (b.n <= DISK_NAME_MAX)
		out = str_dup(buf_str(&b));
out:
	buf_deinit(&b);
	return out;
}

bool names_client(bool mutf7, struct str disk, struct buf *out)
{
	struct str rest = str_from(disk, 1);
	size_t start = out->n;

	if (disk.n < 2 || disk.p[0] != '.')
		return false;
	buf_puts(out, "INBOX");
	while (rest.p) {
		struct str part = str_split(&rest, '.');
		size_t at = out->n + 1;
		buf_putc(out, '.');
		if (mutf7 ? !mutf7_decode(out, part) : (buf_str_put(out, part), false))
			goto bad;
		if (!part_ok(str_from(buf_str(out), at)) ||
		    str_find(str_from(buf_str(out), at), '.') != out->n - at)
			goto bad;
	}
	return true;
bad:
	buf_cut(out, start);
	return false;
}

int names_open(struct store *st, struct str canonical, char **disk)
{
	struct err e;
	int fd;

	*disk = names_disk(st->mutf7, canonical);
	if (!*disk) {
		errno = ENAMETOOLONG;
		return -1;
	}
	fd = files_open_dir(st->o.maildir_fd, *disk, &e);
	if (fd < 0 && e.code == ENOENT) {
		char *other = names_disk(!st->mutf7, canonical);
		struct buf b = BUF_INIT;
		/* Only where the other form's name isn't some folder's own in this form. */
		if (other && strcmp(other, *disk) != 0 && !names_client(st->mutf7, str_c(other), &b) &&
		    (fd = files_open_dir(st->o.maildir_fd, other, &e)) >= 0) {
			free(*disk);
			*disk = other;
			other = NULL;
		}
		free(other);
		buf_deinit(&b);
	}
	if (fd < 0)
		errno = e.code;
	return fd;
}
