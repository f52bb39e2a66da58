/* SPDX-License-Identifier: Apache-2.0 */
/* outbox_file: a message that was sent comes into the folder, and leaves its waiting place. */
#include <fcntl.h>
#include <sys/stat.h>

#include "backend/store/outbox_int.h"

struct filing {
	struct op op;
	struct outbox_item *it; /* base, flags and keywords alone */
	struct fold *f;
	char to[256]; /* in cur/ */
	bool linked, moved;
	uint32_t uid;
	struct store *st;
	append_done_fn *done;
	void *ctx;
};

static void filing_free(struct op *op)
{
	struct filing *g = container_of(op, struct filing, op);

	outbox_item_free(&g->it);
	free(g);
}

static const struct msg *msg_by_base(const struct fold *f, const char *base)
{
	for (size_t i = f->f.msgs.n; i > 0; i--)
		if (!(f->f.msgs.a[i - 1].state & MSG_EXPUNGED) &&
		    strcmp(f->f.msgs.a[i - 1].base, base) == 0)
			return &f->f.msgs.a[i - 1];
	return NULL;
}

/* Those that are too many for the folder are left out: the message was sent, and must come into it. */
static uint16_t keywords(struct filing *g, uint16_t kw[REC_KW_MAX])
{
	uint16_t n = 0;

	for (size_t i = 0; i < g->it->keywords.n && n < REC_KW_MAX; i++) {
		int number = op_keyword(&g->op.part[0], str_c(g->it->keywords.a[i]));
		if (number >= 0)
			kw[n++] = (uint16_t)number;
	}
	return n;
}

/* An earlier try came as far as the folder: what may be missing is a keyword. */
static void put_known(struct filing *g, const struct msg *m)
{
	struct rec r = {.type = REC_KEYWORDS, .uid = m->uid};

	g->uid = m->uid;
	r.nadd = keywords(g, r.kw_add);
	if (r.nadd)
		op_put(&g->op.part[0], &r);
}

static void put_new(struct filing *g, const struct stat *st)
{
	struct op_part *p = &g->op.part[0];
	uint16_t kw[REC_KW_MAX], n;
	struct md_name name = {0};
	struct rec r = {.type = REC_ADD,
			.uid = g->uid,
			.base = str_c(g->it->base),
			.flags = g->it->flags,
			.internaldate = st->st_mtime,
			.savedate = time(NULL),
			.size = (uint64_t)st->st_size};

	if (md_name_parse(r.base, &name))
		r.wire = name.wire;
	n = keywords(g, kw);
	op_put_add(p, &r, kw, n);
	*vec_push(&p->recent) = g->uid;
}

/* A link first: the waiting place is left when the journal has the message. */
static int link_message(struct filing *g, const char *from)
{
	const struct folder_files *ff = g->f->files;

	if (linkat(ff->dir, from, ff->cur, g->to, 0) == 0 || errno == EEXIST) {
		g->linked = true;
	} else {
		if (files_rename_new(ff->dir, from, ff->cur, g->to) < 0)
			return result_sys(&g->op.res, from);
		g->moved = true;
	}
	if (md_fsync_dir(ff->cur) < 0)
		return result_sys(&g->op.res, g->f->disk_name);
	return 0;
}

static void take_back(struct filing *g, const char *from)
{
	const struct folder_files *ff = g->f->files;

	if (g->moved)
		files_rename_new(ff->cur, g->to, ff->dir, from);
	else if (g->linked)
		unlinkat(ff->cur, g->to, 0);
}

static void filing_work(struct op *op)
{
	struct filing *g = container_of(op, struct filing, op);
	char from[300], attempt[300];
	const struct msg *known;
	struct stat st;

	if (!op_lock(op))
		return;
	outbox_message_name(from, g->it->base);
	outbox_attempt_name(attempt, g->it->base);
	known = msg_by_base(g->f, g->it->base);
	if (known) {
		put_known(g, known);
	} else if (fstatat(g->f->files->dir, from, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno != ENOENT) /* else another process was quicker */
			result_sys(&op->res, from);
		return;
	} else {
		md_name_make(str_c(g->it->base), g->it->flags, STR_NONE, false, g->to);
		g->uid = op_uid(&op->part[0]);
		if (!g->uid) {
			result_set(&op->res, STORE_LIMIT, "This folder has given its last UID.");
			return;
		}
		if (link_message(g, from) < 0) {
			take_back(g, from);
			return;
		}
		put_new(g, &st);
	}
	if (op_append(op, &op->part[0], true) < 0) {
		take_back(g, from);
		return;
	}
	unlinkat(g->f->files->dir, attempt, 0);
	unlinkat(g->f->files->dir, from, 0);
}

static void filing_finish(struct op *op)
{
	struct filing *g = container_of(op, struct filing, op);
	uint32_t n = op->res.code == STORE_OK && g->uid ? 1 : 0;

	g->done(g->ctx, &op->res, g->f->f.uidvalidity, &g->uid, n);
	fold_put(g->f);
	op_free(op);
}

static void filing_got(void *ctx, const struct store_result *r, struct fold *f)
{
	struct filing *g = ctx;

	if (r->code != STORE_OK) {
		g->done(g->ctx, r, 0, NULL, 0);
		filing_free(&g->op);
		return;
	}
	g->f = f;
	op_init(&g->op, f, NULL);
	g->op.work = filing_work;
	g->op.finish = filing_finish;
	g->op.free = filing_free;
	op_start(&g->op);
}

void outbox_file(struct store *st, const struct outbox_item *it, const char *keyword,
		 append_done_fn *done, void *ctx)
{
	struct filing *g = xcalloc(1, sizeof *g);

	g->it = outbox_item_new(it->folder, it->base);
	g->it->flags = it->flags;
	if (keyword)
		*vec_push(&g->it->keywords) = xstrdup(keyword);
	for (size_t i = 0; i < it->keywords.n; i++)
		*vec_push(&g->it->keywords) = xstrdup(it->keywords.a[i]);
	g->done = done;
	g->ctx = ctx;
	fold_get(st, str_c(it->folder), false, filing_got, g);
}
