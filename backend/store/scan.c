/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scan: the I/O thread's half of a sync: what is in new/ and cur/ against the table (DESIGN.md P17).
 * A scan is not a fact: a message counts as gone only when two quiet scans lack it and its file is not
 * where it was. What was seen is looked at again under the folder's lock before it is written down.
 */
#include <fcntl.h>
#include <sys/stat.h>

#include "backend/store/store_int.h"
#include "common/base/log.h"

enum { SCAN_TRIES = 6, NAP_US = 20000, SKIPPED_MAX = 1000 };
#define QUIET_LOCAL_NS (20 * (NS_PER_S / 1000)) /* more than a tick, in which mtimes stand still */

static struct fold *fold_of_sync(const struct sync *s)
{
	return s->op.part[0].f;
}

static const char *name_at(const struct sync *s, uint32_t off, bool *in_new)
{
	const char *p = s->names.p + s->names.off + off;

	*in_new = *p;
	return p + 1;
}

/* ---- reading the directories ------------------------------------------------------------------- */

struct collect {
	struct sync *s;
	bool in_new;
};

static void skipped(struct fold *f, const char *name, const char *why)
{
	if (!f->skipped)
		f->skipped = hmap_new();
	if (hmap_count(f->skipped) >= SKIPPED_MAX || hmap_put(f->skipped, str_c(name), f))
		return;
	LOG(L_WARN, "file_skipped", L_C("user", f->f.store->o.user), L_C("folder", f->f.name), L_C("file", name),
	    L_C("why", why));
}

static int collect_one(void *ctx, const char *name, bool regular)
{
	struct collect *c = ctx;

	if (regular)
		sync_name(c->s, c->in_new, name);
	else
		skipped(fold_of_sync(c->s), name, "not a regular file");
	return 0;
}

/* new/ first: what moves on to cur/ meanwhile is seen there. */
static int scan_once(struct sync *s, bool *local)
{
	struct fold *f = fold_of_sync(s);
	struct collect c = {s, true};
	struct err e;

	buf_reset(&s->names);
	s->now = files_now_ns(f->files->dir, local);
	for (int d = WATCH_NEW; d <= WATCH_CUR; d++)
		s->mtime[d] = md_mtime_ns(files_fd(f->files, d == WATCH_NEW));
	if (md_scan(f->files->new, collect_one, &c, &e) < 0)
		return result_fail(&s->op.res, &e);
	c.in_new = false;
	if (md_scan(f->files->cur, collect_one, &c, &e) < 0)
		return result_fail(&s->op.res, &e);
	s->scanned = s->quiet = true;
	for (int d = WATCH_NEW; d <= WATCH_CUR; d++)
		if (md_mtime_ns(files_fd(f->files, d == WATCH_NEW)) != s->mtime[d] ||
		    s->now - s->mtime[d] < (*local ? QUIET_LOCAL_NS : 2 * NS_PER_S))
			s->quiet = false;
	return 0;
}

/* Sorts names into known ones under another name and unknown ones; with missing, what wasn't there. */
static void compare(struct sync *s, bool missing)
{
	struct fold *f = fold_of_sync(s);
	uint8_t *seen = xcalloc(f->f.msgs.n / 8 + 1, 1);
	char now[256];

	s->changed.n = s->fresh.n = s->missing.n = 0;
	if ((s->names.n || s->kind == SYNC_WATCHED) && !f->index.slots)
		index_build(&f->index, &f->f);
	for (size_t off = 0; off < s->names.n;) {
		bool in_new;
		const char *name = name_at(s, (uint32_t)off, &in_new);
		struct md_name n;
		if (md_name_parse(str_c(name), &n)) {
			size_t i = index_find(&f->index, &f->f, n.base);
			if (i == SIZE_MAX) {
				*vec_push(&s->fresh) = (uint32_t)off;
			} else {
				bool was_new = fold_name(f, &f->f.msgs.a[i], now);
				seen[i / 8] |= (uint8_t)(1 << i % 8);
				if (was_new != in_new || strcmp(now, name) != 0)
					*vec_push(&s->changed) = (uint32_t)off;
			}
		}
		off += strlen(name) + 2;
	}
	for (size_t i = 0; missing && i < f->f.msgs.n; i++)
		if (!(f->f.msgs.a[i].state & MSG_EXPUNGED) && !(seen[i / 8] & 1 << i % 8))
			*vec_push(&s->missing) = f->f.msgs.a[i].uid;
	free(seen);
}

static bool has_uid(const uint32_t *a, size_t n, uint32_t uid)
{
	size_t lo = 0, hi = n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (a[mid] < uid)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < n && a[lo] == uid;
}

/* Scans until all that is missing was missing in two quiet scans. */
static int scan_settled(struct sync *s)
{
	VEC(uint32_t) before = {0};
	bool had_quiet = false, local;

	for (int i = 0; i < SCAN_TRIES; i++) {
		if (scan_once(s, &local) < 0) {
			vec_free(&before);
			return -1;
		}
		compare(s, true);
		if (!s->missing.n || s->kind == SYNC_WATCHED)
			break;
		if (s->quiet && had_quiet) {
			vec_foreach(uid, &s->missing)
				if (has_uid(before.a, before.n, *uid))
					*vec_push(&s->gone) = *uid;
			s->unsettled = s->gone.n < s->missing.n;
			s->missing.n = 0;
			break;
		}
		if (s->quiet) {
			had_quiet = true;
			before.n = 0;
			vec_foreach(uid, &s->missing)
				*vec_push(&before) = *uid;
		} else if (!local) {
			break;
		} else {
			usleep(NAP_US);
		}
	}
	s->unsettled |= s->missing.n > 0 && s->kind == SYNC_LOOK;
	vec_free(&before);
	return 0;
}

/* ---- under the lock ------------------------------------------------------------------------------ */

/* Moves a file from new/ to cur/: whoever's rename succeeds owns \Recent. name becomes the new one. */
static int claim_file(struct sync *s, const struct md_name *n, struct str extra, char name[256])
{
	struct fold *f = fold_of_sync(s);
	char to[256];

	if (!md_name_make(n->base, n->flags, extra, false, to)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	if (files_rename_new(f->files->new, name, f->files->cur, to) < 0)
		return -1;
	memcpy(name, to, sizeof to);
	s->renamed = true;
	return 0;
}

static void note_odd(struct op_part *p, uint32_t uid, const struct md_name *n, struct str extra, bool in_new,
		     const char *name)
{
	struct odd_name *have = p->f->odd ? hmap_get_u64(p->f->odd, uid) : NULL;
	char usual[256];

	if (!md_name_make(n->base, n->flags, extra, in_new, usual) || strcmp(usual, name) != 0)
		op_odd(p, uid, name);
	else if (have)
		op_odd(p, uid, "");
}

/* A known message lies under another name. */
static void settle_known(struct sync *s, uint32_t off)
{
	struct op_part *p = &s->op.part[0];
	struct fold *f = p->f;
	struct md_name n;
	struct stat sb;
	bool in_new;
	char name[256], now[256], letters[256];

	snprintf(name, sizeof name, "%s", name_at(s, off, &in_new));
	md_name_parse(str_c(name_at(s, off, &in_new)), &n);
	size_t i = index_find(&f->index, &f->f, n.base);
	if (i == SIZE_MAX)
		return;
	const struct msg *m = &f->f.msgs.a[i];
	/* Two files with one base name count once: where one is as it should be, the other is no news. */
	bool was_new = fold_name(f, m, now);
	if (s->settled[i / 8] & 1 << i % 8 ||
	    fstatat(files_fd(f->files, was_new), now, &sb, AT_SYMLINK_NOFOLLOW) == 0)
		return;
	if (fstatat(files_fd(f->files, in_new), name, &sb, AT_SYMLINK_NOFOLLOW) < 0) {
		s->unsettled = true; /* moved on; events or the next scan say where */
		return;
	}
	s->settled[i / 8] |= (uint8_t)(1 << i % 8);
	s->foreign_rename = true;
	struct str extra = md_extra_pure(n.extra, letters);
	bool claimed = in_new && s->claim && claim_file(s, &n, extra, name) == 0;
	if (claimed)
		*vec_push(&p->recent) = m->uid;
	in_new = in_new && !claimed;
	if (n.flags != m->flags || in_new != (bool)(m->state & MSG_IN_NEW) || !str_eq(extra, str_c(m->extra))) {
		struct rec r = {.type = REC_FLAGS,
				.uid = m->uid,
				.modseq = m->modseq,
				.flags = m->flags,
				.add = n.flags & (uint8_t)~m->flags,
				.del = m->flags & (uint8_t)~n.flags,
				.in_new = in_new,
				.extra = extra};
		if (n.flags != m->flags)
			op_put(p, &r);
		else
			rec_put(&p->own, &r);
	}
	note_odd(p, m->uid, &n, extra, in_new, name);
}

/* Whether the message is known now. */
static bool settle_fresh(struct sync *s, uint32_t off)
{
	struct op_part *p = &s->op.part[0];
	struct fold *f = p->f;
	const char *why;
	struct md_name n;
	struct stat sb;
	bool in_new;
	char name[256], letters[256];

	snprintf(name, sizeof name, "%s", name_at(s, off, &in_new));
	md_name_parse(str_c(name_at(s, off, &in_new)), &n);
	if (fstatat(files_fd(f->files, in_new), name, &sb, AT_SYMLINK_NOFOLLOW) < 0) {
		s->unsettled = true;
		return false;
	}
	if (!md_file_ok(&sb, &why)) {
		skipped(f, name, why);
		return false;
	}
	struct str extra = md_extra_pure(n.extra, letters);
	bool claimed = in_new && s->claim && claim_file(s, &n, extra, name) == 0;
	if (in_new && s->claim && !claimed && errno == ENOENT) {
		s->unsettled = true; /* somebody else took it */
		return false;
	}
	uint32_t uid = op_uid(p);
	if (!uid)
		return false;
	in_new = in_new && !claimed;
	struct rec r = {.type = REC_ADD,
			.uid = uid,
			.base = n.base,
			.extra = extra,
			.flags = n.flags,
			.in_new = in_new,
			.internaldate = sb.st_mtime,
			.size = (uint64_t)sb.st_size};
	op_put(p, &r);
	if (claimed)
		*vec_push(&p->recent) = uid;
	note_odd(p, uid, &n, extra, in_new, name);
	return true;
}

static int by_name(const void *a, const void *b, void *ctx)
{
	struct md_name x, y;
	bool in_new;

	md_name_parse(str_c(name_at(ctx, *(const uint32_t *)a, &in_new)), &x);
	md_name_parse(str_c(name_at(ctx, *(const uint32_t *)b, &in_new)), &y);
	return md_name_cmp(x.base, y.base);
}

static void settle_all_fresh(struct sync *s)
{
	struct str last = STR_NONE;

	if (s->fresh.n)
		qsort_r(s->fresh.a, s->fresh.n, sizeof *s->fresh.a, by_name, s);
	vec_foreach(off, &s->fresh) {
		struct md_name n;
		bool in_new;
		const char *name = name_at(s, *off, &in_new);
		md_name_parse(str_c(name), &n);
		if (last.p && str_eq(last, n.base))
			skipped(fold_of_sync(s), name, "another file has the same base name");
		else if (settle_fresh(s, *off))
			last = n.base;
	}
}

/* Messages that were left in new/ for want of a read-write session. */
static void settle_claims(struct sync *s)
{
	struct op_part *p = &s->op.part[0];
	struct fold *f = p->f;

	for (size_t i = 0; i < f->f.msgs.n; i++) {
		const struct msg *m = &f->f.msgs.a[i];
		struct md_name n = {.base = str_c(m->base), .flags = m->flags};
		char name[256];
		if (!(m->state & MSG_IN_NEW) || m->state & MSG_EXPUNGED)
			continue;
		fold_name(f, m, name);
		if (claim_file(s, &n, str_c(m->extra), name) < 0)
			continue; /* moved on, or the volume takes no writes */
		struct rec r = {.type = REC_FLAGS,
				.uid = m->uid,
				.modseq = m->modseq,
				.flags = m->flags,
				.extra = str_c(m->extra)};
		rec_put(&p->own, &r);
		*vec_push(&p->recent) = m->uid;
		note_odd(p, m->uid, &n, str_c(m->extra), false, name);
	}
}

static void settle_gone(struct sync *s)
{
	struct op_part *p = &s->op.part[0];
	struct fold *f = p->f;
	struct stat sb;
	char name[256];

	vec_foreach(uid, &s->gone) {
		const struct msg *m = fold_msg(f, *uid);
		if (!m || (s->check_scan && !has_uid(s->missing.a, s->missing.n, *uid)))
			continue;
		bool in_new = fold_name(f, m, name);
		if (fstatat(files_fd(f->files, in_new), name, &sb, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT)
			continue;
		struct rec r = {.type = REC_EXPUNGE, .uid = m->uid};
		op_put(p, &r);
	}
}

/* ---- the whole ------------------------------------------------------------------------------------- */

static bool mtimes_changed(const struct sync *s)
{
	const struct fold *f = fold_of_sync(s);

	for (int d = WATCH_NEW; d <= WATCH_CUR; d++) {
		int64_t t = md_mtime_ns(files_fd(f->files, d == WATCH_NEW));
		if (t < 0 || t != f->clean[d])
			return true;
	}
	return false;
}

/* False: the folder was deleted. Where it only has lost its name, the loop decides: it may be this
 * process that renames it. */
static bool still_there(struct sync *s)
{
	const struct fold *f = fold_of_sync(s);
	struct stat sb;

	if (fstat(f->files->cur, &sb) < 0 || sb.st_nlink == 0 || fstat(f->files->new, &sb) < 0 || sb.st_nlink == 0)
		return false;
	s->name_lost = (!s->live || s->check_name) &&
		       (fstatat(f->f.store->o.maildir_fd, s->checked_name, &sb, AT_SYMLINK_NOFOLLOW) < 0
				? errno == ENOENT
				: sb.st_ino != f->ino || sb.st_dev != f->dev);
	return true;
}

/* 0: names are there to be compared; 1: nothing to look at; -1. */
static int look(struct sync *s)
{
	bool local;

	s->looked = true;
	if (s->kind == SYNC_TAIL)
		return 1;
	if (s->kind != SYNC_NAMES && !still_there(s)) {
		op_lost(&s->op, &s->op.part[0], "deleted");
		return -1;
	}
	if (s->kind == SYNC_NAMES)
		return s->check_scan ? scan_once(s, &local) : 0;
	if (!s->force && ((s->live && s->kind == SYNC_LOOK) || !mtimes_changed(s)))
		return 0;
	return scan_settled(s);
}

void scan_work(struct op *op)
{
	struct sync *s = container_of(op, struct sync, op);
	struct fold *f = fold_of_sync(s);

	if (!s->looked) {
		if (!op_tail(op))
			return;
		if (look(s) != 0)
			return;
	}
	if (s->kind != SYNC_TAIL)
		compare(s, s->scanned && s->kind != SYNC_LOOK);
	if (!s->changed.n && !s->fresh.n && !s->gone.n && !(s->claim && f->in_new))
		return;
	if (!op_lock(op))
		return;
	if (s->claim && f->in_new)
		settle_claims(s);
	s->settled = xcalloc(f->f.msgs.n / 8 + 1, 1);
	vec_foreach(off, &s->changed)
		settle_known(s, *off);
	free(s->settled);
	settle_all_fresh(s);
	settle_gone(s);
	op_append(op, &op->part[0], false);
}
