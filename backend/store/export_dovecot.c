/* SPDX-License-Identifier: Apache-2.0 */
/*
 * export_dovecot: dovecot-uidlist version 3, dovecot-keywords and the letters in the files' names
 * (FEATURES.md R149), while dovecot-uidlist.lock is held, as Dovecot itself does.
 */
#include <fcntl.h>
#include <sys/stat.h>

#include "backend/store/export_int.h"
#include "common/base/clock.h"
#include "common/base/rand.h"

#define LOCK "dovecot-uidlist.lock"

/* ---- their lock ---------------------------------------------------------------------------------------- */

int export_dovecot_lock(struct export *x)
{
	struct fold *f = x->op.part[0].f;
	const struct settings *set = f->f.store->o.set;
	uint64_t end = clock_ms() + set->lock_timeout * 1000;
	struct stat sb;

	while (x->lock_fd < 0) {
		x->lock_fd = openat(f->files->dir, LOCK,
				    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (x->lock_fd >= 0)
			break;
		if (errno != EEXIST)
			return result_sys(&x->op.res, LOCK);
		if (fstatat(f->files->dir, LOCK, &sb, AT_SYMLINK_NOFOLLOW) == 0 &&
		    files_now_ns(f->files->dir, NULL) / NS_PER_S - sb.st_mtime >
			    (int64_t)set->lock_stale)
			unlinkat(f->files->dir, LOCK, 0);
		else if (clock_ms() > end)
			return result_set(&x->op.res, STORE_INUSE, "Dovecot holds " LOCK);
		else
			usleep(20000);
	}
	return 0;
}

void export_dovecot_unlock(struct export *x)
{
	if (x->lock_fd < 0)
		return;
	close(x->lock_fd);
	x->lock_fd = -1;
	unlinkat(x->op.part[0].f->files->dir, LOCK, 0);
}

/* ---- keywords and letters --------------------------------------------------------------------------------- */

struct letters {
	struct buf text; /* dovecot-keywords as it was; names of old point into it */
	struct str names[DOVECOT_LETTERS];
	int *letter; /* by number of our keyword; -1: none */
	size_t *uses;
	bool odd[DOVECOT_LETTERS]; /* stands in names, but nobody knows for what */
};

static bool is_letter(char c)
{
	return c >= 'a' && c < 'a' + DOVECOT_LETTERS;
}

static void count_uses(struct letters *l, struct folder *f)
{
	vec_foreach(m, &f->msgs) {
		if (m->state & MSG_EXPUNGED)
			continue;
		for (uint16_t k = 0; m->kw && k < m->kw->n; k++)
			l->uses[m->kw->kw[k]]++;
		for (const char *c = m->extra; *c; c++)
			if (is_letter(*c) && !l->names[*c - 'a'].n)
				l->odd[*c - 'a'] = true;
	}
}

/* A letter that stands for nothing, or for what no message of ours has. */
static int free_letter(const struct letters *l, struct folder *f)
{
	bool taken[DOVECOT_LETTERS] = {false};

	for (size_t k = 0; k < f->keywords.n; k++)
		if (l->letter[k] >= 0)
			taken[l->letter[k]] = true;
	for (int want_empty = 1; want_empty >= 0; want_empty--)
		for (int i = 0; i < DOVECOT_LETTERS; i++)
			if (!taken[i] && !l->odd[i] && (!want_empty || !l->names[i].n))
				return i;
	return -1;
}

/* Those that have one keep it; then the most used ones. */
static void assign_letters(struct letters *l, struct folder *f)
{
	for (size_t k = 0; k < f->keywords.n; k++) {
		l->letter[k] = -1;
		for (int i = 0; i < DOVECOT_LETTERS && l->uses[k]; i++)
			if (l->names[i].n && str_ieq(l->names[i], str_c(f->keywords.a[k])))
				l->letter[k] = i;
	}
	for (;;) {
		size_t best = f->keywords.n;
		for (size_t k = 0; k < f->keywords.n; k++)
			if (l->uses[k] && l->letter[k] < 0 &&
			    (best == f->keywords.n || l->uses[k] > l->uses[best]))
				best = k;
		int i = best < f->keywords.n ? free_letter(l, f) : -1;
		if (i < 0)
			return;
		l->letter[best] = i;
		l->names[i] = str_c(f->keywords.a[best]);
	}
}

static int write_names(struct export *x, const struct letters *l)
{
	struct buf text = BUF_INIT;

	for (int i = 0; i < DOVECOT_LETTERS; i++)
		if (l->names[i].n)
			buf_printf(&text, "%d %.*s\n", i, STR_ARG(l->names[i]));
	int rc = 0;
	if (!str_eq(buf_str(&text), buf_str(&l->text)))
		rc = export_write(x, x->op.part[0].f->files->dir, "dovecot-keywords",
				  buf_str(&text));
	buf_deinit(&text);
	return rc;
}

/* What the message's name shall have besides D F R S T. */
static struct str want_letters(struct export *x, const struct letters *l, const struct msg *m,
			       char out[256])
{
	char all[256 + DOVECOT_LETTERS];
	size_t n = 0;

	for (const char *c = m->extra; *c && n < 255; c++)
		if (!is_letter(*c) || !l->names[*c - 'a'].n)
			all[n++] = *c;
	for (uint16_t k = 0; m->kw && k < m->kw->n; k++) {
		if (l->letter[m->kw->kw[k]] < 0)
			x->lost++;
		else if (n < sizeof all)
			all[n++] = (char)('a' + l->letter[m->kw->kw[k]]);
	}
	return md_extra_pure(str_mem(all, n), out);
}

static void rename_one(struct export *x, const struct letters *l, const struct msg *m)
{
	struct op_part *p = &x->op.part[0];
	struct fold *f = p->f;
	char letters[256], name[256], to[256];
	struct str want = want_letters(x, l, m, letters);

	if (str_eq(want, str_c(m->extra)))
		return;
	bool in_new = fold_name(f, m, name);
	int dir = files_fd(f->files, in_new);
	/* A file that has moved on keeps its letters: the next look at the folder finds it. */
	if (!md_name_make(str_c(m->base), m->flags, want, in_new, to) ||
	    (strcmp(name, to) != 0 && files_rename_new(dir, name, dir, to) < 0)) {
		x->lost += m->kw ? m->kw->n : 0;
		return;
	}
	struct rec r = {.type = REC_FLAGS,
			.uid = m->uid,
			.modseq = m->modseq,
			.flags = m->flags,
			.in_new = in_new,
			.extra = want};
	rec_put(&p->own, &r);
	if (f->odd && hmap_get_u64(f->odd, m->uid))
		op_odd(p, m->uid, "");
}

static int export_letters(struct export *x)
{
	struct op_part *p = &x->op.part[0];
	struct fold *f = p->f;
	struct letters l = {.text = BUF_INIT};

	l.letter = xcalloc(f->f.keywords.n + 1, sizeof *l.letter);
	l.uses = xcalloc(f->f.keywords.n + 1, sizeof *l.uses);
	int rc = foreign_read(f->f.store, f->f.name, f->files->dir, "dovecot-keywords", &l.text,
			      NULL);
	rc = rc == -2 ? result_sys(&x->op.res, "dovecot-keywords") : 0;
	letters_parse(buf_str(&l.text), l.names);
	count_uses(&l, &f->f);
	assign_letters(&l, &f->f);
	if (rc == 0)
		rc = write_names(x, &l);
	for (size_t i = 0; rc == 0 && i < f->f.msgs.n; i++)
		if (!(f->f.msgs.a[i].state & MSG_EXPUNGED))
			rename_one(x, &l, &f->f.msgs.a[i]);
	if (rc == 0 && p->own.n && (fsync(f->files->cur) < 0 || op_append(&x->op, p, true) < 0))
		rc = x->op.res.code == STORE_OK ? result_sys(&x->op.res, f->disk_name) : -1;
	free(l.letter);
	free(l.uses);
	buf_deinit(&l.text);
	return rc;
}

/* ---- UIDs ------------------------------------------------------------------------------------------------- */

/* What Dovecot noted of a message (its POP3 UIDL, sizes) stays. */
static int put_uids(struct export *x, struct buf *out)
{
	struct fold *f = x->op.part[0].f;
	struct buf text = BUF_INIT;
	struct uidlist old = {0};
	struct hmap *keys = hmap_new();

	int rc = foreign_read(f->f.store, f->f.name, f->files->dir, "dovecot-uidlist", &text, NULL);
	rc = rc == -2 ? result_sys(&x->op.res, "dovecot-uidlist") : 0;
	uidlist_parse(buf_str(&text), &old);
	vec_foreach(e, &old.a)
		if (e->keys.n)
			hmap_put(keys, e->base, e);
	buf_printf(out, "3 V%u N%u G", f->f.uidvalidity, f->f.uidnext);
	if (old.guid.n)
		buf_str_put(out, old.guid);
	else
		buf_printf(out, "%016llx%016llx", (unsigned long long)rand_u64(),
			   (unsigned long long)rand_u64());
	buf_putc(out, '\n');
	for (size_t i = 0; i < f->f.msgs.n; i++) {
		const struct msg *m = &f->f.msgs.a[i];
		const struct uidlist_entry *e = hmap_get(keys, str_c(m->base));
		if (!(m->state & MSG_EXPUNGED))
			buf_printf(out, "%u%s%.*s :%s\n", m->uid, e ? " " : "",
				   e ? (int)e->keys.n : 0, e ? e->keys.p : "", m->base);
	}
	hmap_free(&keys);
	uidlist_free(&old);
	buf_deinit(&text);
	return rc;
}

static int write_list(struct export *x)
{
	struct fold *f = x->op.part[0].f;
	struct buf text = BUF_INIT;
	int rc = put_uids(x, &text);

	for (struct str s = buf_str(&text); s.n && rc == 0;) {
		ssize_t n = write(x->lock_fd, s.p, s.n);
		if (n > 0)
			s = str_from(s, (size_t)n);
		else if (n == 0 || errno != EINTR)
			rc = result_sys(&x->op.res, LOCK);
	}
	buf_deinit(&text);
	if (rc < 0)
		return -1;
	if (fsync(x->lock_fd) < 0 ||
	    renameat(f->files->dir, LOCK, f->files->dir, "dovecot-uidlist") < 0)
		return result_sys(&x->op.res, "dovecot-uidlist");
	close(x->lock_fd); /* the lock went with the rename */
	x->lock_fd = -1;
	return fsync(f->files->dir) < 0 ? result_sys(&x->op.res, f->disk_name) : 0;
}

int export_dovecot(struct export *x)
{
	return export_letters(x) < 0 ? -1 : write_list(x);
}
