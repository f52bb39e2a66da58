/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/imapd/process.h"
#include <malloc.h>
#include <signal.h>
#include <sys/stat.h>
#include "backend/imapd/clockcheck.h"
#include "backend/imapd/outbox.h"
#include "backend/imapd/shell.h"
#include "backend/imapd/telemetry.h"
#include "backend/store/store.h"
#include "common/base/log.h"
#include "common/io/link.h"
#include "common/ipc/session.h"

#define MASTER_QUEUE_MAX 4096
#define ORPHAN_MS 900 /* without a master: the command at hand, BYE, end within a second */
#define SHUTDOWN_MS 4000
#define TIDY_MS 2000 /* after logins and logouts: free pages go back to the kernel */
#define NOTIFY_RETRY_MS 8000
#define LINGER_FOR_EVER 4294967295U
#define FLUSH_MS 10
#define FLUSHES_MAX 50
#define STATE_MS 1000 /* what posthousectl who shows may be so old; short sessions tell nothing */

/* A client's state that the master hasn't heard of. */
struct note {
	struct list link;
	uint32_t conn;
	bool idle;
	struct buf folder;
};

struct process {
	struct imapd im;
	const struct process_opts *o;
	struct link *master;
	unsigned nclients; /* for which on_client_end has not come */
	bool ready;
	bool asked;   /* LEAVE without its answer */
	uint64_t uses; /* connections that it has had */
	bool closing; /* store_close is under way */
	int status;
	struct loop_timer *linger;
	struct loop_timer *flush;
	unsigned flushes;
	struct loop_timer *deadline;
	struct loop_timer *tidy;
	struct loop_timer *state;
	struct list notes;
	struct loop_timer *notify; /* shell mode: look for notifyd again */
};

/* ---- talking to the master -------------------------------------------------------------------- */

static int tell(struct process *p, uint16_t type, struct buf *b)
{
	int rc = p->master ? link_send(p->master, type, b ? buf_str(b) : STR_NONE, NULL, 0) : -1;

	if (b)
		buf_deinit(b);
	return rc;
}

static int tell_conn(struct process *p, uint16_t type, uint32_t conn)
{
	struct buf b = BUF_INIT;

	wire_u32(&b, conn);
	return tell(p, type, &b);
}

static void say_failed(struct process *p, uint16_t type, const struct session_failed *f)
{
	struct buf b = BUF_INIT;

	session_failed_put(&b, f);
	(void)tell(p, type, &b);
}

static void refuse(struct process *p, uint16_t type, uint32_t conn, const char *code,
		   const char *text)
{
	say_failed(p, type, &(struct session_failed){.conn = conn, .code = str_c(code), .text = str_c(text)});
}

/* ---- going ------------------------------------------------------------------------------------ */

/* The last lines of telemetry, if the disk takes them now. */
static void on_flush(void *ctx)
{
	struct process *p = ctx;

	if (telemetry_writing() && p->flushes++ < FLUSHES_MAX)
		loop_timer_set(p->flush, FLUSH_MS);
	else
		loop_stop(p->im.loop);
}

static void on_closed(void *ctx, const struct store_result *r)
{
	struct process *p = ctx;

	if (r->code != STORE_OK)
		LOG(L_WARN, "store-close", L_S("user", p->im.record->user),
		    L_C("error", r->err.text));
	on_flush(p);
}

static void leave(struct process *p)
{
	if (p->closing)
		return;
	p->closing = p->im.leaving = true;
	if (p->ready)
		store_close(p->im.store, on_closed, p);
	else
		loop_stop(p->im.loop);
}

static void on_deadline(void *ctx)
{
	struct process *p = ctx;

	LOG(L_WARN, "left-late", L_S("user", p->im.record->user), L_U("clients", p->nclients));
	_exit(0); /* what was acknowledged is on disk; what waits for a stalled volume may wait for ever */
}

static void end_soon(struct process *p, const char *bye, uint64_t within_ms)
{
	if (p->im.leaving)
		return;
	p->im.leaving = true;
	loop_timer_set(p->deadline, within_ms);
	client_bye_all(&p->im, bye);
	if (p->nclients == 0)
		leave(p);
}

static void on_linger(void *ctx)
{
	struct process *p = ctx;

	if (p->nclients > 0 || p->im.leaving || p->asked)
		return;
	p->asked = tell(p, SESSION_LEAVE, NULL) == 0;
}

static void start_lingering(struct process *p)
{
	const struct settings *set = p->im.set;

	if (set->imapd_uses && p->uses >= set->imapd_uses)
		loop_timer_set(p->linger, 1);
	else if (set->imapd_linger != LINGER_FOR_EVER)
		loop_timer_set(p->linger, set->imapd_linger * 1000 + 1);
}

/* The heap has grown with the last login and command; most of it is free again. */
static void on_tidy(void *ctx)
{
	malloc_trim(0);
}

/* ---- what clients do -------------------------------------------------------------------------- */

static void note_drop(struct note *n)
{
	list_remove(&n->link);
	buf_deinit(&n->folder);
	free(n);
}

static struct note *note_find(struct process *p, uint32_t conn)
{
	list_foreach(e, &p->notes) {
		struct note *n = list_entry(e, struct note, link);

		if (n->conn == conn)
			return n;
	}
	return NULL;
}

static void on_state(void *ctx)
{
	struct process *p = ctx;

	while (!list_empty(&p->notes)) {
		struct note *n = list_entry(p->notes.next, struct note, link);
		struct session_state s = {
			.conn = n->conn, .idle = n->idle, .folder = buf_str(&n->folder)};
		struct buf b = BUF_INIT;

		session_state_put(&b, &s);
		(void)tell(p, SESSION_STATE, &b);
		note_drop(n);
	}
}

static void on_client_state(struct imapd *im, uint32_t conn, bool idle, struct str folder)
{
	struct process *p = container_of(im, struct process, im);
	struct note *n = note_find(p, conn);

	if (!p->master)
		return;
	if (!n) {
		n = xcalloc(1, sizeof *n);
		n->conn = conn;
		list_append(&p->notes, &n->link);
	}
	n->idle = idle;
	buf_reset(&n->folder);
	buf_str_put(&n->folder, folder);
	if (idle)
		loop_timer_set(p->tidy, TIDY_MS);
	if (!loop_timer_active(p->state))
		loop_timer_set(p->state, STATE_MS);
}

static void on_client_end(struct imapd *im, uint32_t conn)
{
	struct process *p = container_of(im, struct process, im);
	struct note *n = note_find(p, conn);

	if (n)
		note_drop(n);
	p->nclients--;
	(void)tell_conn(p, SESSION_ENDED, conn);
	loop_timer_set(p->tidy, TIDY_MS);
	if (p->nclients > 0)
		return;
	if (im->leaving || !p->master)
		leave(p);
	else
		start_lingering(p);
}

/* ---- connections ------------------------------------------------------------------------------ */

static int on_conn(struct process *p, struct link_msg *m)
{
	struct session_conn c;
	struct client_start s;
	struct client *client;

	if (m->nfds < 1 || m->nfds > 2 || !session_conn_get(m->body, &c) || !p->ready)
		return -1;
	/* The master's word is checked against what this process is (B30). */
	if (c.dev != p->o->dev || c.ino != p->o->ino || c.user.n == 0 || c.tag.n == 0) {
		LOG(L_ERROR, "foreign-connection", L_S("user", c.user),
		    L_S("session", c.facts.session));
		refuse(p, SESSION_REFUSED, c.conn, "UNAVAILABLE",
		       "This process serves another mailbox.");
		return 0;
	}
	if (p->im.leaving) {
		refuse(p, SESSION_REFUSED, c.conn, "UNAVAILABLE", "The server is shutting down.");
		return 0;
	}
	if (tell_conn(p, SESSION_ACCEPTED, c.conn) < 0)
		return -1;
	s = (struct client_start){.in_fd = m->fds[0],
				  .out_fd = m->fds[0],
				  .conn = c.conn,
				  .facts = &c.facts,
				  .user = c.user,
				  .tag = c.tag,
				  .verb = c.verb,
				  .unread = c.unread};
	m->fds[0] = -1;
	p->nclients++;
	p->uses++;
	p->asked = false; /* the master denies it */
	loop_timer_stop(p->linger);
	loop_timer_set(p->tidy, TIDY_MS);
	client = client_new(&p->im, &s);
	if (m->nfds == 2) {
		client_telemetry(client, m->fds[1]);
		m->fds[1] = -1;
	}
	return 0;
}

static int on_shutdown(struct process *p, struct str body)
{
	struct wire w = wire_reader(body);
	char text[IPC_TEXT_MAX + 1];
	struct str s = wire_get_str(&w, IPC_TEXT_MAX);

	if (!wire_end(&w))
		return -1;
	snprintf(text, sizeof text, "%.*s", STR_ARG(s));
	end_soon(p, text, SHUTDOWN_MS);
	return 0;
}

static int on_kick(struct process *p, struct str body, void (*end)(struct client *, const char *))
{
	struct wire w = wire_reader(body);
	uint32_t conn = wire_get_u32(&w);
	char text[IPC_TEXT_MAX + 1];
	struct str s = wire_get_str(&w, IPC_TEXT_MAX);
	struct client *c;

	if (!wire_end(&w))
		return -1;
	snprintf(text, sizeof text, "%.*s", STR_ARG(s));
	c = client_find(&p->im, conn);
	if (c)
		end(c, text);
	return 0;
}

static int on_telemetry(struct process *p, struct link_msg *m)
{
	struct wire w = wire_reader(m->body);
	struct client *c = client_find(&p->im, wire_get_u32(&w));

	if (!wire_end(&w) || m->nfds > 1)
		return -1;
	if (c) {
		client_telemetry(c, m->nfds ? m->fds[0] : -1);
		m->fds[0] = -1;
	}
	return 0;
}

static int on_mailer(struct process *p, struct link_msg *m)
{
	struct wire w = wire_reader(m->body);
	uint32_t conn = wire_get_u32(&w);
	int fd = m->nfds == 1 ? m->fds[0] : -1;

	if (!wire_end(&w) || m->nfds > 1)
		return -1;
	if (fd >= 0)
		m->fds[0] = -1;
	outbox_got_link(p->im.outbox, conn, fd);
	return 0;
}

static int want_mailer(struct imapd *im, uint32_t conn)
{
	return tell_conn(container_of(im, struct process, im), SESSION_MAILER_WANTED, conn);
}

static int on_msg(void *ctx, struct link_msg *m)
{
	struct process *p = ctx;

	switch (m->type) {
	case SESSION_CONN:
		return on_conn(p, m);
	case SESSION_LEAVE_GRANTED:
		leave(p);
		return 0;
	case SESSION_LEAVE_DENIED:
		p->asked = false;
		if (p->nclients == 0)
			start_lingering(p);
		return 0;
	case SESSION_NOTIFYD:
		if (m->nfds != 1)
			return -1;
		store_set_notify_link(p->im.store, m->fds[0]);
		m->fds[0] = -1;
		return 0;
	case SESSION_MAILER:
		return on_mailer(p, m);
	case SESSION_SHUTDOWN:
		return m->nfds == 0 ? on_shutdown(p, m->body) : -1;
	case SESSION_KICK:
		return m->nfds == 0 ? on_kick(p, m->body, client_kick) : -1;
	case SESSION_BYE:
		return m->nfds == 0 ? on_kick(p, m->body, client_bye) : -1;
	case SESSION_TELEMETRY:
		return on_telemetry(p, m);
	default:
		return -1;
	}
}

static void on_master_gone(void *ctx, const char *why)
{
	struct process *p = ctx;

	link_free(&p->master);
	if (p->closing)
		return;
	if (!p->im.leaving)
		LOG(L_WARN, "master-gone", L_S("user", p->im.record->user),
		    L_U("clients", p->nclients), L_C("reason", why));
	p->im.leaving = false; /* a shutdown that was under way gets the shorter time, too */
	end_soon(p, "[UNAVAILABLE] The server is restarting, connect again.", ORPHAN_MS);
}

static const struct link_ops master_ops = {.on_msg = on_msg, .on_close = on_master_gone};

/* ---- notifyd ---------------------------------------------------------------------------------- */

static void shell_notify(void *ctx)
{
	struct process *p = ctx;
	int fd = shell_connect_notifyd(p->im.set, p->o->dev, p->o->ino);

	if (fd >= 0)
		store_set_notify_link(p->im.store, fd);
	else
		loop_timer_set(p->notify, NOTIFY_RETRY_MS);
}

static void want_notify_link(void *ctx)
{
	struct process *p = ctx;

	if (p->o->session_fd < 0)
		loop_timer_set(p->notify, NOTIFY_RETRY_MS);
	else
		(void)tell(p, SESSION_NOTIFYD_WANTED, NULL);
}

/* ---- the beginning ---------------------------------------------------------------------------- */

static void on_open(void *ctx, const struct store_result *r)
{
	struct process *p = ctx;

	if (r->code != STORE_OK) {
		LOG(L_ERROR, "store-open", L_S("user", p->im.record->user),
		    L_C("error", r->err.text));
		p->status = 1;
		if (p->o->session_fd < 0)
			shell_fatal(r->err.text);
		refuse(p, SESSION_FAILED, 0, "UNAVAILABLE", r->err.text);
		p->im.leaving = true;
		loop_stop(p->im.loop);
		return;
	}
	p->ready = true;
	outbox_recover(p->im.outbox);
	if (p->im.leaving) { /* the master went meanwhile */
		leave(p);
	} else if (p->o->session_fd < 0) {
		p->nclients++;
		shell_client(&p->im);
	} else {
		(void)tell(p, SESSION_READY, NULL);
		start_lingering(p);
	}
}

static void on_signal(void *ctx, int signo)
{
	end_soon(ctx, "[UNAVAILABLE] The server is shutting down.", SHUTDOWN_MS);
}

static void make_store(struct process *p)
{
	struct store_opts so = {.loop = p->im.loop,
				.jobs = p->im.jobs,
				.set = p->im.set,
				.maildir_fd = p->o->maildir_fd,
				.opaque = p->o->opaque,
				.crash_page = p->o->crash,
				.want_notify_link = want_notify_link,
				.ctx = p};
	char *user = str_dup(p->im.record->user); /* lives as long as the process */

	so.user = user;
	so.quota = str_dup(p->im.record->quota);
	p->im.store = store_new(&so);
	if (p->o->notify_fd >= 0)
		store_set_notify_link(p->im.store, p->o->notify_fd);
	else if (p->o->session_fd < 0)
		loop_timer_set(p->notify, NOTIFY_RETRY_MS);
}

/* ---- the volume's clock, before anything is done there ---------------------------------------- */

struct clock_job {
	struct job job;
	struct process *p;
	int rc;
	struct err err;
};

static void clock_run(struct job *j)
{
	struct clock_job *cj = container_of(j, struct clock_job, job);

	cj->rc = clockcheck(cj->p->o->maildir_fd, cj->p->im.set->imap_clock_skew_max, &cj->err);
}

static void clock_done(struct job *j)
{
	struct clock_job *cj = container_of(j, struct clock_job, job);
	struct process *p = cj->p;

	if (cj->rc == 0) {
		store_open(p->im.store, on_open, p);
		return;
	}
	LOG(L_ERROR, "clock-skew", L_S("user", p->im.record->user), L_C("error", cj->err.text));
	p->status = 1;
	if (p->o->session_fd < 0)
		shell_fatal(CLOCKCHECK_TEXT);
	say_failed(p, SESSION_FAILED, &(struct session_failed){.code = STR("UNAVAILABLE"), .text = STR(CLOCKCHECK_TEXT),
							       .tell = true});
	p->im.leaving = true;
	loop_stop(p->im.loop);
}

static void begin(struct process *p)
{
	static struct clock_job cj;

	make_store(p);
	if (p->im.set->imap_clock_skew_max == 0) {
		store_open(p->im.store, on_open, p);
		return;
	}
	cj = (struct clock_job){.job = {.run = clock_run, .done = clock_done}, .p = p};
	jobs_submit(p->im.jobs, &cj.job);
}

static void set_umask(const struct settings *set)
{
	const char *s = set->imap_umask;
	mode_t mask = 0;

	for (; *s >= '0' && *s <= '7' && mask <= 0777; s++)
		mask = mask * 8 + (mode_t)(*s - '0');
	if (*s || s == set->imap_umask || mask > 0777 || mask & 0600)
		LOG(L_WARN, "umask-unusable", L_C("IMAP_UMASK", set->imap_umask));
	else
		umask(mask);
}

int process_run(const struct process_opts *o)
{
	static struct process p;
	struct loop *l = loop_new();

	p.o = o;
	set_umask(o->set);
	p.im.loop = l;
	p.im.set = o->set;
	p.im.record = o->record;
	p.im.maildir_fd = o->maildir_fd;
	p.im.on_client_end = on_client_end;
	p.im.on_client_state = on_client_state;
	p.im.want_mailer = want_mailer;
	p.im.outbox = outbox_new(&p.im);
	list_init(&p.im.clients);
	p.im.jobs = jobs_new(l, (unsigned)o->set->io_threads);
	p.linger = loop_timer_new(l, on_linger, &p);
	p.flush = loop_timer_new(l, on_flush, &p);
	p.deadline = loop_timer_new(l, on_deadline, &p);
	p.tidy = loop_timer_new(l, on_tidy, &p);
	p.notify = loop_timer_new(l, shell_notify, &p);
	p.state = loop_timer_new(l, on_state, &p);
	list_init(&p.notes);
	loop_signal_new(l, SIGTERM, on_signal, &p);
	loop_signal_new(l, SIGINT, on_signal, &p);
	loop_signal_new(l, SIGHUP, on_signal, &p);
	if (o->session_fd >= 0)
		p.master = link_new(l, o->session_fd, MASTER_QUEUE_MAX, &master_ops, &p);
	begin(&p);
	loop_run(l);
	return p.status;
}
