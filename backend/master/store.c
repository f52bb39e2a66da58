/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store: one entry for each mail store that is served or waited for. Never two imapds for one: a
 * lock on a local file, held by the imapd's own descriptor, says that one lives, also one of an
 * earlier master.
 */
#include <fcntl.h>
#include <sys/file.h>
#include "backend/master/master.h"
#include "common/base/log.h"

#define LOCK_RETRY_MS 20
#define LOCK_WAIT_MS 3000 /* an imapd that lost its master ends within 1 s; the rest is for slow disks */

static struct str store_key(uint64_t id[2])
{
	return str_mem(id, 2 * sizeof id[0]);
}

struct storent *store_find(struct master *m, uint64_t dev, uint64_t ino)
{
	return hmap_get(m->stores, store_key((uint64_t[]){dev, ino}));
}

static void lock_name(const struct storent *s, char name[64])
{
	snprintf(name, 64, "%llx-%llx", (unsigned long long)s->dev, (unsigned long long)s->ino);
}

/* 0 = ours (s->lock_fd), 1 = somebody's, -1 = errno. */
static int lock_take(struct storent *s)
{
	char name[64];
	int fd, saved;

	lock_name(s, name);
	fd = openat(s->m->stores_fd, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	if (fd < 0)
		return -1;
	if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
		s->lock_fd = fd;
		return 0;
	}
	saved = errno;
	close(fd);
	errno = saved;
	return saved == EWOULDBLOCK ? 1 : -1;
}

/* The file goes only under its lock, and by the one master of this RUNDIR: nobody else takes it. */
static void lock_drop(struct storent *s)
{
	char name[64];

	if (s->lock_fd < 0 && lock_take(s) != 0)
		return;
	lock_name(s, name);
	(void)unlinkat(s->m->stores_fd, name, 0);
	close(s->lock_fd);
	s->lock_fd = -1;
}

static void on_retry(void *ctx)
{
	store_advance(ctx);
}

static struct storent *storent_new(struct master *m, uint64_t dev, uint64_t ino)
{
	struct storent *s = xcalloc(1, sizeof *s);

	s->m = m;
	s->dev = dev;
	s->ino = ino;
	s->maildir_fd = s->lock_fd = -1;
	list_init(&s->waiting);
	list_init(&s->paths);
	list_init(&s->of_pool);
	hmap_put(m->stores, store_key((uint64_t[]){dev, ino}), s);
	return s;
}

static void close_maildir(struct storent *s)
{
	if (s->maildir_fd >= 0)
		close(s->maildir_fd);
	s->maildir_fd = -1;
}

/* Frees the entry when nobody needs it any more. */
static void reap(struct storent *s)
{
	if (s->logins > 0)
		return;
	close_maildir(s);
	if (s->wants_child)
		pool_unwant(s->m->pool, s);
	if (s->proc)
		return;
	lock_drop(s);
	loop_timer_free(&s->retry);
	resolver_forget(s->m->resolver, s);
	hmap_del(s->m->stores, store_key((uint64_t[]){s->dev, s->ino}));
	free(s);
}

static void refuse_all(struct storent *s, const char *code, const char *text, const char *why)
{
	s->logins++; /* keeps the entry */
	while (!list_empty(&s->waiting))
		login_refuse(list_entry(s->waiting.next, struct login, at), code, text, why);
	s->logins--;
	reap(s);
}

void store_refuse_all(struct storent *s, const char *code, const char *text, const char *why)
{
	refuse_all(s, code, text, why);
}

/* The Maildir must be opened again: nobody kept a descriptor while the store was served. */
static void resolve_again(struct storent *s)
{
	struct master *m = s->m;
	struct list again;

	list_init(&again);
	resolver_forget(m->resolver, s);
	while (!list_empty(&s->waiting)) {
		struct login *g = list_entry(s->waiting.next, struct login, at);

		list_remove(&g->at);
		list_append(&again, &g->at);
		g->store = NULL;
		s->logins--;
	}
	reap(s);
	while (!list_empty(&again)) {
		struct login *g = list_entry(again.next, struct login, at);

		list_remove(&g->at);
		resolve_login(m->resolver, g);
	}
}

static void wait_for_lock(struct storent *s)
{
	uint64_t now = loop_now(s->m->loop);

	if (s->lock_since == 0)
		s->lock_since = now;
	if (now - s->lock_since > LOCK_WAIT_MS) {
		s->lock_since = 0;
		refuse_all(s, "UNAVAILABLE", "The mailbox is still in use by an earlier process, try again later.",
			   "an imapd of an earlier backend still holds the store: it waits for its mail volume?");
		return;
	}
	if (!s->retry)
		s->retry = loop_timer_new(s->m->loop, on_retry, s);
	loop_timer_set(s->retry, LOCK_RETRY_MS);
}

/* Starts what is needed for an imapd of this store; logins wait and there is none. */
static void start(struct storent *s)
{
	struct master *m = s->m;
	int rc;

	if (m->stopping) {
		refuse_all(s, "UNAVAILABLE", "The server is shutting down.", "shutting down");
		return;
	}
	if (s->maildir_fd < 0) {
		resolve_again(s);
		return;
	}
	if (s->wants_child)
		return;
	if (m->nprocs >= m->set->maxdaemons) {
		LOG(L_WARN, "ALERT: MAXDAEMONS", L_U("limit", m->set->maxdaemons));
		refuse_all(s, "LIMIT", "The server is full, try again later.", "MAXDAEMONS");
		return;
	}
	rc = s->lock_fd >= 0 ? 0 : lock_take(s);
	if (rc < 0) {
		LOG(L_ERROR, "store-lock", L_C("dir", m->set->rundir), L_C("error", strerror(errno)));
		refuse_all(s, "UNAVAILABLE", "Try again later.", "the store's lock in RUNDIR/stores can't be had");
		return;
	}
	if (rc > 0) {
		wait_for_lock(s);
		return;
	}
	s->lock_since = 0;
	s->wants_child = true;
	pool_want(m->pool, s);
}

void store_advance(struct storent *s)
{
	struct child *p = s->proc;

	if (!p) {
		if (!list_empty(&s->waiting))
			start(s);
		else
			reap(s);
		return;
	}
	if (p->state != CHILD_SERVING)
		return;
	close_maildir(s);
	while (!list_empty(&s->waiting)) {
		struct login *g = list_entry(s->waiting.next, struct login, at);

		/* Refused by a full queue: the imapd is stuck, and its link will end. */
		if (child_send_conn(p, g) < 0)
			return;
	}
}

void store_child(struct storent *s, struct child *p)
{
	ASSERT(!s->proc && s->lock_fd >= 0 && s->maildir_fd >= 0 && !list_empty(&s->waiting));
	s->wants_child = false;
	if (child_assign(p, s, list_entry(s->waiting.next, struct login, at)) < 0) {
		child_free(&p);
		s->wants_child = true;
		pool_want(s->m->pool, s);
		return;
	}
	close(s->lock_fd); /* imapd's alone from here on */
	s->lock_fd = -1;
}

void store_admit(struct login *g, uint64_t dev, uint64_t ino, int fd)
{
	struct storent *s = store_find(g->m, dev, ino);

	if (!s)
		s = storent_new(g->m, dev, ino);
	if (s->maildir_fd < 0 && (!s->proc || s->proc->state != CHILD_SERVING))
		s->maildir_fd = fd;
	else if (fd >= 0)
		close(fd);
	g->store = s;
	s->logins++;
	list_append(&s->waiting, &g->at);
	store_advance(s);
}

void store_login_gone(struct login *g)
{
	struct storent *s = g->store;

	list_remove(&g->at);
	g->store = NULL;
	s->logins--;
	reap(s);
}

/* ---- uids ------------------------------------------------------------------------------------- */

struct uid_seen {
	uint64_t dev, ino;
	bool shared;
};

bool store_is_shared_uid(struct master *m, uint32_t uid, uint64_t dev, uint64_t ino)
{
	struct uid_seen *u = hmap_get_u64(m->uids, uid);
	uint32_t mail_uid;

	if (!u) {
		u = xcalloc(1, sizeof *u);
		u->dev = dev;
		u->ino = ino;
		hmap_put_u64(m->uids, uid, u);
	}
	if (u->dev != dev || u->ino != ino)
		u->shared = true;
	return u->shared || !m->root || (str_u32(str_c(m->set->mail_uid), &mail_uid) && mail_uid == uid);
}
