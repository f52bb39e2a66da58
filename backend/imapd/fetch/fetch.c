/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch: FETCH and UID FETCH (RFC 3501 6.4.5). What is in memory is answered here, turn by turn; what
 * needs a file goes to the I/O threads in batches, which write the answers themselves (emit.c). \Seen
 * is set before the batch is read, so that its answers can tell it.
 */
#include "backend/imapd/fetch/emit.h"
#include "backend/imapd/box/vanished.h"
#include "backend/imapd/box/view.h"
#include "backend/imapd/mimelimits.h"
#include "common/base/log.h"
#include "common/imap/imapdate.h"

enum { BATCH = 64, BATCH_BYTES = 1 << 20 };

struct fetch {
	struct cmd_job job;
	struct cmd *cmd;
	struct fetch_plan plan;
	struct uids uids;
	size_t next;              /* of uids */
	struct vanished vanished;
	struct folder_files *files;
	struct arena arena;       /* heads of the batch */
	struct fetch_target target[BATCH];
	bool flag[BATCH];         /* its \Seen was set by this FETCH: tell FLAGS */
	size_t n;
	struct fetch_run run;
	bool emitted;             /* the batch is done */
	bool gone;
	int error;                /* of a file that could not be read */
};

static cmd_run_fn fetch_next, batch_ready, batch_emitted, batch_submit;

static void fetch_free(struct cmd *cmd)
{
	struct fetch *f = cmd->state;

	fetch_run_close(&f->run);
	arena_deinit(&f->arena);
	folder_files_put(&f->files);
	vanished_free(&f->vanished);
	free(f);
}

/* ---- what is in memory -------------------------------------------------------------------------- */

static void item(struct buf *out, bool *had, const char *name)
{
	if (*had)
		buf_putc(out, ' ');
	*had = true;
	buf_puts(out, name);
}

/* "* 5 FETCH (UID 7 FLAGS (\Seen)" without the end. news: \Seen was set just now. */
static void put_head(struct fetch *f, struct buf *out, const struct msg *m, uint32_t seq, bool news, bool *had)
{
	struct view *v = f->cmd->view;
	bool flags = f->plan.flags || news;

	news = news && f->cmd->c->condstore; /* then it goes with UID and MODSEQ (RFC 7162 3.2.4) */

	*had = false;
	buf_puts(out, "* ");
	buf_u64(out, seq);
	buf_puts(out, " FETCH (");
	if (f->plan.uid || news) {
		item(out, had, "UID ");
		buf_u64(out, m->uid);
	}
	if (flags) {
		item(out, had, "FLAGS ");
		view_put_flags(v, m, out);
		view_flags_told(v, m->uid);
	}
	if (f->plan.modseq || news) {
		item(out, had, "");
		view_put_modseq(v, m, out);
	}
	if (f->plan.internaldate) {
		item(out, had, "INTERNALDATE ");
		imap_datetime_put(out, m->internaldate, 0);
	}
	if (f->plan.size && m->wire) {
		item(out, had, "RFC822.SIZE ");
		buf_u64(out, m->wire);
	}
}

static const struct msg *find(struct fetch *f, uint32_t uid, uint32_t *seq)
{
	struct folder *fo = view_folder(f->cmd->view);
	size_t i = folder_find(fo, uid);

	if (i == fo->msgs.n || fo->msgs.a[i].uid != uid)
		return NULL;
	*seq = view_seq(f->cmd->view, i);
	return *seq ? &fo->msgs.a[i] : NULL;
}

static bool needs_file(const struct fetch *f, const struct msg *m)
{
	return f->plan.nitems || (f->plan.size && !m->wire);
}

static void put_memory(struct fetch *f, const struct msg *m, uint32_t seq)
{
	struct buf *out = cmd_out(f->cmd);
	bool had;

	put_head(f, out, m, seq, false, &had);
	buf_puts(out, ")\r\n");
}

/* ---- batches for the I/O threads ------------------------------------------------------------------ */

static void batch_run(struct cmd *cmd)
{
	struct fetch *f = cmd->state;

	f->emitted = fetch_emit(&f->run);
}

static enum cmd_next batch_submit(struct cmd *cmd)
{
	struct fetch *f = cmd->state;

	return cmd_submit(cmd, &f->job, batch_run, batch_emitted);
}

/* Looks at what the threads found out about the messages. False: the connection has to go. */
static bool batch_harvest(struct fetch *f)
{
	struct folder *fo = view_folder(f->cmd->view);

	for (size_t i = 0; i < f->n; i++) {
		struct fetch_target *t = &f->target[i];
		if (t->wire)
			folder_learn_wire(fo, t->ref.uid, t->wire);
		if (t->fault == FETCH_GONE) {
			f->gone = true;
			folder_suspect(fo, t->ref.uid);
		} else if (t->fault == FETCH_NOREAD) {
			f->error = t->error;
			LOG(L_WARN, "unreadable message", L_C("user", f->cmd->c->user), L_C("folder", fo->name),
			    L_U("uid", t->ref.uid), L_C("file", t->ref.name), L_C("error", strerror(t->error)));
		} else if (t->fault == FETCH_CHANGED) {
			LOG(L_WARN, "message changed while it was sent", L_C("user", f->cmd->c->user),
			    L_C("folder", fo->name), L_U("uid", t->ref.uid), L_C("file", t->ref.name));
			return false;
		}
	}
	return true;
}

/* An answer that was taken back may have been counted. */
static void count_bytes(struct client *c, struct fetch_run *r)
{
	size_t headers = r->header_bytes < r->out.n ? r->header_bytes : r->out.n;

	c->headers += headers;
	c->bodies += r->out.n - headers;
	r->header_bytes = 0;
}

static enum cmd_next batch_emitted(struct cmd *cmd)
{
	struct fetch *f = cmd->state;
	struct buf *out = cmd_out(cmd);

	count_bytes(cmd->c, &f->run);
	if (out->n == 0)
		buf_move(out, &f->run.out);
	else
		buf_str_put(out, buf_str(&f->run.out));
	buf_reset(&f->run.out);
	if (!f->emitted)
		return cmd_full(cmd) ? cmd_then(cmd, batch_submit, CMD_FULL) : batch_submit(cmd);
	if (!batch_harvest(f)) {
		conn_finish(cmd->c->conn, 0);
		return cmd_no(cmd, "[UNAVAILABLE] The message changed while it was sent");
	}
	return cmd_then(cmd, fetch_next, CMD_YIELD);
}

static enum cmd_next batch_ready(struct cmd *cmd)
{
	struct fetch *f = cmd->state;
	struct buf head = BUF_INIT;
	size_t n = 0;

	for (size_t i = 0; i < f->n; i++) {
		struct fetch_target *t = &f->target[i];
		uint32_t seq;
		const struct msg *m = find(f, t->ref.uid, &seq);
		if (!m || (m->state & MSG_EXPUNGED && needs_file(f, m))) {
			f->gone = true;
			continue;
		}
		struct fetch_target *to = &f->target[n++];
		uint32_t uid = t->ref.uid;
		*to = (struct fetch_target){.need_size = f->plan.size && !m->wire};
		msg_ref_fill(view_folder(cmd->view), m, f->files, &to->ref);
		ASSERT(to->ref.uid == uid);
		buf_reset(&head);
		put_head(f, &head, m, seq, f->flag[i], &to->had_item);
		to->head = arena_str(&f->arena, buf_str(&head));
	}
	f->n = n;
	buf_deinit(&head);
	f->run.targets = f->target;
	f->run.n = n;
	f->run.at = 0;
	return batch_submit(cmd);
}

/* Takes the next messages, and sets \Seen of those that lack it. */
static enum cmd_next batch_begin(struct cmd *cmd)
{
	struct fetch *f = cmd->state;
	uint32_t unseen[BATCH];
	size_t nunseen = 0;
	uint64_t bytes = 0;
	bool set = f->plan.seen && view_writable(cmd->view);

	arena_reset(&f->arena);
	for (f->n = 0; f->n < BATCH && f->next < f->uids.n && bytes < BATCH_BYTES; f->next++) {
		uint32_t seq;
		const struct msg *m = find(f, f->uids.a[f->next], &seq);
		if (!m || m->state & MSG_EXPUNGED) {
			f->gone = true;
			continue;
		}
		bytes += m->size;
		f->flag[f->n] = set && !(m->flags & MSG_SEEN);
		if (f->flag[f->n])
			unseen[nunseen++] = m->uid;
		f->target[f->n++].ref.uid = m->uid;
	}
	if (!nunseen)
		return batch_ready(cmd);
	struct flags_request q = {.uids = unseen,
				  .n = nunseen,
				  .mode = FLAGS_ADD,
				  .flags = MSG_SEEN,
				  .origin = cmd->view,
				  .silent = true};
	cmd_wait(cmd);
	folder_flags(view_folder(cmd->view), &q, cmd_stored, cmd);
	return cmd_then(cmd, batch_ready, CMD_WAIT);
}

/* ---- the command ----------------------------------------------------------------------------------- */

static enum cmd_next fetch_end(struct cmd *cmd)
{
	struct fetch *f = cmd->state;

	if (f->error)
		return cmd_no(cmd, "[UNAVAILABLE] Some messages could not be read");
	if (f->gone)
		return cmd_no(cmd, "[EXPUNGEISSUED] Some of the messages no longer exist");
	return cmd_ok(cmd, "FETCH completed.");
}

static enum cmd_next fetch_next(struct cmd *cmd)
{
	struct fetch *f = cmd->state;

	for (; f->next < f->uids.n; f->next++) {
		uint32_t seq;
		const struct msg *m;
		if (cmd_full(cmd))
			return cmd_then(cmd, fetch_next, CMD_FULL);
		if (cmd_tired(cmd))
			return cmd_then(cmd, fetch_next, CMD_YIELD);
		m = find(f, f->uids.a[f->next], &seq);
		if (!m) {
			f->gone = true;
			continue;
		}
		if (needs_file(f, m))
			return batch_begin(cmd);
		put_memory(f, m, seq);
	}
	return fetch_end(cmd);
}

static enum cmd_next tell_vanished(struct cmd *cmd)
{
	struct fetch *f = cmd->state;

	do {
		if (cmd_full(cmd))
			return cmd_then(cmd, tell_vanished, CMD_FULL);
	} while (vanished_put(&f->vanished, cmd_out(cmd)));
	return fetch_next(cmd);
}

/* '*' is the last UID that was given here, though its message may be the one that went. */
static void find_vanished(struct fetch *f, struct imap_seqset *set)
{
	imap_seqset_resolve(set, view_folder(f->cmd->view)->uidnext - 1);
	vanished_find(&f->vanished, f->cmd->view, f->plan.changed_since, set, 0);
}

/* Takes set and items. False: BAD was said. */
static bool take_args(struct cmd *cmd, struct fetch_plan *plan, struct uids *uids)
{
	const struct imap_arg *a = cmd->args;
	struct imap_seqset set = IMAP_SEQSET_INIT;
	const char *bad;
	bool ok = false;

	if (!cmd_parse_set(cmd, &a, &set))
		return false;
	bad = fetch_plan_parse(cmd, a, plan);
	if (bad)
		cmd_bad(cmd, "%s", bad);
	else if (plan->changed)
		ok = cmd_resolve_changed(cmd, &set, plan->changed_since, uids);
	else
		ok = cmd_resolve_set(cmd, &set, uids);
	imap_seqset_deinit(&set);
	return ok;
}

enum cmd_next fetch_start(struct cmd *cmd)
{
	struct fetch_plan plan;
	struct uids uids;

	if (!take_args(cmd, &plan, &uids))
		return CMD_DONE;
	if (plan.modseq)
		client_enable(cmd->c, false);

	struct fetch *f = xcalloc(1, sizeof *f);
	f->cmd = cmd;
	f->plan = plan;
	f->uids = uids;
	f->files = folder_files_get(view_folder(cmd->view));
	f->run = (struct fetch_run){
		.plan = &f->plan, .limits = mime_limits_of(cmd->im->set), .store = cmd->im->store, .fd = -1};
	cmd->state = f;
	cmd->on_free = fetch_free;
	if (plan.vanished) {
		const struct imap_arg *a = cmd->args;
		struct imap_seqset set = IMAP_SEQSET_INIT;

		if (cmd_parse_set(cmd, &a, &set)) /* as before; this time for UIDs without a message */
			find_vanished(f, &set);
		imap_seqset_deinit(&set);
	}
	return tell_vanished(cmd);
}
