/* SPDX-License-Identifier: Apache-2.0 */
/*
 * search: SEARCH and UID SEARCH (RFC 3501 6.4.4). What memory can decide is decided here, turn by
 * turn; the other messages go to the I/O threads in batches.
 */
#include <errno.h>

#include "backend/imapd/box/view.h"
#include "backend/imapd/mimelimits.h"
#include "backend/imapd/search/match.h"
#include "common/base/log.h"

enum { BATCH = 64 };

struct search {
	struct cmd_job job;
	struct cmd *cmd;
	struct search_program prog;
	struct search_matcher *matcher;
	struct folder_files *files;
	uint32_t seq;             /* last message looked at */
	bool few;                 /* only some UIDs need a look ... */
	VEC(uint32_t) among;      /* ... these */
	size_t at;
	struct search_target target[BATCH];
	uint8_t *known;           /* BATCH x leaves */
	size_t n;
	uint64_t modseq[BATCH];   /* of the targets */
	VEC(uint32_t) hits;       /* UIDs */
	uint64_t highest;         /* of their modseqs */
	int error;
};

static cmd_run_fn search_next, batch_end;

static void search_free(struct cmd *cmd)
{
	struct search *s = cmd->state;

	search_matcher_free(&s->matcher);
	search_program_free(&s->prog);
	folder_files_put(&s->files);
	vec_free(&s->hits);
	vec_free(&s->among);
	free(s->known);
	free(s);
}

/* ---- in memory ------------------------------------------------------------------------------------ */

struct looking {
	struct view *view;
	const struct msg *m;
	uint32_t seq;
};

static bool has_keyword(const struct folder *f, const struct msg *m, struct str name)
{
	for (uint16_t i = 0; m->kw && i < m->kw->n; i++)
		if (str_ieq(str_c(f->keywords.a[m->kw->kw[i]]), name))
			return true;
	return false;
}

static int64_t day_of(int64_t seconds)
{
	return seconds >= 0 ? seconds / 86400 : -((-seconds + 86399) / 86400);
}

static enum search_truth memory_leaf(void *ctx, const struct search_node *n)
{
	const struct looking *l = ctx;
	const struct msg *m = l->m;
	int64_t day;

	switch (n->op) {
	case SEARCH_FLAG:
		return (m->flags & n->flags) == n->flags;
	case SEARCH_RECENT:
		return view_is_recent(l->view, m->uid);
	case SEARCH_KEYWORD:
		return has_keyword(view_folder(l->view), m, n->name);
	case SEARCH_NUMBERS:
		return imap_seqset_has(&n->set, l->seq);
	case SEARCH_UIDS:
		return imap_seqset_has(&n->set, m->uid);
	case SEARCH_DATE:
		day = day_of(m->internaldate);
		return day >= n->from && day < n->to;
	case SEARCH_SIZE:
		if (!m->wire && m->size)
			return SEARCH_MAYBE;
		return (int64_t)m->wire > n->from && (int64_t)m->wire < n->to;
	case SEARCH_MODSEQ:
		return (int64_t)m->modseq >= n->from;
	default:
		return SEARCH_MAYBE;
	}
}

/* Keeps what memory says of each leaf for the I/O thread. */
struct noting {
	struct looking l;
	uint8_t *known;
};

static void note_leaves(struct noting *k, const struct search_node *n)
{
	for (const struct search_node *kid = n->kids; kid; kid = kid->next)
		note_leaves(k, kid);
	if (n->op > SEARCH_NOT)
		k->known[n->leaf] = (uint8_t)memory_leaf(&k->l, n);
}

static void hit(struct search *s, uint32_t uid, uint64_t modseq)
{
	*vec_push(&s->hits) = uid;
	if (modseq > s->highest)
		s->highest = modseq;
}

/* ---- batches ---------------------------------------------------------------------------------------- */

static void batch_run(struct cmd *cmd)
{
	struct search *s = cmd->state;

	for (size_t i = 0; i < s->n; i++)
		search_match(s->matcher, &s->target[i]);
}

static enum cmd_next batch_submit(struct cmd *cmd)
{
	struct search *s = cmd->state;

	return cmd_submit(cmd, &s->job, batch_run, batch_end);
}

static void batch_add(struct search *s, const struct looking *l)
{
	struct search_target *t = &s->target[s->n];
	struct noting k = {.l = *l, .known = s->known + s->n * s->prog.leaves};

	*t = (struct search_target){.known = k.known};
	note_leaves(&k, s->prog.root);
	s->modseq[s->n] = l->m->modseq;
	msg_ref_fill(view_folder(l->view), l->m, s->files, &t->ref);
	s->n++;
}

static enum cmd_next batch_end(struct cmd *cmd)
{
	struct search *s = cmd->state;
	struct folder *f = view_folder(cmd->view);

	for (size_t i = 0; i < s->n; i++) {
		struct search_target *t = &s->target[i];
		if (t->wire)
			folder_learn_wire(f, t->ref.uid, t->wire);
		if (t->hit)
			hit(s, t->ref.uid, s->modseq[i]);
		if (t->error == ENOENT)
			folder_suspect(f, t->ref.uid);
		else if (t->error)
			s->error = t->error;
	}
	s->n = 0;
	return search_next(cmd);
}

/* ---- the command -------------------------------------------------------------------------------------- */

static enum cmd_next search_answer(struct cmd *cmd)
{
	struct search *s = cmd->state;
	struct buf *out = cmd_out(cmd);

	if (s->error) {
		LOG(L_WARN, "search could not read every message", L_C("user", cmd->c->user),
		    L_C("folder", view_folder(cmd->view)->name), L_C("error", strerror(s->error)));
		return cmd_no(cmd, "[UNAVAILABLE] Some messages could not be read");
	}
	size_t shown_n = 0;
	buf_puts(out, "* SEARCH");
	for (size_t i = 0; i < s->hits.n; i++) {
		uint32_t shown = cmd->uid ? s->hits.a[i] : view_seq_of_uid(cmd->view, s->hits.a[i]);
		if (!shown)
			continue;
		buf_putc(out, ' ');
		buf_u64(out, shown);
		shown_n++;
	}
	if (s->prog.modseq && shown_n)
		buf_printf(out, " (MODSEQ %llu)", (unsigned long long)s->highest);
	buf_puts(out, "\r\n");
	return cmd_ok(cmd, "SEARCH done.");
}

/* The next message to look at; 0: there are no more. */
static uint32_t next_number(struct search *s)
{
	uint32_t seq = 0;

	if (!s->few)
		return s->seq < view_exists(s->cmd->view) ? ++s->seq : 0;
	while (!seq && s->at < s->among.n)
		seq = view_seq_of_uid(s->cmd->view, s->among.a[s->at++]);
	return seq;
}

static void note_changed(void *ctx, size_t index)
{
	struct search *s = ctx;

	*vec_push(&s->among) = view_folder(s->cmd->view)->msgs.a[index].uid;
}

/* A MODSEQ that all results must have costs what has changed, not the folder (P11). */
static void look_at_few(struct search *s)
{
	for (const struct search_node *n = s->prog.root->kids; n && !s->few; n = n->next) {
		if (n->op != SEARCH_MODSEQ || n->from <= 0)
			continue;
		folder_changed_since(view_folder(s->cmd->view), (uint64_t)n->from - 1, note_changed, s);
		s->few = true;
	}
}

static enum cmd_next search_next(struct cmd *cmd)
{
	struct search *s = cmd->state;
	struct folder *f = view_folder(cmd->view);
	uint32_t seq;

	for (;;) {
		if (s->n == BATCH)
			return batch_submit(cmd);
		if (cmd_tired(cmd))
			return cmd_then(cmd, search_next, CMD_YIELD);
		seq = next_number(s);
		if (!seq)
			break;
		struct looking l = {cmd->view, &f->msgs.a[view_index(cmd->view, seq)], seq};
		if (l.m->state & MSG_EXPUNGED)
			continue;
		enum search_truth t = search_eval(s->prog.root, memory_leaf, &l);
		if (t == SEARCH_MAYBE)
			batch_add(s, &l);
		else if (t == SEARCH_YES && s->n) /* in order behind those that are being looked at */
			batch_add(s, &l);
		else if (t == SEARCH_YES)
			hit(s, l.m->uid, l.m->modseq);
	}
	return s->n ? batch_submit(cmd) : search_answer(cmd);
}

/* '*' and UIDs mean what the client sees now. */
static void resolve_sets(struct cmd *cmd, struct search_program *p)
{
	for (size_t i = 0; i < p->nsets; i++) {
		struct search_node *n = p->sets[i];
		imap_seqset_resolve(&n->set, n->op == SEARCH_UIDS ? view_max_uid(cmd->view)
								 : view_exists(cmd->view));
	}
}

/* VANISHED must not come while a UID SEARCH speaks of message numbers (RFC 7162 3.2.10.2). */
static bool has_numbers(const struct search_program *p)
{
	for (size_t i = 0; i < p->nsets; i++)
		if (p->sets[i]->op == SEARCH_NUMBERS)
			return true;
	return false;
}

static bool numbers_exist(struct cmd *cmd, const struct search_program *p)
{
	for (size_t i = 0; i < p->nsets; i++)
		if (p->sets[i]->op == SEARCH_NUMBERS &&
		    imap_seqset_max(&p->sets[i]->set) > view_exists(cmd->view))
			return false;
	return true;
}

enum cmd_next search_start(struct cmd *cmd)
{
	struct search *s = xcalloc(1, sizeof *s);
	const char *why;

	s->cmd = cmd;
	cmd->state = s;
	cmd->on_free = search_free;
	switch (search_program_parse(cmd, cmd->args, &s->prog, &why)) {
	case SEARCH_BAD:
		return cmd_bad(cmd, "%s", why);
	case SEARCH_LIMIT:
		return cmd_no(cmd, "[LIMIT] %s", why);
	case SEARCH_BADCHARSET:
		return cmd_no(cmd, "[BADCHARSET] The requested character set is not supported.");
	case SEARCH_PARSED:
		break;
	}
	if (s->prog.modseq)
		client_enable(cmd->c, false);
	look_at_few(s);
	resolve_sets(cmd, &s->prog);
	if (!numbers_exist(cmd, &s->prog))
		return cmd_bad(cmd, "A message number is beyond the folder's end");
	cmd->numbers = cmd->c->qresync && has_numbers(&s->prog);
	struct mime_limits limits = mime_limits_of(cmd->im->set);
	s->matcher = search_matcher_new(&s->prog, &limits, cmd->im->store);
	s->known = xcalloc(BATCH, s->prog.leaves + 1);
	s->files = folder_files_get(view_folder(cmd->view));
	return search_next(cmd);
}
