/* SPDX-License-Identifier: Apache-2.0 */
/*
 * append: the message streams to tmp/ in pieces; the commit moves it to cur/ or new/, and several that
 * wait for one folder are committed in one go, with one sync of the directory and one of the journal.
 */
#include <fcntl.h>
#include <sys/stat.h>

#include "backend/store/outbox_int.h"
#include "common/mail/lfcrlf.h"

enum { HOLD_MAX = 256 * 1024, HOLD_LOW = 64 * 1024 };

struct append {
	struct job job; /* one at a time: open, write, sync */
	struct store *st;
	struct fold *f;
	struct list link; /* group.appends */
	uint8_t flags;
	struct str *keywords;
	size_t nkeywords;
	int64_t internaldate;
	uint64_t announced, received, limit;
	/* the job's while busy */
	int fd;
	char tmp[300], name[256];
	struct buf writing, converted;
	struct crlflf to_lf;
	struct lfcrlf to_crlf;
	struct lfcrlf counter;
	uint64_t size, wire;
	bool finish; /* the next piece is the last */
	/* the loop's */
	struct store_result res;
	struct buf in;
	bool busy, oversize, committing, aborted, placed, cur;
	uint32_t uid;
	store_done_fn *drained, *begun;
	void *drained_ctx, *begun_ctx;
	append_done_fn *done;
	void *ctx;
	/* the Outbox's */
	outbox_held_fn *held;
	struct outbox_item *item;
	bool kept, moved; /* tmp is a message that was sent: it isn't removed; it was moved, not linked */
};

struct group {
	struct op op;
	struct list appends;
	bool in_cur, in_new; /* where something was put */
};

static void append_free(struct append *a)
{
	outbox_item_free(&a->item);
	if (a->fd >= 0)
		close(a->fd);
	for (size_t i = 0; i < a->nkeywords; i++)
		free((char *)a->keywords[i].p);
	free(a->keywords);
	buf_deinit(&a->in);
	buf_deinit(&a->writing);
	buf_deinit(&a->converted);
	if (a->f)
		fold_put(a->f);
	free(a);
}

/* ---- jobs ------------------------------------------------------------------------------------------- */

static void remove_tmp(struct append *a)
{
	if (!a->tmp[0] || a->kept)
		return;
	unlinkat(a->f->files->dir, a->tmp, 0);
	a->tmp[0] = 0;
}

static void open_tmp(struct append *a)
{
	char base[256];

	md_name_new(base, 0, 0);
	base[strcspn(base, ",")] = 0;
	snprintf(a->tmp, sizeof a->tmp, "tmp/%.250s", base);
	if (mkdirat(a->f->files->dir, "tmp", 0700) < 0 && errno != EEXIST) {
		result_sys(&a->res, "tmp");
		return;
	}
	a->fd = openat(a->f->files->dir, a->tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (a->fd < 0) {
		result_sys(&a->res, a->tmp);
		a->tmp[0] = 0;
	}
}

static void write_piece(struct append *a)
{
	struct str s = buf_str(&a->writing);

	buf_reset(&a->converted);
	if (a->st->o.set->maildir_crlf) {
		lfcrlf_put(&a->to_crlf, &a->converted, s);
	} else {
		crlflf_put(&a->to_lf, &a->converted, s);
		if (a->finish)
			crlflf_end(&a->to_lf, &a->converted);
	}
	buf_reset(&a->writing);
	s = buf_str(&a->converted);
	a->size += s.n;
	a->wire += lfcrlf_count(&a->counter, s);
	while (s.n) {
		ssize_t n = write(a->fd, s.p, s.n);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			result_sys(&a->res, a->tmp);
			return;
		}
		s = str_from(s, (size_t)n);
	}
}

/* The date, the sizes in the name, and everything on disk. */
static void finish_file(struct append *a)
{
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = a->internaldate}};

	if (a->internaldate != -1 && futimens(a->fd, times) < 0)
		result_sys(&a->res, a->tmp);
	else if (fsync(a->fd) < 0)
		result_sys(&a->res, a->tmp);
	if (close(a->fd) < 0 && a->res.code == STORE_OK)
		result_sys(&a->res, a->tmp);
	a->fd = -1;
	md_name_new(a->name, a->size, a->wire);
}

/* The message waits to be sent, instead of coming into the folder. */
static void hold(struct append *a)
{
	struct outbox_item *it = outbox_item_new(a->f->f.name, "");

	snprintf(it->base, sizeof it->base, "%.229s", a->name);
	it->flags = a->flags;
	for (size_t i = 0; i < a->nkeywords; i++)
		*vec_push(&it->keywords) = str_dup(a->keywords[i]);
	if (outbox_hold_file(a->st, a->f->files->dir, a->tmp, it) < 0) {
		result_sys(&a->res, a->tmp);
		outbox_item_free(&it);
		return;
	}
	a->tmp[0] = 0;
	a->item = it;
}

static void append_run(struct job *j)
{
	struct append *a = container_of(j, struct append, job);

	if (__atomic_load_n(&a->aborted, __ATOMIC_RELAXED) || a->res.code != STORE_OK) {
		remove_tmp(a);
		return;
	}
	if (!a->tmp[0])
		open_tmp(a);
	if (a->res.code == STORE_OK && (a->writing.n || a->finish))
		write_piece(a);
	if (a->res.code == STORE_OK && a->finish)
		finish_file(a);
	if (a->res.code == STORE_OK && a->finish && a->held)
		hold(a);
	if (a->res.code != STORE_OK)
		remove_tmp(a);
}

static void append_step(struct append *a);

static void append_begun(struct append *a)
{
	store_done_fn *begun = a->begun;

	a->begun = NULL;
	a->busy = true; /* an abort from inside only sets its flag */
	if (begun && !a->aborted)
		begun(a->begun_ctx, &a->res);
	a->busy = false;
}

static void append_job_done(struct job *j)
{
	struct append *a = container_of(j, struct append, job);
	bool ends = a->committing;

	if (a->begun)
		append_begun(a);
	a->busy = false;
	ends |= a->aborted || a->committing;
	append_step(a);
	if (ends || !a->drained || a->in.n > HOLD_LOW)
		return;
	store_done_fn *drained = a->drained;
	a->drained = NULL;
	drained(a->drained_ctx, &a->res); /* may end a */
}

static void submit(struct append *a)
{
	a->busy = true;
	a->job = (struct job){.run = append_run, .done = append_job_done};
	jobs_submit(a->st->o.jobs, &a->job);
}

/* ---- the commit ---------------------------------------------------------------------------------------- */

static void group_free(struct op *op)
{
	free(container_of(op, struct group, op));
}

static int put_add(struct op_part *p, struct append *a, bool in_new)
{
	struct rec r = {.type = REC_ADD,
			.uid = a->uid,
			.modseq = op_modseq(p),
			.base = str_c(a->name),
			.flags = a->flags,
			.in_new = in_new,
			.internaldate = a->internaldate,
			.savedate = time(NULL),
			.size = a->size,
			.wire = a->wire};
	struct rec more = {.type = REC_KEYWORDS, .uid = a->uid, .modseq = op_modseq(p)};
	struct buf b = BUF_INIT;

	for (size_t i = 0; i < a->nkeywords; i++) {
		int kw = op_keyword(p, a->keywords[i]);
		if (kw < 0 && a->kept)
			continue; /* it was sent: it must come into the folder */
		if (kw < 0) {
			buf_deinit(&b);
			return result_set(&a->res, STORE_LIMIT, "This folder has too many keywords.");
		}
		if (r.nadd < REC_KW_MAX) {
			r.kw_add[r.nadd++] = (uint16_t)kw;
			continue;
		}
		more.kw_add[more.nadd++] = (uint16_t)kw;
		if (more.nadd == REC_KW_MAX) {
			rec_put(&b, &more);
			more.nadd = 0;
		}
	}
	if (more.nadd)
		rec_put(&b, &more);
	rec_put(&p->own, &r);
	buf_str_put(&p->own, buf_str(&b));
	buf_deinit(&b);
	return 0;
}

/* A message with flags goes to cur/. One without goes to new/, unless a read-write session is there to
 * take it at once. */
static void place(struct group *g, struct append *a)
{
	struct op_part *p = &g->op.part[0];
	struct fold *f = p->f;
	bool in_new = !a->flags && !a->nkeywords && !a->cur;
	char to[256];
	struct stat sb;

	md_name_make(str_c(a->name), a->flags, STR_NONE, in_new, to);
	if (a->internaldate == -1)
		a->internaldate = fstatat(f->files->dir, a->tmp, &sb, AT_SYMLINK_NOFOLLOW) == 0 ? sb.st_mtime
												: time(NULL);
	a->uid = op_uid(p);
	if (!a->uid) {
		result_set(&a->res, STORE_LIMIT, "This folder has given its last UID.");
		return;
	}
	if (files_rename_new(f->files->dir, a->tmp, files_fd(f->files, in_new), to) < 0) {
		result_sys(&a->res, a->tmp);
		return;
	}
	if (put_add(p, a, in_new) < 0) {
		unlinkat(files_fd(f->files, in_new), to, 0);
		a->tmp[0] = 0;
		return;
	}
	a->tmp[0] = 0;
	a->placed = true;
	g->in_new |= in_new;
	g->in_cur |= !in_new;
	if (!in_new)
		*vec_push(&p->recent) = a->uid;
	snprintf(a->name, sizeof a->name, "%s/%.250s", in_new ? "new" : "cur", to);
}

static const struct msg *msg_by_base(const struct fold *f, const char *base)
{
	for (size_t i = f->f.msgs.n; i > 0; i--)
		if (!(f->f.msgs.a[i - 1].state & MSG_EXPUNGED) && strcmp(f->f.msgs.a[i - 1].base, base) == 0)
			return &f->f.msgs.a[i - 1];
	return NULL;
}

/* An earlier try came as far as the folder: what may be missing is a keyword. */
static void place_known(struct op_part *p, struct append *a, const struct msg *m)
{
	struct rec r = {.type = REC_KEYWORDS, .uid = m->uid, .modseq = op_modseq(p)};

	a->uid = m->uid;
	for (size_t i = 0; i < a->nkeywords && r.nadd < REC_KW_MAX; i++) {
		int kw = op_keyword(p, a->keywords[i]);
		if (kw >= 0)
			r.kw_add[r.nadd++] = (uint16_t)kw;
	}
	if (r.nadd)
		rec_put(&p->own, &r);
}

/* A message that was sent: its waiting place is left when the journal has it. Where it isn't there any
 * more, another process was quicker. */
static void place_kept(struct group *g, struct append *a)
{
	struct op_part *p = &g->op.part[0];
	struct fold *f = p->f;
	const struct msg *known = msg_by_base(f, a->name);
	struct stat sb;
	char to[256];

	if (known) {
		place_known(p, a, known);
		return;
	}
	if (fstatat(f->files->dir, a->tmp, &sb, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno != ENOENT)
			result_sys(&a->res, a->tmp);
		return;
	}
	a->internaldate = sb.st_mtime;
	md_name_make(str_c(a->name), a->flags, STR_NONE, false, to);
	a->uid = op_uid(p);
	if (!a->uid) {
		result_set(&a->res, STORE_LIMIT, "This folder has given its last UID.");
		return;
	}
	if (linkat(f->files->dir, a->tmp, f->files->cur, to, 0) < 0 && errno != EEXIST) {
		if (files_rename_new(f->files->dir, a->tmp, f->files->cur, to) < 0) {
			result_sys(&a->res, a->tmp);
			return;
		}
		a->moved = true;
	}
	put_add(p, a, false);
	*vec_push(&p->recent) = a->uid;
	a->placed = true;
	snprintf(a->name, sizeof a->name, "cur/%.250s", to);
	g->in_cur = true;
}

static void take_back_kept(struct append *a)
{
	if (a->placed && a->moved)
		files_rename_new(a->f->files->dir, a->name, a->f->files->dir, a->tmp);
	else if (a->placed)
		unlinkat(a->f->files->dir, a->name, 0);
}

static void take_back(struct group *g, const struct store_result *r)
{
	list_foreach(e, &g->appends) {
		struct append *a = list_entry(e, struct append, link);
		if (a->kept)
			take_back_kept(a);
		else if (a->placed)
			unlinkat(a->f->files->dir, a->name, 0);
		else
			remove_tmp(a);
		if (a->res.code == STORE_OK)
			a->res = *r;
	}
}

static void leave_waiting_places(struct group *g)
{
	char name[300];

	list_foreach(e, &g->appends) {
		struct append *a = list_entry(e, struct append, link);
		if (!a->kept || a->res.code != STORE_OK)
			continue;
		outbox_attempt_name(name, a->item->base);
		unlinkat(a->f->files->dir, name, 0);
		unlinkat(a->f->files->dir, a->tmp, 0);
	}
}

static void group_work(struct op *op)
{
	struct group *g = container_of(op, struct group, op);
	struct op_part *p = &op->part[0];
	struct fold *f = p->f;

	if (!op_lock(op)) {
		if (op->res.code != STORE_OK)
			take_back(g, &op->res);
		return;
	}
	list_foreach(e, &g->appends) {
		struct append *a = list_entry(e, struct append, link);
		if (a->res.code == STORE_OK)
			(a->kept ? place_kept : place)(g, a);
		if (a->res.code != STORE_OK)
			remove_tmp(a);
	}
	if ((g->in_cur && md_fsync_dir(f->files->cur) < 0) || (g->in_new && md_fsync_dir(f->files->new) < 0)) {
		result_sys(&op->res, f->disk_name);
		buf_reset(&p->own);
		p->recent.n = 0;
		take_back(g, &op->res);
		return;
	}
	if (op_append(op, p, true) < 0)
		take_back(g, &op->res);
	else
		leave_waiting_places(g);
}

static void append_over(struct append *a)
{
	append_done_fn *done = a->done;

	if (a->held) {
		struct outbox_item *it = a->item;

		a->item = NULL;
		a->held(a->ctx, &a->res, it);
	}
	if (a->res.code != STORE_OK)
		a->uid = 0;
	if (!a->aborted && done)
		done(a->ctx, &a->res, a->f ? a->f->f.uidvalidity : 0, a->uid);
	append_free(a);
}

static void group_finish(struct op *op)
{
	struct group *g = container_of(op, struct group, op);
	struct list batch;

	list_init(&batch);
	while (!list_empty(&g->appends)) {
		struct list *first = g->appends.next;
		list_remove(first);
		list_append(&batch, first);
	}
	while (!list_empty(&batch)) {
		struct append *a = list_entry(batch.next, struct append, link);
		list_remove(&a->link);
		if (op->res.code != STORE_OK && a->res.code == STORE_OK)
			a->res = op->res;
		append_over(a);
	}
	op_free(op);
}

static void group_prepare(struct op *op)
{
	struct group *g = container_of(op, struct group, op);
	struct fold *f = op->part[0].f;
	bool claim = fold_wants_claim(f);

	f->append_op = NULL;
	list_foreach(e, &g->appends)
		list_entry(e, struct append, link)->cur = claim;
}

static void join_group(struct append *a)
{
	struct group *g;

	if (a->f->append_op) {
		g = container_of(a->f->append_op, struct group, op);
		list_append(&g->appends, &a->link);
		return;
	}
	g = xcalloc(1, sizeof *g);
	list_init(&g->appends);
	list_append(&g->appends, &a->link);
	op_init(&g->op, a->f, NULL);
	g->op.prepare = group_prepare;
	g->op.work = group_work;
	g->op.finish = group_finish;
	g->op.free = group_free;
	a->f->append_op = &g->op;
	op_start(&g->op);
}

/* ---- the loop's half --------------------------------------------------------------------------------- */

/* No job is under way: what comes next? */
static void append_step(struct append *a)
{
	if (a->aborted) {
		if (a->tmp[0] && a->f)
			submit(a);
		else
			append_free(a);
		return;
	}
	if (a->res.code != STORE_OK) {
		buf_reset(&a->in);
		if (a->committing)
			append_over(a);
		return;
	}
	if (a->finish && a->held) {
		append_over(a);
		return;
	}
	if (a->finish) {
		join_group(a);
		return;
	}
	if (a->oversize) {
		result_set(&a->res, STORE_TOOBIG, "The message is too large.");
		submit(a);
		return;
	}
	if (a->in.n || a->committing) {
		buf_move(&a->writing, &a->in);
		a->finish = a->committing;
		submit(a);
	}
}

static void append_got(void *ctx, const struct store_result *r, struct fold *f)
{
	struct append *a = ctx;

	a->f = f;
	if (r->code != STORE_OK)
		a->res = *r;
	else if (a->announced > a->limit)
		result_set(&a->res, STORE_TOOBIG, "The message is too large.");
	if (!a->aborted && a->res.code == STORE_OK) {
		submit(a);
		return;
	}
	append_begun(a);
	append_step(a);
}

struct append *append_begin(struct store *st, const struct append_opts *o, store_done_fn *done, void *ctx)
{
	struct append *a = xcalloc(1, sizeof *a);

	a->st = st;
	a->fd = -1;
	a->flags = o->flags & MSG_FLAGS_ALL;
	a->internaldate = o->internaldate;
	a->announced = o->size;
	a->limit = st->o.set->imap_append_max;
	a->to_crlf.keep_nul = a->counter.keep_nul = true;
	a->keywords = xcalloc(o->nkeywords + 1, sizeof *a->keywords);
	for (; a->nkeywords < o->nkeywords; a->nkeywords++)
		a->keywords[a->nkeywords] = str_c(str_dup(o->keywords[a->nkeywords]));
	list_init(&a->link);
	a->begun = done;
	a->begun_ctx = ctx;
	a->busy = true;
	fold_get(st, o->folder, false, append_got, a);
	return a;
}

bool append_write(struct append *a, struct str bytes, store_done_fn *drained, void *ctx)
{
	ASSERT(!a->committing);
	if (a->res.code != STORE_OK)
		return true; /* the rest of the literal is read and dropped */
	a->received += bytes.n;
	if (a->received > a->limit)
		return true; /* the commit says so */
	buf_str_put(&a->in, bytes);
	if (!a->busy)
		append_step(a);
	if (a->in.n < HOLD_MAX)
		return true;
	a->drained = drained;
	a->drained_ctx = ctx;
	return false;
}

void append_commit(struct append *a, append_done_fn *done, void *ctx)
{
	a->done = done;
	a->ctx = ctx;
	a->drained = NULL;
	a->committing = true;
	if (a->received > a->limit && a->res.code == STORE_OK)
		a->oversize = true;
	if (a->busy)
		return;
	if (a->res.code == STORE_OK) {
		append_step(a);
		return;
	}
	submit(a); /* its fault is known: done is called from a job's end, never from here */
}

void append_abort(struct append **ap)
{
	struct append *a = *ap;

	*ap = NULL;
	if (!a)
		return;
	__atomic_store_n(&a->aborted, true, __ATOMIC_RELAXED);
	a->drained = a->begun = NULL;
	if (!a->busy && list_empty(&a->link))
		append_step(a);
}

/* ---- the Outbox ------------------------------------------------------------------------------------------ */

void append_hold(struct append *a, outbox_held_fn *done, void *ctx)
{
	a->held = done;
	append_commit(a, NULL, ctx);
}

static void file_got(void *ctx, const struct store_result *r, struct fold *f)
{
	struct append *a = ctx;

	a->f = f;
	if (r->code == STORE_OK) {
		join_group(a);
		return;
	}
	a->res = *r;
	append_over(a);
}

/* An append that begins where others have written their file. */
void outbox_file(struct store *st, const struct outbox_item *it, const char *keyword, append_done_fn *done, void *ctx)
{
	struct append *a = xcalloc(1, sizeof *a);
	struct md_name n;

	a->st = st;
	a->fd = -1;
	a->kept = a->finish = a->committing = true;
	a->flags = it->flags;
	a->item = outbox_item_new(it->folder, it->base);
	outbox_message_name(a->tmp, it->base);
	snprintf(a->name, sizeof a->name, "%s", it->base);
	if (md_name_parse(str_c(it->base), &n)) {
		a->size = n.size;
		a->wire = n.wire;
	}
	a->keywords = xcalloc(it->keywords.n + 1, sizeof *a->keywords);
	if (keyword)
		a->keywords[a->nkeywords++] = str_c(xstrdup(keyword));
	for (size_t i = 0; i < it->keywords.n; i++)
		if (!keyword || !str_ieq(str_c(it->keywords.a[i]), str_c(keyword)))
			a->keywords[a->nkeywords++] = str_c(xstrdup(it->keywords.a[i]));
	list_init(&a->link);
	a->done = done;
	a->ctx = ctx;
	fold_get(st, str_c(it->folder), false, file_got, a);
}
