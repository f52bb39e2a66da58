/* SPDX-License-Identifier: Apache-2.0 */
/* subscribe: courierimapsubscribed, one folder a line (FEATURES.md R140). */
#include "backend/store/foreign.h"
#include "backend/store/store_int.h"

struct subscribe {
	struct store_op op;
	char *name;
	bool on;
	store_done_fn *done;
	void *ctx;
};

static bool has_8bit(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] >= 0x80)
			return true;
	return false;
}

int subscribe_read(struct store *st, struct buf *text, struct err *e)
{
	struct buf raw = BUF_INIT;
	int rc = files_read_whole(st->o.maildir_fd, SUBSCRIBED_NAME, SUBSCRIBED_MAX, &raw, e);

	if (rc < 0 && e->code == ENOENT)
		rc = 0;
	for (struct str rest = buf_str(&raw); rc == 0 && rest.p && rest.n;) {
		struct str line = str_trim(str_split(&rest, '\n'));
		size_t start = text->n;
		folder_name_decode(line, text);
		/* Courier before 5.0 coded its names. "&-" alone proves nothing. */
		if (!st->mutf7 && !has_8bit(str_from(buf_str(text), start))) {
			buf_cut(text, start);
			buf_str_put(text, line);
		}
		buf_putc(text, '\n');
	}
	buf_deinit(&raw);
	return rc;
}

static bool same_folder(struct str line, struct str name)
{
	if (line.n != name.n || line.n < 5)
		return false;
	return str_ieq(str_sub(line, 0, 5), str_sub(name, 0, 5)) && str_eq(str_from(line, 5), str_from(name, 5));
}

static void subscribe_work(struct store_op *op)
{
	struct subscribe *q = container_of(op, struct subscribe, op);
	struct buf old = BUF_INIT, text = BUF_INIT;
	struct str name = str_c(q->name);
	struct err e;
	bool there = false;

	if (subscribe_read(op->st, &old, &e) < 0) {
		result_fail(&op->res, &e);
		goto out;
	}
	for (struct str rest = buf_str(&old); rest.p && rest.n;) {
		struct str line = str_trim(str_split(&rest, '\n'));
		bool same = same_folder(line, name);
		there |= same;
		if (!line.n || (same && !q->on))
			continue;
		buf_str_put(&text, line);
		buf_putc(&text, '\n');
	}
	if (there == q->on)
		goto out;
	if (q->on) {
		buf_str_put(&text, name);
		buf_putc(&text, '\n');
	}
	if (files_write_whole(op->st->o.maildir_fd, SUBSCRIBED_NAME, buf_str(&text), &e) < 0)
		result_fail(&op->res, &e);
	op->folders_changed = op->res.code == STORE_OK;
out:
	buf_deinit(&old);
	buf_deinit(&text);
}

static void subscribe_finish(struct store_op *op)
{
	struct subscribe *q = container_of(op, struct subscribe, op);

	q->done(q->ctx, &op->res);
	free(q->name);
	free(q);
}

void store_subscribe(struct store *st, struct str name, bool on, store_done_fn *done, void *ctx)
{
	struct subscribe *q = xcalloc(1, sizeof *q);

	q->op.res.code = store_name_check(st, name, &q->op.res.err);
	q->name = q->op.res.code == STORE_OK ? names_canonical(name) : xstrdup("");
	q->on = on;
	q->done = done;
	q->ctx = ctx;
	q->op.work = subscribe_work;
	q->op.finish = subscribe_finish;
	store_op_start(st, &q->op);
}
