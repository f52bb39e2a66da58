/* SPDX-License-Identifier: Apache-2.0 */
/*
 * import: a folder that Courier or Dovecot served goes on with their UIDVALIDITY, UIDs and keywords
 * (DESIGN.md P10). Once, when the folder is first opened; later only where it is asked for.
 */
#include <fcntl.h>
#include <sys/stat.h>

#include "backend/store/import_int.h"
#include "common/base/clock.h"
#include "common/base/log.h"

static uint32_t uid_of(const struct imp_file *f)
{
	return f->uid ? f->uid : UINT32_MAX;
}

static int by_uid(const void *a, const void *b)
{
	const struct imp_file *x = *(struct imp_file *const *)a, *y = *(struct imp_file *const *)b;

	if (uid_of(x) != uid_of(y))
		return uid_of(x) < uid_of(y) ? -1 : 1;
	return md_name_cmp(x->base, y->base);
}

/* ---- records ---------------------------------------------------------------------------------------- */

static void put_names(const struct imp *im, uint64_t modseq, size_t from, struct buf *out)
{
	for (size_t i = from; i < im->keywords.n; i++) {
		struct rec r = {.type = REC_KEYWORD,
				.modseq = modseq,
				.kw = (uint16_t)i,
				.keyword = str_c(im->keywords.a[i])};
		rec_put(out, &r);
	}
}

static void put_message(const struct imp_file *f, uint32_t uid, uint64_t modseq, struct buf *out)
{
	struct rec r = {.type = REC_ADD,
			.uid = uid,
			.modseq = modseq,
			.base = f->base,
			.extra = f->extra,
			.flags = f->flags,
			.in_new = f->in_new,
			.internaldate = f->mtime,
			.size = f->size};
	uint16_t done = 0;

	do {
		for (r.nadd = 0; done < f->nkw && r.nadd < REC_KW_MAX;)
			r.kw_add[r.nadd++] = f->kw[done++];
		rec_put(out, &r);
		r = (struct rec){.type = REC_KEYWORDS, .uid = uid, .modseq = modseq};
	} while (done < f->nkw);
}

/*
 * The folder from its beginning. What the list doesn't know comes behind what it knows, with UIDs from next on,
 * above all that were ever given; a list that isn't sure gives nothing but the order.
 */
static void put_all(struct imp *im, uint32_t next, struct buf *out)
{
	/* Above what Dovecot's clients have heard of: all that they know is older, so they ask for all flags. */
	uint64_t modseq = (uint64_t)clock_wall_s();
	bool sure = im->list && !im->list->list.unsure;
	struct rec state = {.type = REC_STATE, .modseq = modseq, .floor = modseq};

	put_names(im, modseq, 0, out);
	if (im->files.n)
		qsort(im->files.a, im->files.n, sizeof(struct imp_file *), by_uid);
	vec_foreach(fp, &im->files)
		put_message(*fp, sure && (*fp)->uid ? (*fp)->uid : next++, modseq, out);
	state.uidnext = next;
	rec_put(out, &state);
}

/* ---- the log's line, and what posthousectl says --------------------------------------------------------- */

static void report(struct imp *im, uint32_t uidvalidity)
{
	struct fold *f = im->f;
	const struct uidlist *l = im->list ? &im->list->list : NULL;

	snprintf(f->said, sizeof f->said,
		 "%s: UIDVALIDITY %u, %zu of %zu messages known, %zu keywords%s%s", imp_name(im),
		 uidvalidity, im->list ? im->list->known : 0, im->files.n, im->keywords.n,
		 l && l->unsure ? "; a new UIDVALIDITY, since " : "",
		 l && l->unsure ? l->unsure : "");
	LOG(l && (l->unsure || l->dropped) ? L_WARN : L_INFO, "folder_imported",
	    L_C("user", f->f.store->o.user), L_C("folder", f->f.name), L_C("from", imp_name(im)),
	    L_U("uidvalidity", uidvalidity), L_U("messages", im->files.n),
	    L_U("known", im->list ? im->list->known : 0), L_U("keywords", im->keywords.n),
	    L_U("keywords_lost", im->lost_keywords), L_U("lines_dropped", l ? l->dropped : 0),
	    L_C("fault", l && l->unsure ? l->unsure : ""));
}

/* ---- the first open -------------------------------------------------------------------------------------- */

static int first(struct imp *im, uint32_t *uidvalidity, struct buf *records, struct err *e)
{
	struct store *st = im->f->f.store;

	if (imp_read(im, e) < 0)
		return -1;
	if (!im->list && !im->keywords.n)
		return 0; /* they were refused, or say nothing */
	uint32_t next = 1, given;
	if (im->list && !im->list->list.unsure) {
		*uidvalidity = im->list->list.uidvalidity;
		if (uidvalidity_seen(st, *uidvalidity) < 0)
			return err_sys(e, "posthouse/uidvalidity");
		next = im->list->list.uidnext;
		given = uidtrace_read(im->f->files->dir, *uidvalidity);
		if (given > next)
			next = given; /* by us, before posthouse/ was lost */
		if (uidtrace_write(im->f->files->dir, *uidvalidity, next, e) < 0)
			return -1;
	} else {
		uint32_t above = im->list ? im->list->list.uidvalidity : 0;
		*uidvalidity = uidvalidity_new(st, above < UINT32_MAX - 1000 ? above : 0);
		if (!*uidvalidity)
			return err_sys(e, "posthouse/uidvalidity");
	}
	put_all(im, next, records);
	report(im, *uidvalidity);
	return 0;
}

int import_first(void *ctx, uint32_t *uidvalidity, struct buf *records, struct err *e)
{
	struct imp im = {.f = ctx};

	if (!imp_anything(im.f))
		return 0;
	int rc = first(&im, uidvalidity, records, e);
	imp_free(&im);
	return rc;
}

/* ---- once more -------------------------------------------------------------------------------------------- */

/* Why the list's UIDs can't be ours under the same UIDVALIDITY; NULL: they can. */
static const char *conflict(struct imp *im)
{
	struct folder *f = &im->f->f;
	const struct uidlist *l = &im->list->list;
	struct hmap *ours = hmap_new();
	const char *why = NULL;

	vec_foreach(m, &f->msgs)
		if (!(m->state & MSG_EXPUNGED))
			hmap_put(ours, str_c(m->base), m);
	vec_foreach(fp, &im->files) {
		const struct msg *m = hmap_get(ours, (*fp)->base);
		if (m && (*fp)->uid && (*fp)->uid != m->uid)
			why = "both servers gave UIDs to the same messages";
		else if (m && !(*fp)->uid && m->uid < l->uidnext)
			why = "the list lacks messages that have a UID here";
		else if (!m && (*fp)->uid && (*fp)->uid < f->uidnext)
			why = "both servers gave the same UIDs";
		if (why)
			break;
	}
	hmap_free(&ours);
	return why;
}

static void put_keywords(const struct msg *m, const struct imp_file *f, uint64_t modseq,
			 struct buf *out)
{
	struct rec r = {.type = REC_KEYWORDS, .uid = m->uid, .modseq = modseq};

	for (uint16_t i = 0; m->kw && i < m->kw->n; i++) {
		bool kept = false;
		for (uint16_t k = 0; k < f->nkw; k++)
			kept |= f->kw[k] == m->kw->kw[i];
		if (!kept)
			r.kw_del[r.ndel++] = m->kw->kw[i];
		if (r.ndel == REC_KW_MAX) {
			rec_put(out, &r);
			r.ndel = 0;
		}
	}
	for (uint16_t k = 0; k < f->nkw; k++) {
		if (!kwset_has(m->kw, f->kw[k]))
			r.kw_add[r.nadd++] = f->kw[k];
		if (r.nadd == REC_KW_MAX) {
			rec_put(out, &r);
			r.nadd = r.ndel = 0;
		}
	}
	if (r.nadd || r.ndel)
		rec_put(out, &r);
}

/* The same UIDVALIDITY: what they added since, and their keywords. */
static int take_over(struct imp *im, struct err *e)
{
	struct fold *f = im->f;
	uint64_t now = (uint64_t)clock_wall_s(); /* above what the other server gave meanwhile */
	uint64_t modseq = now > f->f.modseq ? now : f->f.modseq + 1;
	uint32_t next =
		im->list->list.uidnext > f->f.uidnext ? im->list->list.uidnext : f->f.uidnext;
	struct rec state = {.type = REC_STATE, .uidnext = next};
	struct apply_opts opts = {0};
	struct buf own = BUF_INIT;

	put_names(im, modseq++, im->known_keywords, &own);
	if (im->files.n)
		qsort(im->files.a, im->files.n, sizeof(struct imp_file *), by_uid);
	if (!f->index.slots)
		index_build(&f->index, &f->f);
	vec_foreach(fp, &im->files) {
		size_t i = index_find(&f->index, &f->f, (*fp)->base);
		if (i != SIZE_MAX)
			put_keywords(&f->f.msgs.a[i], *fp, modseq++, &own);
		else if ((*fp)->uid)
			put_message(*fp, (*fp)->uid, modseq++, &own);
	}
	/* What was expunged while the other server was at work is not known. */
	state.modseq = state.floor = modseq;
	rec_put(&own, &state);
	int rc = disk_reserve(f->disk, next, modseq, e);
	if (rc == 0)
		rc = disk_append(f->disk, buf_str(&own), true, e);
	if (rc == 0) {
		fold_apply(f, buf_str(&own), &opts);
		report(im, f->f.uidvalidity);
	}
	buf_deinit(&own);
	return rc;
}

/* Their list counts, ours is forgotten: a UIDVALIDITY above all that clients have seen. */
static int start_anew(struct imp *im, const char *why, struct err *e)
{
	struct fold *f = im->f;
	struct store *st = f->f.store;
	uint32_t v = im->list->list.uidvalidity, ours = f->f.uidvalidity;
	struct apply_opts opts = {0};
	struct buf records = BUF_INIT;

	if (v <= ours)
		v = uidvalidity_new(st, ours);
	else if (uidvalidity_seen(st, v) < 0)
		v = 0;
	if (!v)
		return err_sys(e, "posthouse/uidvalidity");
	put_all(im, im->list->list.uidnext, &records);
	int rc = uidtrace_write(f->files->dir, v, im->list->list.uidnext, e);
	if (rc == 0)
		rc = disk_restart(f->disk, v, buf_str(&records), e);
	if (rc == 0) {
		report(im, v);
		fold_clear(f);
		f->f.uidnext = 1;
		f->f.modseq = 1;
		f->f.expunges = 0;
		f->in_new = 0;
		f->f.uidvalidity = v;
		fold_apply(f, buf_str(&records), &opts);
		size_t at = strlen(f->said);
		snprintf(f->said + at, sizeof f->said - at, "; instead of %u, since %s", ours, why);
	}
	buf_deinit(&records);
	return rc;
}

static int again(struct imp *im, struct err *e)
{
	struct fold *f = im->f;
	const char *why = NULL;

	if (imp_read(im, e) < 0)
		return -1;
	if (!im->list) {
		snprintf(f->said, sizeof f->said,
			 "no list of Courier's or Dovecot's; nothing was changed");
		return 0;
	}
	if (im->list->list.unsure) {
		snprintf(f->said, sizeof f->said, "%s: %s; nothing was changed", imp_name(im),
			 im->list->list.unsure);
		return 0;
	}
	if (im->list->list.uidvalidity != f->f.uidvalidity)
		why = "the other server has another one";
	else
		why = conflict(im);
	return why ? start_anew(im, why, e) : take_over(im, e);
}

int import_again(struct fold *f, struct err *e)
{
	struct imp im = {.f = f};
	struct apply_opts opts = {0};
	struct buf foreign = BUF_INIT;
	bool reset;

	if (disk_lock(f->disk, &foreign, &reset, e) < 0) {
		buf_deinit(&foreign);
		return -1;
	}
	fold_apply(f, buf_str(&foreign), &opts);
	buf_deinit(&foreign);
	int rc = reset ? err_set(e, EAGAIN, "the folder's files were replaced") : again(&im, e);
	if (rc == 0 && !disk_still_locked(f->disk))
		rc = err_set(e, EAGAIN, "another process took the folder's lock over");
	disk_unlock(f->disk);
	imp_free(&im);
	f->wrote = true;
	f->marked = false;
	f->clean[WATCH_NEW] = f->clean[WATCH_CUR] = -1;
	return rc;
}

/* ---- subscriptions ------------------------------------------------------------------------------------------ */

static int64_t mtime_of(int at, const char *name)
{
	struct stat sb;

	if (fstatat(at, name, &sb, AT_SYMLINK_NOFOLLOW) < 0)
		return -1;
	return (int64_t)sb.st_mtim.tv_sec * NS_PER_S + sb.st_mtim.tv_nsec;
}

/* Lines of Courier's that name no folder of this Maildir stay. */
static void keep_shared(struct str ours, struct buf *out)
{
	for (struct str rest = ours; rest.p && rest.n;) {
		struct str line = str_trim(str_split(&rest, '\n'));
		if (!line.n || str_istarts(line, STR("INBOX")))
			continue;
		buf_str_put(out, line);
		buf_putc(out, '\n');
	}
}

void import_subscriptions(struct store *st)
{
	int at = st->o.maildir_fd;
	struct buf theirs = BUF_INIT, ours = BUF_INIT, text = BUF_INIT;
	int64_t mtime = 0;
	struct err e;

	if (mtime_of(at, "subscriptions") < 0 || (!st->o.import && mtime_of(at, "posthouse") >= 0))
		return;
	if (foreign_read(st, "", at, "subscriptions", &theirs, &mtime) == 0 &&
	    mtime > mtime_of(at, SUBSCRIBED_NAME) &&
	    (files_read_whole(at, SUBSCRIBED_NAME, SUBSCRIBED_MAX, &ours, &e) == 0 ||
	     e.code == ENOENT)) {
		subscriptions_parse(buf_str(&theirs), &text);
		size_t lines = 0;
		for (size_t i = 0; i < text.n; i++)
			lines += buf_str(&text).p[i] == '\n';
		keep_shared(buf_str(&ours), &text);
		if (files_write_whole(at, SUBSCRIBED_NAME, buf_str(&text), &e) < 0)
			LOG(L_WARN, "subscriptions_not_imported", L_C("user", st->o.user),
			    L_C("error", e.text));
		else
			LOG(L_INFO, "subscriptions_imported", L_C("user", st->o.user),
			    L_C("from", "subscriptions"), L_U("folders", lines));
	}
	buf_deinit(&theirs);
	buf_deinit(&ours);
	buf_deinit(&text);
}
