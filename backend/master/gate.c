/* SPDX-License-Identifier: Apache-2.0 */
/* gate: where login workers hand clients over (common/ipc/handoff.h). */
#include <sys/socket.h>
#include <sys/stat.h>
#include "backend/master/master.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/rand.h"
#include "common/base/secret.h"

#define GATE_LINKS_MAX 1024
#define GATE_QUEUE_MAX 4096
/* Nonces that stay good on one link. The master isn't told of those that a wrong password has spent,
 * so the oldest make room: more than authd's whole queue may be in use at a time. */
#define NONCES_KEPT 4096

struct gate {
	struct master *m;
	int fd;
	struct loop_io *io;
	uint32_t login_uid;
	struct list links;
	unsigned nlinks;
};

struct gate_link {
	struct gate *gate;
	struct list of_gate;
	struct link *link;
	struct list logins;
	unsigned pid;
	uint8_t (*nonces)
		[TICKET_NONCE_LEN]; /* ring; the first four bytes are the place, all 0 = spent */
	uint32_t next;
};

/* ---- accounts --------------------------------------------------------------------------------- */

static struct user_count *users_get(struct master *m, struct str name)
{
	struct user_count *u = hmap_get(m->users, name);

	if (!u) {
		u = xcalloc(1, sizeof *u);
		u->owned = str_dup(name);
		u->name = str_mem(u->owned, name.n);
		hmap_put(m->users, name, u);
	}
	u->n++;
	return u;
}

void users_put(struct master *m, struct user_count *u)
{
	if (--u->n > 0)
		return;
	hmap_del(m->users, u->name);
	free(u->owned);
	free(u);
}

/* ---- logins ----------------------------------------------------------------------------------- */

static void login_free(struct login *g)
{
	list_remove(&g->at);
	list_remove(&g->of_gate);
	loop_timer_free(&g->deadline);
	if (g->user)
		users_put(g->m, g->user);
	if (g->fd >= 0)
		close(g->fd);
	buf_wipe(&g->give); /* what the client pipelined may hold anything */
	free(g);
}

static void say_refused(struct gate_link *k, uint32_t id, const char *code, const char *text)
{
	struct buf b = BUF_INIT;
	struct handoff_refused r = {.id = id, .code = str_c(code), .text = str_c(text)};

	handoff_refused_put(&b, &r);
	(void)link_send(k->link, HANDOFF_REFUSED, buf_str(&b), NULL, 0);
	buf_deinit(&b);
}

void login_refuse(struct login *g, const char *code, const char *text, const char *why)
{
	struct storent *s = g->store;

	LOG(L_WARN, "login-refused", L_S("user", g->record.user), L_S("session", g->facts.session),
	    L_S("rip", g->facts.rip), L_C("code", code), L_C("reason", why));
	g->m->count.refused++;
	/* imapd may be about to talk to this client: then nobody else may. */
	if (g->sent && shutdown(g->fd, SHUT_RDWR) < 0)
		LOG(L_DEBUG, "shutdown", L_I("errno", errno));
	if (g->gate)
		say_refused(g->gate, g->id, code, text);
	if (s)
		store_login_gone(g);
	login_free(g);
}

void login_taken(struct login *g)
{
	struct buf b = BUF_INIT;

	g->m->count.logins++;
	if (g->gate) {
		wire_u32(&b, g->id);
		(void)link_send(g->gate->link, HANDOFF_TAKEN, buf_str(&b), NULL, 0);
		buf_deinit(&b);
	}
	g->user = NULL; /* counts for the session now */
	login_free(g);
}

static void on_deadline(void *ctx)
{
	login_refuse(
		ctx, "UNAVAILABLE", "The mailbox doesn't answer, try again later.",
		"AUTH_TIMEOUT passed before the mailbox was open: slow or stalled mail volume?");
}

/* ---- messages --------------------------------------------------------------------------------- */

static int give_nonces(struct gate_link *k, struct str body)
{
	struct wire w = wire_reader(body);
	uint32_t count = wire_get_u32(&w);
	struct buf b = BUF_INIT;

	if (!wire_end(&w) || count < 1 || count > HANDOFF_NONCES_MAX)
		return -1;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t place = k->next++ % NONCES_KEPT;
		uint8_t *n = k->nonces[place];

		rand_bytes(n, TICKET_NONCE_LEN);
		memcpy(n, &place, sizeof place);
		buf_put(&b, n, TICKET_NONCE_LEN);
	}
	count = (uint32_t)link_send(k->link, HANDOFF_NONCES, buf_str(&b), NULL, 0);
	buf_deinit(&b);
	return (int)count;
}

/* One use, and only over the link for which it was made. */
static bool nonce_spend(struct gate_link *k, const uint8_t nonce[TICKET_NONCE_LEN])
{
	static const uint8_t spent[TICKET_NONCE_LEN];
	uint32_t place;
	bool good;

	memcpy(&place, nonce, sizeof place);
	if (place >= NONCES_KEPT)
		return false;
	good = secret_equal(str_mem(nonce, TICKET_NONCE_LEN),
			    str_mem(k->nonces[place], TICKET_NONCE_LEN)) &&
	       memcmp(nonce, spent, TICKET_NONCE_LEN) != 0;
	if (good)
		memset(k->nonces[place], 0, TICKET_NONCE_LEN);
	return good;
}

/* Why this account can't be served here, or NULL. */
static const char *record_fault(const struct master *m, const struct user_record *r)
{
	if (r->uid == 0 || r->uid == UINT32_MAX || r->gid == UINT32_MAX)
		return "the account's uid is 0 or missing: mail belongs to an ordinary user; set its uid, or MAIL_UID";
	if (r->gid == 0 && m->root)
		return "the account's gid is 0: set its gid, or MAIL_GID";
	if (!m->root && r->uid != m->uid)
		return "the account's uid is not the backend's own, and only root may become another user";
	if (r->home.n == 0 || r->home.p[0] != '/')
		return "the account's home is not an absolute path: set it, or MAIL_HOME";
	return NULL;
}

static bool over_limit(struct login *g)
{
	const struct settings *set = g->m->set;
	uint64_t now = loop_now(g->m->loop);

	if (set->maxperuser == 0 || g->user->n <= set->maxperuser)
		return false;
	if (g->user->alerted == 0 || now - g->user->alerted > 60000) {
		g->user->alerted = now;
		LOG(L_WARN, "ALERT: MAXPERUSER", L_S("user", g->record.user),
		    L_U("limit", set->maxperuser), L_S("rip", g->facts.rip));
	}
	return true;
}

static void login_begin(struct login *g)
{
	struct master *m = g->m;
	const char *fault = record_fault(m, &g->record);

	if (m->stopping)
		login_refuse(g, "UNAVAILABLE", "The server is shutting down.", "shutting down");
	else if (fault)
		login_refuse(g, "UNAVAILABLE", "This account can't be served now.", fault);
	else if (kick_too_late(m, g->record.user, g->facts.begun_ms))
		login_refuse(g, "UNAVAILABLE", "The account was changed just now, try again.",
			     "revoked");
	else if (over_limit(g))
		login_refuse(g, "LIMIT", "Too many connections of this account.", "MAXPERUSER");
	else
		resolve_login(m->resolver, g);
}

static int on_give(struct gate_link *k, struct link_msg *msg)
{
	struct master *m = k->gate->m;
	struct handoff_give give;
	uint8_t nonce[TICKET_NONCE_LEN];
	struct stat st;
	struct login *g;

	if (msg->nfds != 1 || fstat(msg->fds[0], &st) < 0 || !S_ISSOCK(st.st_mode))
		return -1;
	g = xcalloc(1, sizeof *g);
	g->m = m;
	g->fd = -1;
	list_init(&g->at);
	list_init(&g->of_gate);
	buf_str_put(&g->give, msg->body);
	if (!handoff_give_get(buf_str(&g->give), &give)) {
		login_free(g);
		return -1;
	}
	if (!ticket_check(give.ticket, m->key, nonce, &g->record, &g->facts) ||
	    !nonce_spend(k, nonce)) {
		m->count.forged++;
		LOG(L_ERROR, "ticket-refused", L_U("worker_pid", k->pid),
		    L_C("reason", "forged, used before, or made for another link"));
		say_refused(k, give.id, "UNAVAILABLE",
			    "The login could not be verified, try again.");
		login_free(g);
		return 0;
	}
	g->id = give.id;
	g->tag = give.tag;
	g->verb = give.verb;
	g->unread = give.unread;
	g->fd = msg->fds[0];
	msg->fds[0] = -1;
	g->gate = k;
	list_append(&k->logins, &g->of_gate);
	g->conn = ++m->next_conn ? m->next_conn : ++m->next_conn; /* 0 means "all" elsewhere */
	g->user = users_get(m, g->record.user);
	g->deadline = loop_timer_new(m->loop, on_deadline, g);
	loop_timer_set(g->deadline, m->set->auth_timeout * 900); /* before the worker gives up */
	login_begin(g);
	return 0;
}

static int on_msg(void *ctx, struct link_msg *m)
{
	struct gate_link *k = ctx;

	if (m->type == HANDOFF_NONCES_WANTED && m->nfds == 0)
		return give_nonces(k, m->body);
	if (m->type == HANDOFF_GIVE)
		return on_give(k, m);
	return -1;
}

/* A login that an imapd already has in its queue goes on: the client's socket is there. The others
 * end with their worker, which was the one to answer. */
static void link_drop(struct gate_link *k)
{
	list_foreach(e, &k->logins) {
		struct login *g = list_entry(e, struct login, of_gate);

		list_remove(&g->of_gate);
		g->gate = NULL;
		if (!g->sent)
			login_refuse(g, "UNAVAILABLE", "", "the login worker has gone");
	}
	list_remove(&k->of_gate);
	k->gate->nlinks--;
	link_free(&k->link);
	secret_zero(k->nonces, sizeof *k->nonces * NONCES_KEPT);
	free(k->nonces);
	free(k);
}

static void on_close(void *ctx, const char *why)
{
	struct gate_link *k = ctx;

	LOG(L_INFO, "worker-gone", L_U("pid", k->pid), L_C("reason", why));
	link_drop(k);
}

static const struct link_ops gate_ops = {.on_msg = on_msg, .on_close = on_close};

static void on_accept(void *ctx, int events)
{
	struct gate *g = ctx;
	struct gate_link *k;
	unsigned uid;
	int pid, fd = link_accept(g->fd, &uid, &pid);

	if (fd < 0)
		return;
	if ((uid != 0 && uid != g->m->uid && uid != g->login_uid) || g->nlinks >= GATE_LINKS_MAX) {
		LOG(L_ERROR, "worker-refused", L_U("uid", uid), L_I("pid", pid),
		    L_C("reason", g->nlinks >= GATE_LINKS_MAX
					  ? "too many links"
					  : "not root, nor us, nor LOGIN_USER"));
		close(fd);
		return;
	}
	k = xcalloc(1, sizeof *k);
	k->gate = g;
	k->pid = (unsigned)pid;
	k->nonces = xcalloc(NONCES_KEPT, sizeof *k->nonces);
	list_init(&k->logins);
	list_append(&g->links, &k->of_gate);
	g->nlinks++;
	k->link = link_new(g->m->loop, fd, GATE_QUEUE_MAX, &gate_ops, k);
	LOG(L_DEBUG, "worker", L_U("pid", k->pid), L_U("uid", uid));
}

struct gate *gate_new(struct master *m, uint32_t login_uid, struct err *e)
{
	struct gate *g;
	struct buf path = BUF_INIT;
	int fd;

	buf_printf(&path, "%s/backend.sock", m->set->rundir);
	fd = link_listen(buf_cstr(&path), 0600);
	if (fd < 0 || (m->root && chown(buf_cstr(&path), login_uid, (gid_t)-1) < 0)) {
		err_sys(e, "can't listen on %s", buf_cstr(&path));
		if (fd >= 0)
			close(fd);
		buf_deinit(&path);
		return NULL;
	}
	buf_deinit(&path);
	g = xcalloc(1, sizeof *g);
	g->m = m;
	g->fd = fd;
	g->login_uid = login_uid;
	list_init(&g->links);
	g->io = loop_io_new(m->loop, fd, LOOP_READ, on_accept, g);
	return g;
}

void gate_close(struct gate *g)
{
	loop_io_free(&g->io);
	if (g->fd >= 0)
		close(g->fd);
	g->fd = -1;
}
