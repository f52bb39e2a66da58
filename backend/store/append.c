/* SPDX-License-Identifier: Apache-2.0 */
/*
 * append: messages stream to tmp/ in pieces; the commit moves those of one command to cur/ or new/, all or
 * none, and several commands that wait for one folder are committed in one go, with one sync of the
 * directory and one of the journal.
 */
#include <fcntl.h>
#include <sys/stat.h>

#include "backend/store/outbox_int.h"
#include "common/mail/lfcrlf.h"

enum { HOLD_MAX = 256 * 1024, HOLD_LOW = 64 * 1024 };

struct message {
	char tmp[256], name[256]; /* tmp: "" where there is nothing to remove */
	uint64_t size, wire;
	uint8_t flags;
	struct str *keywords;
	size_t nkeywords;
	int64_t internaldate;
	uint32_t uid;
	bool placed;
};
struct append {
	struct job job; /* one at a time: open, write, sync */
	struct store *st;
	struct fold *f;
	struct list link; /* group.appends */
	VEC(struct message) msgs; /* the last one is being written; the job's while busy */
	uint64_t announced, received, limit; /* of the last one */
	int64_t quota_bytes, quota_count; /* announced so far, where they would count; the job's while busy */
	/* the job's while busy */
	int fd;
	struct buf writing, converted;
	struct crlflf to_lf;
	struct lfcrlf to_crlf;
	struct lfcrlf counter;
	bool finish; /* the next piece is the message's last */
	/* the loop's */
	uint64_t next_announced;
	struct message next; /* begins when the message at hand is on disk */
	struct store_result res;
	struct buf in;
	bool busy, oversize, ending, committing, aborted, cur;
	store_done_fn *drained, *begun;
	void *drained_ctx, *begun_ctx;
	append_done_fn *done;
	void *ctx;
	outbox_held_fn *held; /* it is to be sent: done isn't called, and the message waits as item */
	struct outbox_item *item;
};

struct group {
	struct op op;
	struct list appends;
	struct quota_use use; /* what it has placed, and the file doesn't say yet */
	bool in_cur, in_new; /* where something was put */
};

static struct message *last(struct append *a)
{
	return &a->msgs.a[a->msgs.n - 1];
}

static void message_free(struct message *m)
{
	for (size_t i = 0; i < m->nkeywords; i++)
		free((char *)m->keywords[i].p);
	free(m->keywords);
}

static void append_free(struct append *a)
{
	if (a->fd >= 0)
		close(a->fd);
	vec_foreach(m, &a->msgs)
		message_free(m);
	vec_free(&a->msgs);
	message_free(&a->next);
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
	vec_foreach(m, &a->msgs) {
		if (m->tmp[0])
			unlinkat(a->f->files->dir, m->tmp, 0);
		m->tmp[0] = 0;
	}
}

static void open_tmp(struct append *a)
{
	struct message *m = last(a);
	char base[256];

	if (quota_counts_folder(a->st, a->f->disk_name)) {
		a->quota_bytes += (int64_t)a->announced;
		a->quota_count++;
		if (quota_check(a->st, a->quota_bytes, a->quota_count, &a->res) < 0)
			return;
	}
	md_name_new(base, 0, 0);
	base[strcspn(base, ",")] = 0;
	snprintf(m->tmp, sizeof m->tmp, "tmp/%.250s", base);
	if (mkdirat(a->f->files->dir, "tmp", 0700) < 0 && errno != EEXIST) {
		result_sys(&a->res, "tmp");
		return;
	}
	a->fd = openat(a->f->files->dir, m->tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666); /* IMAP_UMASK */
	if (a->fd < 0) {
		result_sys(&a->res, m->tmp);
		m->tmp[0] = 0;
	}
}

static void write_piece(struct append *a)
{
	struct message *m = last(a);
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
	m->size += s.n;
	m->wire += lfcrlf_count(&a->counter, s);
	while (s.n) {
		ssize_t n = write(a->fd, s.p, s.n);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			result_sys(&a->res, m->tmp);
			return;
		}
		s = str_from(s, (size_t)n);
	}
}

/* The date, the sizes in the name, and everything on disk. */
static void finish_file(struct append *a)
{
	struct message *m = last(a);
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = m->internaldate}};

	if (m->internaldate != -1 && futimens(a->fd, times) < 0)
		result_sys(&a->res, m->tmp);
	else if (fsync(a->fd) < 0)
		result_sys(&a->res, m->tmp);
	if (close(a->fd) < 0 && a->res.code == STORE_OK)
		result_sys(&a->res, m->tmp);
	a->fd = -1;
	md_name_new(m->name, m->size, m->wire);
}

/* The message waits to be sent, instead of coming into the folder. */
static void hold(struct append *a)
{
	struct outbox_item *it = outbox_item_new(a->f->f.name, last(a)->name);
	struct message *m = last(a);

	it->flags = m->flags;
	for (size_t i = 0; i < m->nkeywords; i++)
		*vec_push(&it->keywords) = str_dup(m->keywords[i]);
	if (outbox_hold_file(a->st, a->f->files->dir, m->tmp, it) < 0) {
		result_sys(&a->res, m->tmp);
		outbox_item_free(&it);
		return;
	}
	m->tmp[0] = 0;
	a->item = it;
}

static void append_run(struct job *j)
{
	struct append *a = container_of(j, struct append, job);

	if (__atomic_load_n(&a->aborted, __ATOMIC_RELAXED) || a->res.code != STORE_OK) {
		remove_tmp(a);
		return;
	}
	if (!last(a)->tmp[0])
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

	if (a->begun && (!a->ending || a->res.code != STORE_OK))
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

static int put_add(struct op_part *p, struct append *a, struct message *m, bool in_new)
{
	struct rec r = {.type = REC_ADD,
			.uid = m->uid,
			.base = str_c(m->name),
			.flags = m->flags,
			.in_new = in_new,
			.internaldate = m->internaldate,
			.savedate = time(NULL),
			.size = m->size,
			.wire = m->wire};
	uint16_t *kw = xcalloc(m->nkeywords + 1, sizeof *kw);
	int rc = 0;

	for (size_t i = 0; i < m->nkeywords && rc == 0; i++) {
		int number = op_keyword(p, m->keywords[i]);
		if (number < 0)
			rc = result_set(&a->res, STORE_LIMIT, "This folder has too many keywords.");
		kw[i] = (uint16_t)number;
	}
	if (rc == 0)
		op_put_add(p, &r, kw, m->nkeywords);
	free(kw);
	return rc;
}

/* A message with flags goes to cur/. One without goes to new/, unless a read-write session is there to
 * take it at once. */
static int place(struct group *g, struct append *a, struct message *m)
{
	struct op_part *p = &g->op.part[0];
	struct fold *f = p->f;
	bool in_new = !m->flags && !m->nkeywords && !a->cur;
	char to[256];
	struct stat sb;

	md_name_make(str_c(m->name), m->flags, STR_NONE, in_new, to);
	if (m->internaldate == -1)
		m->internaldate = fstatat(f->files->dir, m->tmp, &sb, AT_SYMLINK_NOFOLLOW) == 0 ? sb.st_mtime
												: time(NULL);
	m->uid = op_uid(p);
	if (!m->uid)
		return result_set(&a->res, STORE_LIMIT, "This folder has given its last UID.");
	if (put_add(p, a, m, in_new) < 0)
		return -1;
	if (files_rename_new(f->files->dir, m->tmp, files_fd(f->files, in_new), to) < 0)
		return result_sys(&a->res, m->tmp);
	m->tmp[0] = 0;
	m->placed = true;
	g->in_new |= in_new;
	g->in_cur |= !in_new;
	if (!in_new)
		*vec_push(&p->recent) = m->uid;
	snprintf(m->name, sizeof m->name, "%s/%.250s", in_new ? "new" : "cur", to);
	return 0;
}

static void remove_files(struct append *a)
{
	vec_foreach(m, &a->msgs) {
		if (m->placed)
			unlinkat(a->f->files->dir, m->name, 0);
		m->placed = false;
	}
	remove_tmp(a);
}

/* All messages of one command, or none: what the failed one had begun leaves no record. */
static void place_all(struct group *g, struct append *a)
{
	struct op_part *p = &g->op.part[0];
	struct quota_use u = g->use;
	struct {
		size_t own, recent, new_kw;
		uint32_t uidnext;
		uint64_t modseq;
		uint16_t keywords;
	} before = {p->own.n, p->recent.n, p->new_kw.n, p->uidnext, p->modseq, p->keywords};

	if (quota_counts_folder(a->st, p->f->disk_name))
		vec_foreach(m, &a->msgs) {
			u.bytes += (int64_t)m->size;
			u.count++;
		}
	if (u.count && quota_check_again(a->st, u.bytes, u.count, &a->res) < 0) {
		remove_files(a);
		return;
	}
	g->use = u;
	vec_foreach(m, &a->msgs) {
		if (place(g, a, m) == 0)
			continue;
		buf_cut(&p->own, before.own);
		p->recent.n = before.recent;
		while (p->new_kw.n > before.new_kw)
			free((char *)p->new_kw.a[--p->new_kw.n].p);
		p->uidnext = before.uidnext;
		p->modseq = before.modseq;
		p->keywords = before.keywords;
		remove_files(a);
		return;
	}
}

static void take_back(struct group *g, const struct store_result *r)
{
	list_foreach(e, &g->appends) {
		struct append *a = list_entry(e, struct append, link);
		remove_files(a);
		if (a->res.code == STORE_OK)
			a->res = *r;
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
	g->use = (struct quota_use){0};
	list_foreach(e, &g->appends) {
		struct append *a = list_entry(e, struct append, link);
		if (a->res.code == STORE_OK)
			place_all(g, a);
		else
			remove_tmp(a);
	}
	if ((g->in_cur && files_sync_dir(f, f->files->cur) < 0) ||
	    (g->in_new && files_sync_dir(f, f->files->new) < 0)) {
		result_sys(&op->res, f->disk_name);
		buf_reset(&p->own);
		p->recent.n = 0;
		take_back(g, &op->res);
		return;
	}
	if (op_append(op, p, true) < 0)
		take_back(g, &op->res);
}

static void append_over(struct append *a)
{
	append_done_fn *done = a->done;
	size_t n = a->res.code == STORE_OK ? a->msgs.n : 0;
	uint32_t *uids = xcalloc(n + 1, sizeof *uids);

	for (size_t i = 0; i < n; i++)
		uids[i] = a->msgs.a[i].uid;
	if (a->held) {
		a->held(a->ctx, &a->res, a->item);
		a->item = NULL;
	}
	if (!a->aborted && done)
		done(a->ctx, &a->res, a->f ? a->f->f.uidvalidity : 0, uids, n);
	free(uids);
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
	g->op.counts = true;
	g->op.finish = group_finish;
	g->op.free = group_free;
	a->f->append_op = &g->op;
	op_start(&g->op);
}

/* ---- the loop's half --------------------------------------------------------------------------------- */

static void message_set(struct message *m, const struct append_opts *o)
{
	*m = (struct message){.flags = o->flags & MSG_FLAGS_ALL, .internaldate = o->internaldate};
	m->keywords = xcalloc(o->nkeywords + 1, sizeof *m->keywords);
	for (; m->nkeywords < o->nkeywords; m->nkeywords++)
		m->keywords[m->nkeywords] = str_c(str_dup(o->keywords[m->nkeywords]));
}

static void begin_message(struct append *a, struct message *m)
{
	*vec_push(&a->msgs) = *m;
	*m = (struct message){0};
	a->received = 0;
	a->finish = a->ending = false;
	a->to_lf = (struct crlflf){0};
	a->to_crlf = a->counter = (struct lfcrlf){.keep_nul = true};
}

static bool has_tmp(struct append *a)
{
	vec_foreach(m, &a->msgs)
		if (m->tmp[0])
			return true;
	return false;
}

/* No job is under way: what comes next? */
static void append_step(struct append *a)
{
	if (a->aborted) {
		if (has_tmp(a))
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
	if (a->finish && a->ending) {
		a->announced = a->next_announced;
		begin_message(a, &a->next);
		submit(a);
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
	if (a->in.n || a->committing || a->ending) {
		buf_move(&a->writing, &a->in);
		a->finish = a->committing || a->ending;
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
	struct message m;

	a->st = st;
	a->fd = -1;
	a->announced = o->size;
	a->limit = st->o.set->imap_append_max;
	message_set(&m, o);
	begin_message(a, &m);
	list_init(&a->link);
	a->begun = done;
	a->begun_ctx = ctx;
	a->busy = true;
	fold_get(st, o->folder, false, append_got, a);
	return a;
}

/* What is known of the message at hand when its last byte has come. */
static void end_message(struct append *a)
{
	a->drained = NULL;
	if (a->received > a->limit && a->res.code == STORE_OK)
		a->oversize = true;
	if (a->busy)
		return;
	if (a->res.code == STORE_OK)
		append_step(a);
	else
		submit(a); /* its fault is known: done is called from a job's end, never from here */
}

void append_next(struct append *a, const struct append_opts *o, store_done_fn *done, void *ctx)
{
	ASSERT(!a->committing && !a->ending);
	message_set(&a->next, o);
	a->next_announced = o->size;
	if (o->size > a->limit && a->res.code == STORE_OK)
		a->oversize = true;
	a->begun = done;
	a->begun_ctx = ctx;
	a->ending = true;
	end_message(a);
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
	a->committing = true;
	end_message(a);
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

void append_hold(struct append *a, outbox_held_fn *done, void *ctx)
{
	a->held = done;
	append_commit(a, NULL, ctx);
}
