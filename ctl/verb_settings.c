/* SPDX-License-Identifier: Apache-2.0 */
/* settings: what is in effect, and where it comes from; merge-settings: an edited file after an update. */
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include "common/base/fdwrite.h"
#include "common/config/kv.h"
#include "common/config/merge.h"
#include "ctl/ctl.h"

int ctl_settings(const struct ctl *c)
{
	bool all = c->argc == 1 && strcmp(c->argv[0], "--all") == 0;
	struct buf out = BUF_INIT;

	if (c->argc > all) {
		fprintf(stderr, "usage: posthousectl settings [--all]\n");
		return EXIT_USAGE;
	}
	(all ? settings_print : settings_print_changed)(c->set, &out);
	fwrite(buf_str(&out).p, 1, out.n, stdout);
	buf_deinit(&out);
	return 0;
}

/* By rename, with owner and mode of st: at any moment there is one whole file. */
static int replace(const char *path, struct str content, const struct stat *st, struct err *e)
{
	char tmp[PATH_MAX];
	int fd, rc;

	if (snprintf(tmp, sizeof tmp, "%s.XXXXXX", path) >= (int)sizeof tmp)
		return err_set(e, ENAMETOOLONG, "%s: the name is too long", path);
	fd = mkostemp(tmp, O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "can't write beside %s", path);
	rc = fdwrite_sync(fd, content);
	if (rc == 0 && (st->st_uid != geteuid() || st->st_gid != getegid()))
		rc = fchown(fd, st->st_uid, st->st_gid);
	if (rc == 0)
		rc = fchmod(fd, st->st_mode & 07777);
	if (rc == 0)
		rc = rename(tmp, path);
	if (rc != 0) {
		err_sys(e, "can't replace %s", path);
		(void)unlink(tmp);
	}
	close(fd);
	return rc;
}

static int merge(const char *path, struct merge_counts *n, bool *changed, struct err *e)
{
	struct buf old = BUF_INIT, new = BUF_INIT, bak = BUF_INIT;
	struct stat st;
	int rc = kv_load(path, KV_FILE_MAX, &old, e);

	if (rc == 0 && stat(path, &st) != 0)
		rc = err_sys(e, "%s", path);
	if (rc == 0 && str_has_nul(buf_str(&old)))
		rc = err_set(e, EINVAL, "%s: not a text file", path);
	if (rc == 0) {
		merge_settings(buf_str(&old), &new, n);
		*changed = !str_eq(buf_str(&old), buf_str(&new));
		buf_printf(&bak, "%s.bak", path);
	}
	if (rc == 0 && *changed)
		rc = replace(buf_cstr(&bak), buf_str(&old), &st, e);
	if (rc == 0 && *changed)
		rc = replace(path, buf_str(&new), &st, e);
	buf_wipe(&old);
	buf_wipe(&new);
	buf_deinit(&bak);
	return rc;
}

int ctl_merge_settings(const struct ctl *c)
{
	char path[PATH_MAX];
	struct merge_counts n;
	bool changed = false;
	struct err e;

	if (c->argc != 1 || c->argv[0][0] == '-') {
		fprintf(stderr, "usage: posthousectl merge-settings FILE\n");
		return EXIT_USAGE;
	}
	if (!realpath(c->argv[0], path)) /* a link stays one */
		return ctl_fault("%s: %s", c->argv[0], strerror(errno));
	if (merge(path, &n, &changed, &e) < 0)
		return ctl_fault("%s", e.text);
	if (!changed)
		printf("%s: has all settings already\n", path);
	else
		printf("%s: %u set, %u added as comments, %u gone; as it was: %s.bak\n", path,
		       n.kept, n.added, n.gone, path);
	return 0;
}
