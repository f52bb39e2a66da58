/* SPDX-License-Identifier: Apache-2.0 */
/* child: an imapd, from the pool to its end, and the sessions that it serves. */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include "backend/master/master.h"
#include "common/base/clock.h"
#include "common/base/log.h"

#define CHILD_QUEUE_MAX 1024
#define EXIT_STATUS_WAIT_MS 1000
#define TRIES_MAX 2 /* imapds that may end under a login */

static void child_end(struct child *p);

/* ---- sessions --------------------------------------------------------------------------------- */

static char *put_text(char *at, struct str s)
{
	memcpy(at, s.p, s.n);
	at[s.n] = '\0';
	return at + s.n + 1;
}

static void session_begin(struct child *p, struct login *g)
{
	struct session *s = xcalloc(1, sizeof *s);
	const struct session_facts *f = &g->facts;
	char *id, *rip;

	s->facts = xmalloc(f->protocol.n + f->session.n + f->rip.n + 3);
	s->protocol = s->facts;
	id = put_text(s->facts, f->protocol);
	s->id = id;
	rip = put_text(id, f->session);
	s->rip = rip;
	(void)put_text(rip, f->rip);
	s->rport = f->rport;
	s->tls = f->tls;
	s->conn = g->conn;
	s->user = g->user; /* its count goes over to the session */
	s->since = clock_wall_s();
	s->begun_ms = f->begun_ms;
	s->telemetry = g->telemetry;
	list_append(&p->sessions, &s->link);
	p->nsessions++;
	LOG(L_DEBUG, "login", L_S("user", g->record.user), L_S("session", f->session),
	    L_S("rip", f->rip), L_U("rport", f->rport), L_S("protocol", f->protocol),
	    L_U("tls", f->tls), L_I("imapd", p->pid));
	/* The news overtook the login on its way to imapd. */
	if (kick_too_late(p->m, s->user->name, s->begun_ms))
		kick_session(p, s, KICK_REVOKED);
	cyrus_begun(p, s);
}

static void session_end(struct child *p, struct session *s)
{
	list_remove(&s->link);
	p->nsessions--;
	users_put(p->m, s->user);
	free(s->facts);
	free(s->folder);
	free(s);
}

static struct session *session_find(struct child *p, uint32_t conn)
{
	list_foreach(e, &p->sessions) {
		struct session *s = list_entry(e, struct session, link);

		if (s->conn == conn)
			return s;
	}
	return NULL;
}

static struct login *sent_find(struct child *p, uint32_t conn)
{
	list_foreach(e, &p->sent) {
		struct login *g = list_entry(e, struct login, at);

		if (g->conn == conn)
			return g;
	}
	return NULL;
}

/* ---- what imapd says -------------------------------------------------------------------------- */

static bool one_u32(struct str body, uint32_t *out)
{
	struct wire w = wire_reader(body);

	*out = wire_get_u32(&w);
	return wire_end(&w);
}

static int on_accepted(struct child *p, struct str body)
{
	uint32_t conn;
	struct login *g;
	struct storent *s = p->store;

	if (!one_u32(body, &conn))
		return -1;
	g = sent_find(p, conn);
	if (!g) /* its deadline passed, and its socket was shut down */
		return 0;
	session_begin(p, g);
	list_remove(&g->at);
	s->logins--;
	login_taken(g);
	return 0;
}

static int on_refused(struct child *p, struct str body)
{
	struct session_failed f;
	struct login *g;
	char code[64], text[IPC_TEXT_MAX + 1];

	if (!session_failed_get(body, &f))
		return -1;
	g = sent_find(p, f.conn);
	if (!g)
		return 0;
	g->sent = false; /* imapd hasn't touched it */
	snprintf(code, sizeof code, "%.*s", STR_ARG(f.code));
	snprintf(text, sizeof text, "%.*s", STR_ARG(f.text));
	login_refuse(g, code, text, text);
	return 0;
}

static int on_failed(struct child *p, struct str body)
{
	struct session_failed f;
	char code[64], text[IPC_TEXT_MAX + 1];

	if (!session_failed_get(body, &f) || p->state != CHILD_OPENING)
		return -1;
	snprintf(code, sizeof code, "%.*s", STR_ARG(f.code));
	snprintf(text, sizeof text, "%.*s", STR_ARG(f.text));
	p->state = CHILD_LEAVING;
	store_refuse_all(p->store, f.code.n ? code : "UNAVAILABLE",
			 f.tell ? text : "The mailbox can't be opened; the server's log says why.", text);
	return 0;
}

static int on_leave(struct child *p)
{
	bool wanted = p->store->logins > 0;

	if (p->state != CHILD_SERVING)
		return -1;
	if (!wanted)
		p->state = CHILD_LEAVING;
	return link_send(p->chan, wanted ? SESSION_LEAVE_DENIED : SESSION_LEAVE_GRANTED, STR_NONE,
			 NULL, 0);
}

static int on_state(struct child *p, struct str body)
{
	struct session_state st;
	struct session *s;

	if (!session_state_get(body, &st))
		return -1;
	s = session_find(p, st.conn);
	if (!s)
		return 0;
	s->idle = st.idle;
	free(s->folder);
	s->folder = st.folder.n ? str_dup(st.folder) : NULL;
	return 0;
}

static int on_ended(struct child *p, struct str body)
{
	uint32_t conn;
	struct session *s;

	if (!one_u32(body, &conn))
		return -1;
	s = session_find(p, conn);
	if (s)
		session_end(p, s);
	return 0;
}

/* Whose message it is, is not imapd's to say: the connection's account, as its ticket named it. */
static int on_mailer_wanted(struct child *p, struct str body)
{
	uint32_t conn;
	const struct session *s;

	if (!one_u32(body, &conn))
		return -1;
	s = session_find(p, conn);
	mailhouse_link(p->m->mailhouse, p, conn, s ? s->user->name : STR_NONE);
	return 0;
}

static int on_msg(void *ctx, struct link_msg *m)
{
	struct child *p = ctx;

	if (m->nfds != 0 || !p->store)
		return -1;
	switch (m->type) {
	case SESSION_READY:
		if (p->state != CHILD_OPENING)
			return -1;
		p->state = CHILD_SERVING;
		store_advance(p->store);
		return 0;
	case SESSION_FAILED:
		return on_failed(p, m->body);
	case SESSION_ACCEPTED:
		return on_accepted(p, m->body);
	case SESSION_REFUSED:
		return on_refused(p, m->body);
	case SESSION_ENDED:
		return on_ended(p, m->body);
	case SESSION_LEAVE:
		return on_leave(p);
	case SESSION_NOTIFYD_WANTED:
		notifier_want(p->m->notifier, p);
		return 0;
	case SESSION_MAILER_WANTED:
		return on_mailer_wanted(p, m->body);
	case SESSION_STATE:
		return on_state(p, m->body);
	default:
		return -1;
	}
}

/* ---- the end ---------------------------------------------------------------------------------- */

static void on_grace(void *ctx)
{
	child_end(ctx);
}

static void on_close(void *ctx, const char *why)
{
	struct child *p = ctx;

	link_free(&p->chan);
	if (!p->store) {
		pool_gone(p->m->pool, p);
		return;
	}
	if (p->state != CHILD_LEAVING)
		LOG(L_DEBUG, "imapd-link", L_I("imapd", p->pid), L_C("reason", why));
	p->opening = p->state == CHILD_OPENING;
	p->state = CHILD_DEAD;
	if (p->exited) {
		child_end(p);
		return;
	}
	p->grace = loop_timer_new(p->m->loop, on_grace, p);
	loop_timer_set(p->grace, EXIT_STATUS_WAIT_MS);
}

static const struct link_ops child_ops = {.on_msg = on_msg, .on_close = on_close};

void child_exited(struct child *p, int status)
{
	p->exited = true;
	p->status = status;
	if (!p->chan && p->store)
		child_end(p); /* else what it had still said is read first */
}

static void log_end(const struct child *p)
{
	struct str user = STR_NONE;

	if (!list_empty(&p->sessions))
		user = list_entry(p->sessions.next, struct session, link)->user->name;
	else if (!list_empty(&p->sent))
		user = list_entry(p->sent.next, struct login, at)->record.user;
	if (WIFSIGNALED(p->status))
		LOG(L_ERROR, "imapd-crashed", L_I("imapd", p->pid), L_S("user", user),
		    L_U("uid", p->uid), L_I("signal", WTERMSIG(p->status)),
		    L_C("name", strsignal(WTERMSIG(p->status))), L_U("sessions", p->nsessions));
	else if (WEXITSTATUS(p->status) != 0)
		LOG(L_ERROR, "imapd-failed", L_I("imapd", p->pid), L_S("user", user),
		    L_U("uid", p->uid), L_I("status", WEXITSTATUS(p->status)),
		    L_U("sessions", p->nsessions));
}

/* Logins that imapd hadn't taken go back to the store, once; those that waited for it to open the
 * store have had their try, too. */
static void give_back(struct child *p)
{
	struct storent *s = p->store;
	struct list gone;

	list_init(&gone);
	list_foreach(e, &s->waiting)
		list_entry(e, struct login, at)->tries += p->opening;
	while (!list_empty(&p->sent)) {
		struct login *g = list_entry(p->sent.next, struct login, at);

		list_remove(&g->at);
		g->sent = false;
		g->tries++;
		s->m->count.retried++;
		list_append(&s->waiting, &g->at);
	}
	list_foreach(e, &s->waiting) {
		struct login *g = list_entry(e, struct login, at);

		if (g->tries < TRIES_MAX)
			continue;
		list_remove(&g->at);
		list_append(&gone, &g->at);
	}
	while (!list_empty(&gone))
		login_refuse(list_entry(gone.next, struct login, at), "UNAVAILABLE",
			     "The mailbox can't be served now, try again later.",
			     "imapd ended twice before it served");
}

static void child_end(struct child *p)
{
	struct storent *s = p->store;
	struct master *m = p->m;

	if (p->exited) {
		log_end(p);
		if (WIFSIGNALED(p->status)) {
			m->count.crashed++;
			crash_note(m, s, p->crash_fd, WTERMSIG(p->status));
		}
	}
	s->logins++; /* keeps the entry */
	give_back(p);
	s->proc = NULL;
	s->logins--;
	child_free(&p);
	store_advance(s);
	if (m->stopping && m->nprocs == 0)
		loop_stop(m->loop);
}

void child_free(struct child **pp)
{
	struct child *p = *pp;

	if (!p)
		return;
	while (!list_empty(&p->sessions))
		session_end(p, list_entry(p->sessions.next, struct session, link));
	if (p->store)
		p->m->nprocs--;
	notifier_forget(p->m->notifier, p);
	list_remove(&p->link);
	loop_timer_free(&p->grace);
	link_free(&p->chan);
	if (p->crash_fd >= 0)
		close(p->crash_fd);
	pool_forget(p->m->pool, p);
	free(p->home);
	free(p);
	*pp = NULL;
}

/* ---- what the master says --------------------------------------------------------------------- */

struct child *child_new(struct master *m, pid_t pid, int fd)
{
	struct child *p = xcalloc(1, sizeof *p);

	p->m = m;
	p->pid = pid;
	p->crash_fd = -1;
	list_init(&p->link);
	list_init(&p->of_notifier);
	list_init(&p->sent);
	list_init(&p->sessions);
	p->chan = link_new(m->loop, fd, CHILD_QUEUE_MAX, &child_ops, p);
	return p;
}

/* Sealed, so that imapd can't cut it short under a reader. */
static int crash_page_new(void)
{
	int fd = memfd_create("crash", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd >= 0 && (ftruncate(fd, sizeof(struct crash_page)) < 0 ||
			fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)) {
		close(fd);
		return -1;
	}
	return fd;
}

int child_assign(struct child *p, struct storent *s, const struct login *first)
{
	struct master *m = p->m;
	struct buf b = BUF_INIT, opaque = BUF_INIT;
	struct session_assign a = {.record = first->record,
				   .dev = s->dev,
				   .ino = s->ino,
				   .hostname = str_c(m->hostname)};
	int fds[4] = {s->maildir_fd, s->lock_fd, crash_page_new(), -1};
	unsigned nfds = 3;
	int rc;

	if (fds[2] < 0) {
		LOG(L_ERROR, "crash-page", L_C("error", strerror(errno)));
		return -1;
	}
	p->crash_fd = fds[2];
	p->uid = a.record.uid;
	p->gid = a.record.gid;
	p->home = str_dup(a.record.home);
	fds[3] = notifier_connect(m->notifier, p->uid, s->dev, s->ino);
	nfds += fds[3] >= 0;
	crash_names(m, s, &opaque);
	a.opaque = buf_str(&opaque);
	a.shared_uid = store_is_shared_uid(m, p->uid, s->dev, s->ino);
	session_assign_put(&b, &a);
	rc = link_send(p->chan, SESSION_ASSIGN, buf_str(&b), fds, nfds);
	buf_deinit(&b);
	buf_deinit(&opaque);
	if (fds[3] >= 0)
		close(fds[3]);
	if (rc < 0)
		return -1;
	p->store = s;
	s->proc = p;
	p->state = CHILD_OPENING;
	list_append(&m->procs, &p->link);
	m->nprocs++;
	if (nfds == 3)
		notifier_want(m->notifier, p);
	return 0;
}

int child_send_conn(struct child *p, struct login *g)
{
	struct buf b = BUF_INIT;
	struct session_conn c = {.conn = g->conn,
				 .dev = p->store->dev,
				 .ino = p->store->ino,
				 .facts = g->facts,
				 .user = g->record.user,
				 .tag = g->tag,
				 .verb = g->verb,
				 .unread = g->unread};
	int fds[2] = {g->fd, cyrus_log_of(p, g)};
	int rc;

	session_conn_put(&b, &c);
	rc = p->chan ? link_send(p->chan, SESSION_CONN, buf_str(&b), fds, fds[1] < 0 ? 1 : 2) : -1;
	buf_wipe(&b);
	g->telemetry = fds[1] >= 0;
	if (fds[1] >= 0)
		close(fds[1]);
	if (rc < 0)
		return -1;
	g->sent = true;
	list_remove(&g->at);
	list_append(&p->sent, &g->at);
	return 0;
}

void child_shutdown(struct child *p, const char *text)
{
	struct buf b = BUF_INIT;

	if (!p->chan)
		return;
	wire_str(&b, str_c(text));
	(void)link_send(p->chan, SESSION_SHUTDOWN, buf_str(&b), NULL, 0);
	buf_deinit(&b);
	if (p->state == CHILD_SERVING)
		p->state = CHILD_LEAVING;
}
