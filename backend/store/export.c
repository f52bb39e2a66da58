/* SPDX-License-Identifier: Apache-2.0 */
/* export: the way back: what another server needs to go on where we are (FEATURES.md O46, U19). */
#include <fcntl.h>
#include <sys/stat.h>

#include "backend/store/export_int.h"
#include "common/base/fdwrite.h"
#include "common/base/log.h"

/* dir: the folder's; the temporary file lies in its tmp/, where all servers clean up. */
static int write_by_tmp(int dir, int to_dir, const char *name, struct str text)
{
	char tmp[256];
	struct err e;
	int saved, rc = -1;

	if (mkdirat(dir, "tmp", 0700) < 0 && errno != EEXIST)
		return -1;
	int tmp_dir = files_open_dir(dir, "tmp", &e);
	if (tmp_dir < 0) {
		errno = e.code;
		return -1;
	}
	md_name_new(tmp, text.n, text.n);
	int fd = openat(tmp_dir, tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd >= 0) {
		rc = fdwrite_sync(fd, text);
		if (close(fd) < 0)
			rc = -1;
		if (rc == 0)
			rc = renameat(tmp_dir, tmp, to_dir, name);
		saved = errno;
		if (rc < 0)
			unlinkat(tmp_dir, tmp, 0);
		errno = saved;
		if (rc == 0)
			rc = fsync(to_dir);
	}
	saved = errno;
	close(tmp_dir);
	errno = saved;
	return rc;
}

int export_write(struct export *x, int to_dir, const char *name, struct str text)
{
	struct fold *f = x->op.part[0].f;

	return write_by_tmp(f->files->dir, to_dir, name, text) < 0 ? result_sys(&x->op.res, name)
								   : 0;
}

/* ---- a folder ---------------------------------------------------------------------------------------- */

static void export_work(struct op *op)
{
	struct export *x = container_of(op, struct export, op);

	if (x->to == SERVER_DOVECOT && export_dovecot_lock(x) < 0)
		return;
	if (op_lock(op)) {
		struct fold *f = op->part[0].f;
		struct err e;
		int rc = uidtrace_write(f->files->dir, f->f.uidvalidity, disk_uid_ceiling(f->disk),
					&e);
		if (rc < 0)
			result_fail(&op->res, &e);
		else
			rc = x->to == SERVER_DOVECOT ? export_dovecot(x) : export_courier(x);
		if (rc == 0 && !disk_still_locked(f->disk))
			op_lost(op, &op->part[0], "another process took the folder's lock over");
	}
	if (!op->again)
		export_dovecot_unlock(x);
}

static void export_finish(struct op *op)
{
	static const char *const names[] = {"Courier", "Dovecot"};
	struct export *x = container_of(op, struct export, op);
	struct fold *f = op->part[0].f;
	struct store_result res = op->res;
	store_done_fn *done = x->done;
	void *ctx = x->ctx;
	size_t n = f->f.msgs.n - f->f.tombs.n;

	if (res.code == STORE_OK) {
		LOG(L_INFO, "folder_exported", L_C("user", f->f.store->o.user),
		    L_C("folder", f->f.name), L_C("to", names[x->to]),
		    L_U("uidvalidity", f->f.uidvalidity), L_U("messages", n),
		    L_U("keywords_lost", x->lost));
		snprintf(f->said, sizeof f->said, "UIDVALIDITY %u, %zu messages, next UID %u, modseq %llu%s",
			 f->f.uidvalidity, n, f->f.uidnext, (unsigned long long)f->f.modseq,
			 x->lost ? "; it has no room for all keywords" : "");
	}
	op_free(op);
	done(ctx, &res);
}

static void export_free(struct op *op)
{
	free(container_of(op, struct export, op));
}

void folder_export(struct folder *f, enum store_server to, store_done_fn *done, void *ctx)
{
	struct export *x = xcalloc(1, sizeof *x);

	op_init(&x->op, fold_of(f), NULL);
	x->op.work = export_work;
	x->op.finish = export_finish;
	x->op.free = export_free;
	x->to = to;
	x->lock_fd = -1;
	x->done = done;
	x->ctx = ctx;
	op_start(&x->op);
}

const char *folder_said(const struct folder *f)
{
	return fold_of_const(f)->said;
}

/* ---- subscriptions ------------------------------------------------------------------------------------- */

struct subscriptions {
	struct store_op op;
	enum store_server to;
	store_done_fn *done;
	void *ctx;
};

/* The names as the folders of this Maildir are called: only a Courier before 5.0 codes them. */
static void courier_lines(struct str ours, bool mutf7, struct buf *out)
{
	for (struct str rest = ours; rest.p && rest.n;) {
		struct str line = str_trim(str_split(&rest, '\n'));
		char *disk =
			mutf7 && str_starts(line, STR("INBOX.")) ? names_disk(true, line) : NULL;
		if (disk)
			buf_printf(out, "INBOX%s\n", disk);
		else
			buf_printf(out, "%.*s\n", STR_ARG(line));
		free(disk);
	}
}

static void subscriptions_work(struct store_op *op)
{
	struct subscriptions *s = container_of(op, struct subscriptions, op);
	int at = op->st->o.maildir_fd;
	struct buf ours = BUF_INIT, text = BUF_INIT;
	struct err e;

	if (subscribe_read(op->st, &ours, &e) < 0) {
		result_fail(&op->res, &e);
	} else if (s->to == SERVER_DOVECOT) {
		subscriptions_make(buf_str(&ours), op->st->mutf7, &text);
		if (write_by_tmp(at, at, "subscriptions", buf_str(&text)) < 0)
			result_sys(&op->res, "subscriptions");
	} else if (ours.n) {
		courier_lines(buf_str(&ours), op->st->mutf7, &text);
		if (write_by_tmp(at, at, SUBSCRIBED_NAME, buf_str(&text)) < 0)
			result_sys(&op->res, SUBSCRIBED_NAME);
	}
	buf_deinit(&ours);
	buf_deinit(&text);
}

static void subscriptions_finish(struct store_op *op)
{
	struct subscriptions *s = container_of(op, struct subscriptions, op);

	s->done(s->ctx, &op->res);
	free(s);
}

void store_export_subscriptions(struct store *st, enum store_server to, store_done_fn *done,
				void *ctx)
{
	struct subscriptions *s = xcalloc(1, sizeof *s);

	s->op.work = subscriptions_work;
	s->op.finish = subscriptions_finish;
	s->to = to;
	s->done = done;
	s->ctx = ctx;
	store_op_start(st, &s->op);
}
