/* SPDX-License-Identifier: Apache-2.0 */
/* export_courier: courierimapuiddb and courierimapkeywords/ (FEATURES.md R138, R141). */
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "backend/store/export_int.h"

#define KEYWORDS "courierimapkeywords"

static void put_uids(struct folder *f, struct buf *out)
{
	buf_printf(out, "1 %u %u\n", f->uidvalidity, f->uidnext);
	for (size_t i = 0; i < f->msgs.n; i++) {
		const struct msg *m = &f->msgs.a[i];
		if (!(m->state & MSG_EXPUNGED))
			buf_printf(out, "%u %s\n", m->uid, m->base);
	}
}

/* Only names that a message has: Courier shows all that the list has. False: none. */
static bool put_keywords(struct folder *f, struct buf *out)
{
	int *number = xcalloc(f->keywords.n + 1, sizeof *number);
	int n = 0;

	vec_foreach(m, &f->msgs)
		for (uint16_t k = 0; !(m->state & MSG_EXPUNGED) && m->kw && k < m->kw->n; k++)
			if (!number[m->kw->kw[k]]) {
				number[m->kw->kw[k]] = ++n;
				buf_printf(out, "%s\n", f->keywords.a[m->kw->kw[k]]);
			}
	buf_putc(out, '\n');
	vec_foreach(m, &f->msgs) {
		if (m->state & MSG_EXPUNGED || !m->kw)
			continue;
		for (uint16_t k = 0; k < m->kw->n; k++)
			buf_printf(out, "%s%s%d", k ? "" : m->base, k ? " " : ":",
				   number[m->kw->kw[k]] - 1);
		buf_putc(out, '\n');
	}
	free(number);
	return n > 0;
}

/* What single messages were given before: the list says it all now. */
static int remove_updates(int dir)
{
	struct err e;
	struct dirent *de;
	struct str base;
	uint64_t age;
	int rc = 0, fd = files_open_dir(dir, ".", &e);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (!d) {
		if (fd >= 0)
			close(fd);
		return -1;
	}
	while ((de = readdir(d)))
		if (kwupdate_name(str_c(de->d_name), &base, &age) &&
		    unlinkat(dir, de->d_name, 0) < 0 && errno != ENOENT)
			rc = -1;
	closedir(d);
	return rc;
}

static int export_keywords(struct export *x)
{
	struct fold *f = x->op.part[0].f;
	struct buf text = BUF_INIT;
	struct stat sb;
	struct err e;
	int rc = 0;
	bool any = put_keywords(&f->f, &text);

	if (!any && fstatat(f->files->dir, KEYWORDS, &sb, AT_SYMLINK_NOFOLLOW) < 0)
		goto out;
	if (mkdirat(f->files->dir, KEYWORDS, 0700) < 0 && errno != EEXIST) {
		rc = result_sys(&x->op.res, KEYWORDS);
		goto out;
	}
	int dir = files_open_dir(f->files->dir, KEYWORDS, &e);
	if (dir < 0) {
		rc = result_fail(&x->op.res, &e);
		goto out;
	}
	rc = export_write(x, dir, ":list", buf_str(&text));
	if (rc == 0 && remove_updates(dir) < 0)
		rc = result_sys(&x->op.res, KEYWORDS);
	close(dir);
out:
	buf_deinit(&text);
	return rc;
}

/* Courier gives whatever lies in new/ a UID of its own, whether its list has one or not: what has one moves on. */
static int leave_new(struct export *x)
{
	struct op_part *p = &x->op.part[0];
	struct fold *f = p->f;
	char name[256], to[256];

	for (size_t i = 0; i < f->f.msgs.n && f->in_new; i++) {
		const struct msg *m = &f->f.msgs.a[i];
		if (m->state & MSG_EXPUNGED || !(m->state & MSG_IN_NEW))
			continue;
		fold_name(f, m, name);
		if (!md_name_make(str_c(m->base), m->flags, str_c(m->extra), false, to) ||
		    files_rename_new(f->files->new, name, f->files->cur, to) < 0)
			continue; /* it has moved already, or gone */
		struct rec r = {.type = REC_FLAGS,
				.uid = m->uid,
				.modseq = m->modseq,
				.flags = m->flags,
				.extra = str_c(m->extra)};
		rec_put(&p->own, &r);
		if (f->odd && hmap_get_u64(f->odd, m->uid))
			op_odd(p, m->uid, "");
	}
	if (p->own.n && (fsync(f->files->cur) < 0 || fsync(f->files->new) < 0))
		return result_sys(&x->op.res, f->disk_name);
	return op_append(&x->op, p, true);
}

int export_courier(struct export *x)
{
	struct fold *f = x->op.part[0].f;
	struct buf text = BUF_INIT;
	int rc = leave_new(x);

	if (rc == 0)
		rc = export_keywords(x);
	if (rc == 0) {
		put_uids(&f->f, &text);
		rc = export_write(x, f->files->dir, "courierimapuiddb", buf_str(&text));
	}
	buf_deinit(&text);
	return rc;
}
