/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/imapd/outbox.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/imap/reply.h"
#include "common/io/link.h"

#define RESCAN_MS 1000
#define LINK_QUEUE_MAX 4

struct outbox {
	struct imapd *im;
	struct list live; /* struct sending.link */
	struct loop_timer *rescan;
	bool scanning;
};

struct sending {
	struct list link;
	struct outbox *o;
	struct cmd *cmd; /* NULL: of an imapd that died */
	uint32_t conn;
	bool asked; /* the master, for a link */
	struct outbox_item *it;
	struct link *chan;
	struct loop_timer *timer;
	const char *silent; /* why it is, where no verdict came */
	struct outbox_sent r;
	outbox_sent_fn *done;
	void *ctx;
};

/* ---- the end ---------------------------------------------------------------------------------- */

static void over(struct sending *s)
{
	list_remove(&s->link);
	if (s->done)
		s->done(s->ctx, &s->r);
	loop_timer_free(&s->timer);
	outbox_item_free(&s->it);
	free(s);
}

static void on_filed(void *ctx, const struct store_result *r, uint32_t uidvalidity,
		     const uint32_t *uids, size_t n)
{
	struct sending *s = ctx;

	s->r.uidvalidity = uidvalidity;
	s->r.uid = n ? uids[0] : 0;
	if (r->code != STORE_OK) {
		LOG(L_ERROR, "outbox-filing", L_S("user", s->o->im->record->user),
		    L_C("error", r->err.text), L_C("effect", "tried again"));
		s->r.uid = 0;
		loop_timer_set(s->o->rescan, RESCAN_MS);
	}
	over(s);
}

static void on_dropped(void *ctx, const struct store_result *r)
{
	over(ctx);
}

static void file_marked(void *ctx)
{
	struct sending *s = ctx;

	outbox_file(s->o->im->store, s->it,
		    s->r.result == MAILER_FAILED ? OUTBOX_FAILED : OUTBOX_UNKNOWN, on_filed, s);
}

static void conclude(struct sending *s, enum mailer_result result, struct str code, struct str text)
{
	struct store *st = s->o->im->store;

	link_free(&s->chan);
	loop_timer_stop(s->timer);
	s->r.result = result;
	snprintf(s->r.code, sizeof s->r.code, "%.*s", STR_ARG(code));
	snprintf(s->r.text, sizeof s->r.text, "%.*s", STR_ARG(text));
	if (result == MAILER_SENT)
		outbox_file(st, s->it, NULL, on_filed, s);
	else if (result == MAILER_FAILED && s->cmd && s->cmd->c && !s->cmd->c->eof)
		outbox_drop(st, s->it, on_dropped, s);
	else
		outbox_notice(s->o->im, s->it, result, str_c(s->r.text), file_marked, s);
}

/* ---- the mailer ------------------------------------------------------------------------------- */

/* No verdict came on the link, and none will: what is written down? */
static void on_read(void *ctx, const struct store_result *r)
{
	struct sending *s = ctx;
	const struct mailer_verdict *v = &s->it->area.verdict;

	if (r->code == STORE_OK && v->result != MAILER_NONE)
		conclude(s, v->result, v->code, v->text);
	else if (r->code == STORE_OK && !s->it->area.started && !s->silent)
		conclude(s, MAILER_FAILED, STR("UNAVAILABLE"),
			 STR("The mailer died before it was sent."));
	else
		conclude(s, MAILER_UNKNOWN, STR_NONE,
			 s->silent ? str_c(s->silent) : STR("The process that sent it died."));
}

static int on_msg(void *ctx, struct link_msg *m)
{
	struct sending *s = ctx;
	struct mailer_verdict v;

	if (m->type != MAILER_VERDICT || m->nfds != 0 || !mailer_verdict_get(m->body, &v))
		return -1;
	conclude(s, v.result, v.code, v.text);
	return 0;
}

static void on_close(void *ctx, const char *why)
{
	struct sending *s = ctx;

	link_free(&s->chan);
	loop_timer_stop(s->timer);
	outbox_read(s->o->im->store, s->it, on_read, s);
}

static const struct link_ops mailer_ops = {.on_msg = on_msg, .on_close = on_close};

static void on_late(void *ctx)
{
	struct sending *s = ctx;

	if (!s->chan) { /* the master gave no link */
		s->asked = false;
		conclude(s, MAILER_FAILED, STR("UNAVAILABLE"), STR("The mailer can't be reached."));
		return;
	}
	s->silent = "The mailer said nothing in time.";
	link_free(&s->chan);
	outbox_read(s->o->im->store, s->it, on_read, s);
}

void outbox_got_link(struct outbox *o, uint32_t conn, int fd)
{
	struct sending *s = NULL;

	if (o)
		list_foreach(e, &o->live) {
			struct sending *t = list_entry(e, struct sending, link);

			if (!s && t->asked && t->conn == conn)
				s = t;
		}
	if (!s) {
		if (fd >= 0)
			close(fd);
		return;
	}
	s->asked = false;
	if (fd < 0) {
		conclude(s, MAILER_FAILED, STR("UNAVAILABLE"),
			 STR("The mailer is not running, try again."));
		return;
	}
	s->chan = link_new(o->im->loop, fd, LINK_QUEUE_MAX, &mailer_ops, s);
	(void)link_send(s->chan, MAILER_SEND, STR_NONE, (int[]){s->it->message, s->it->attempt}, 2);
}

static struct sending *sending_new(struct outbox *o, struct outbox_item *it)
{
	struct sending *s = xcalloc(1, sizeof *s);

	s->o = o;
	s->it = it;
	list_append(&o->live, &s->link);
	s->timer = loop_timer_new(o->im->loop, on_late, s);
	return s;
}

void outbox_send(struct cmd *cmd, struct outbox_item *it, outbox_sent_fn *done, void *ctx)
{
	struct imapd *im = cmd->im;
	struct sending *s = sending_new(im->outbox, it);

	s->cmd = cmd;
	s->conn = cmd->c->id;
	s->done = done;
	s->ctx = ctx;
	s->asked = true;
	loop_timer_set(s->timer, (im->set->outbox_wait + OUTBOX_GRACE_S) * 1000);
	if (im->want_mailer(im, s->conn) < 0)
		conclude(s, MAILER_FAILED, STR_NONE,
			 STR("This imapd has no server, which would send."));
}

/* ---- what was left ---------------------------------------------------------------------------- */

static bool is_live(const struct outbox *o, const char *base)
{
	list_foreach(e, &o->live)
		if (strcmp(list_entry(e, struct sending, link)->it->base, base) == 0)
			return true;
	return false;
}

static bool looked_after(struct outbox *o, struct outbox_item *it)
{
	bool late = (uint64_t)clock_wall_s() > it->area.deadline + OUTBOX_GRACE_S;
	const struct mailer_verdict *v = &it->area.verdict;
	struct sending *s;

	/* Another imapd of this store may still be there to tell its client. */
	if (v->result != MAILER_SENT && !late)
		return false;
	s = sending_new(o, it);
	if (it->message < 0) { /* it came into the folder */
		outbox_drop(o->im->store, it, on_dropped, s);
		return true;
	}
	LOG(L_WARN, "outbox-left", L_S("user", o->im->record->user), L_C("name", it->base),
	    L_U("started", it->area.started), L_U("verdict", v->result));
	if (v->result != MAILER_NONE)
		conclude(s, v->result, v->code, v->text);
	else if (it->area.started)
		conclude(s, MAILER_UNKNOWN, STR_NONE,
			 STR("The server was interrupted while it was being sent."));
	else
		conclude(s, MAILER_FAILED, STR_NONE,
			 STR("The server was interrupted before it was sent."));
	return true;
}

static void on_scan(void *ctx, const struct store_result *r, struct outbox_item **items, size_t n)
{
	struct outbox *o = ctx;
	bool waits = false;

	o->scanning = false;
	for (size_t i = 0; i < n; i++) {
		if (is_live(o, items[i]->base)) {
			outbox_item_free(&items[i]);
		} else if (!looked_after(o, items[i])) {
			waits = true;
			outbox_item_free(&items[i]);
		}
	}
	if (waits)
		loop_timer_set(o->rescan, RESCAN_MS);
}

static void rescan(void *ctx)
{
	outbox_recover(ctx);
}

void outbox_recover(struct outbox *o)
{
	struct buf name = BUF_INIT;

	if (!o || o->scanning || o->im->leaving)
		return;
	o->scanning = true;
	buf_printf(&name, "INBOX%s", o->im->set->outbox);
	outbox_scan(o->im->store, buf_str(&name), on_scan, o);
	buf_deinit(&name);
}

struct outbox *outbox_new(struct imapd *im)
{
	struct outbox *o;

	if (!*im->set->outbox)
		return NULL;
	o = xcalloc(1, sizeof *o);
	o->im = im;
	list_init(&o->live);
	o->rescan = loop_timer_new(im->loop, rescan, o);
	return o;
}

/* ---- replies ---------------------------------------------------------------------------------- */

enum cmd_next outbox_refuse(struct cmd *cmd, const struct outbox_sent *r)
{
	if (cmd->c)
		LOG(L_WARN, "outbox-refused", L_C("user", cmd->c->user),
		    L_C("session", cmd->c->session), L_C("reason", r->text));
	if (!r->code[0])
		return cmd_no(cmd, "[ALERT] Unable to send E-mail message.");
	return cmd_no(cmd, "[%s] Unable to send E-mail message. %s", r->code, r->text);
}

void outbox_alert(struct cmd *cmd)
{
	buf_puts(
		cmd_out(cmd),
		"* OK [ALERT] It is not known whether the message was sent. It is in the Outbox, and a "
		"message in INBOX says more.\r\n");
}
