/* SPDX-License-Identifier: Apache-2.0 */
/*
 * subscriber: the link of one imapd. Whatever is wrong with what it says ends this link alone
 * (B28, B33); one that does not read is dropped, and nobody waits for it.
 */
#include "notifyd/notifyd.h"

#include "common/base/clock.h"
#include "common/base/log.h"

static void subscriber_free(struct subscriber *s)
{
	while (!list_empty(&s->all))
		sub_free(list_entry(s->all.next, struct sub, owner_node));
	hmap_free(&s->subs);
	circle_leave(&s->store, &s->store_node);
	list_remove(&s->node);
	list_remove(&s->dirty_node);
	if (s->peer)
		s->peer->links--;
	uid_put(s->nd, &s->peer);
	uid_put(s->nd, &s->use);
	link_free(&s->link);
	buf_deinit(&s->batch);
	s->nd->n.subscribers--;
	free(s);
}

static void reap(void *ctx)
{
	struct notifyd *nd = ctx;

	while (!list_empty(&nd->dead))
		subscriber_free(list_entry(nd->dead.next, struct subscriber, node));
}

static void subscriber_bury(struct subscriber *s)
{
	s->dead = true;
	list_remove(&s->node);
	list_append(&s->nd->dead, &s->node);
	loop_defer_set(s->nd->reap);
}

static void subscriber_drop(struct subscriber *s, const char *why)
{
	if (s->dead)
		return;
	s->nd->n.dropped++;
	LOG(L_WARN, "subscriber_dropped", L_C("why", why), L_U("uid", s->use ? s->use->uid : s->peer_uid),
	    L_U("dev", s->dev), L_U("ino", s->ino), L_U("folders", hmap_count(s->subs)),
	    L_U("queued", link_queued(s->link)));
	subscriber_bury(s);
}

/* ---- sending ------------------------------------------------------------------------------------ */
/* Bytes that wait, by the mean size of what was sent since the queue was last empty. */
static uint64_t queued_bytes(const struct subscriber *s)
{
	return s->sent_n ? s->sent_bytes / s->sent_n * link_queued(s->link) : 0;
}

void subscriber_send(struct subscriber *s, enum watch_msg type, const struct buf *body)
{
	if (s->dead)
		return;
	if (link_send(s->link, type, buf_str(body), NULL, 0) < 0) {
		subscriber_drop(s, link_open(s->link) ? "too many messages wait for it" : "link broken");
		return;
	}
	if (link_queued(s->link) == 0) {
		s->sent_n = s->sent_bytes = 0;
		return;
	}
	s->sent_n++;
	s->sent_bytes += body->n;
	if (queued_bytes(s) > s->nd->set->notify_queue_max * QUEUE_BYTES_PER_MSG)
		subscriber_drop(s, "too many bytes wait for it");
}

void subscriber_answer(struct subscriber *s, uint32_t id, bool ok, const char *why)
{
	struct buf b = BUF_INIT;

	s->unanswered--;
	wire_u32(&b, id);
	wire_u8(&b, ok);
	wire_str(&b, str_c(why));
	subscriber_send(s, WATCH_SUBSCRIBED, &b);
	buf_deinit(&b);
}

void subscriber_event(struct sub *sub, enum watch_dir dir, enum watch_kind kind, struct str name)
{
	struct subscriber *s = sub->owner;
	struct watch_event e = {sub->id, (uint8_t)dir, (uint8_t)kind, name};

	if (s->dead || !sub->active)
		return;
	if (s->batch.n + WATCH_NAME_MAX + 16 > BATCH_MAX)
		subscriber_flush(s);
	watch_event_put(&s->batch, &e);
	if (list_empty(&s->dirty_node))
		list_append(&s->nd->dirty, &s->dirty_node);
}

void subscriber_flush(struct subscriber *s)
{
	list_remove(&s->dirty_node);
	if (s->batch.n == 0)
		return;
	subscriber_send(s, WATCH_EVENTS, &s->batch);
	buf_reset(&s->batch);
	if (s->batch.cap > 1024) /* thousands of them are quiet most of the time */
		buf_trim(&s->batch);
}

void subscribers_flush(struct notifyd *nd)
{
	while (!list_empty(&nd->dirty))
		subscriber_flush(list_entry(nd->dirty.next, struct subscriber, dirty_node));
}

/* ---- receiving ---------------------------------------------------------------------------------- */
static int on_hello(struct subscriber *s, struct link_msg *m)
{
	struct notifyd *nd = s->nd;
	struct wire w = wire_reader(m->body);
	uint32_t uid = wire_get_u32(&w);
	uint64_t key[3];

	s->dev = wire_get_u64(&w);
	s->ino = wire_get_u64(&w);
	if (!wire_end(&w) || m->nfds || s->hello || (!s->trusted && uid != s->peer_uid))
		return -1;
	s->hello = true;
	s->use = uid_get(nd, uid);
	/* The uid is in the key: a user who names another's store hears nothing of it. */
	key[0] = uid;
	key[1] = s->dev;
	key[2] = s->ino;
	s->store = circle_join(nd->stores, key, sizeof key, &s->store_node);
	s->shard = &nd->shard[hash_bytes(str_mem(key + 1, 2 * sizeof *key)) % nd->nshards];
	return 0;
}

static int on_subscribe(struct subscriber *s, struct link_msg *m)
{
	struct wire w = wire_reader(m->body);
	uint32_t id = wire_get_u32(&w);

	if (!wire_end(&w) || m->nfds != 2 || hmap_get_u64(s->subs, id) ||
	    s->unanswered >= WATCH_WINDOW)
		return -1;
	s->unanswered++;
	if (s->use->folders >= s->nd->set->notify_per_uid) {
		s->nd->n.refused++;
		subscriber_answer(s, id, false, "this uid watches NOTIFY_PER_UID folders already");
		return 0;
	}
	enrol_start(sub_new(s, id), m->fds[WATCH_NEW], m->fds[WATCH_CUR]);
	m->fds[WATCH_NEW] = m->fds[WATCH_CUR] = -1;
	return 0;
}

/* An unknown folder is no fault here: its refusal may have crossed this message. */
static int on_unsubscribe(struct subscriber *s, struct link_msg *m)
{
	struct wire w = wire_reader(m->body);
	uint32_t id = wire_get_u32(&w);
	struct sub *sub = hmap_get_u64(s->subs, id);

	if (!wire_end(&w) || m->nfds)
		return -1;
	if (!sub)
		return 0;
	if (!sub->active)
		subscriber_answer(s, id, false, "unsubscribed");
	subscriber_flush(s);
	sub_free(sub);
	return 0;
}

static int on_fence(struct subscriber *s, struct link_msg *m)
{
	struct wire w = wire_reader(m->body);
	struct buf b = BUF_INIT;

	wire_get_u32(&w);
	if (!wire_end(&w) || m->nfds)
		return -1;
	s->nd->n.fences++;
	shard_drain_now(s->shard);
	shard_tell_lost(s);
	subscriber_flush(s);
	relay_waiting(s);
	buf_str_put(&b, m->body);
	subscriber_send(s, WATCH_FENCED, &b);
	buf_deinit(&b);
	subscribers_flush(s->nd);
	return 0;
}

static int on_journal(struct subscriber *s, struct link_msg *m)
{
	struct watch_journal j;
	struct sub *sub;

	if (!watch_journal_get(m->body, &j) || m->nfds)
		return -1;
	sub = hmap_get_u64(s->subs, j.folder);
	if (sub && sub->active)
		relay_journal(sub, &j);
	return 0;
}

static int on_folders(struct subscriber *s, struct link_msg *m)
{
	struct wire w = wire_reader(m->body);
	uint64_t dev = wire_get_u64(&w), ino = wire_get_u64(&w);

	if (!wire_end(&w) || m->nfds || dev != s->dev || ino != s->ino)
		return -1;
	relay_folders(s);
	return 0;
}

static int dispatch(struct subscriber *s, struct link_msg *m)
{
	if (m->type != WATCH_HELLO && !s->hello)
		return -1;
	switch (m->type) {
	case WATCH_HELLO:
		return on_hello(s, m);
	case WATCH_SUBSCRIBE:
		return on_subscribe(s, m);
	case WATCH_UNSUBSCRIBE:
		return on_unsubscribe(s, m);
	case WATCH_FENCE:
		return on_fence(s, m);
	case WATCH_JOURNAL:
		return on_journal(s, m);
	case WATCH_FOLDERS:
		return on_folders(s, m);
	default:
		return -1;
	}
}

static int on_msg(void *ctx, struct link_msg *m)
{
	struct subscriber *s = ctx;

	if (s->dead)
		return -1;
	if (dispatch(s, m) == 0)
		return 0;
	s->nd->n.faults++;
	if (!notifyd_may_say(s->nd, SAY_FAULT))
		return -1;
	LOG(L_WARN, "subscriber_fault", L_U("type", m->type), L_U("bytes", m->body.n), L_U("fds", m->nfds),
	    L_U("peer_uid", s->peer_uid), L_U("uid", s->use ? s->use->uid : s->peer_uid),
	    L_U("faults", s->nd->n.faults));
	return -1;
}

static void on_close(void *ctx, const char *why)
{
	struct subscriber *s = ctx;

	if (s->dead)
		return;
	LOG(L_DEBUG, "subscriber_gone", L_C("why", why), L_U("folders", hmap_count(s->subs)));
	subscriber_bury(s);
}

static void on_drained(void *ctx)
{
	struct subscriber *s = ctx;

	s->sent_n = s->sent_bytes = 0;
	if (!s->dead)
		relay_waiting(s);
}

static const struct link_ops link_ops = {on_msg, on_close, on_drained};

/* ---- accepting ---------------------------------------------------------------------------------- */
static bool welcome(struct notifyd *nd, unsigned uid, bool trusted)
{
	struct uid_use *u = trusted ? NULL : hmap_get_u64(nd->uids, uid);

	if (u && u->links >= PEER_LINKS_MAX)
		return false;
	if (nd->n.subscribers < nd->set->notify_subscribers)
		return true;
	if (notifyd_may_say(nd, SAY_SUBSCRIBERS))
		LOG(L_WARN, "subscriber_limit", L_U("subscribers", nd->n.subscribers),
		    L_C("hint", "raise NOTIFY_SUBSCRIBERS"));
	return false;
}

static void subscriber_new(struct notifyd *nd, int fd, unsigned uid, bool trusted)
{
	struct subscriber *s = xcalloc(1, sizeof *s);

	s->nd = nd;
	s->peer_uid = uid;
	s->trusted = trusted;
	s->since = loop_now(nd->loop);
	s->subs = hmap_new();
	list_init(&s->store_node);
	list_init(&s->dirty_node);
	list_init(&s->news);
	list_init(&s->all);
	if (!trusted) {
		s->peer = uid_get(nd, uid);
		s->peer->links++;
	}
	s->link = link_new(nd->loop, fd, nd->set->notify_queue_max, &link_ops, s);
	list_append(&nd->subscribers, &s->node);
	nd->n.subscribers++;
	if (!loop_timer_active(nd->hello_timer))
		loop_timer_set(nd->hello_timer, HELLO_MS);
}

/* The newest are at the end of the list; one pass per HELLO_MS while links come. */
static void check_hellos(void *ctx)
{
	struct notifyd *nd = ctx;
	uint64_t now = loop_now(nd->loop);
	bool waiting = false;

	list_foreach(e, &nd->subscribers) {
		struct subscriber *s = list_entry(e, struct subscriber, node);

		if (s->hello)
			continue;
		if (now - s->since >= HELLO_MS)
			subscriber_drop(s, "said no HELLO");
		else
			waiting = true;
	}
	if (waiting)
		loop_timer_set(nd->hello_timer, HELLO_MS);
}

static void accept_again(void *ctx)
{
	struct notifyd *nd = ctx;

	loop_io_set(nd->accept_io, LOOP_READ);
}

static void on_accept(void *ctx, int events)
{
	struct notifyd *nd = ctx;

	for (int n = 0; n < 64; n++) {
		unsigned uid;
		int pid, fd = link_accept(nd->listen_fd, &uid, &pid);

		if (fd < 0) {
			if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
				loop_io_set(nd->accept_io, 0); /* else this would spin */
				loop_timer_set(nd->accept_timer, 100);
			}
			return;
		}
		bool trusted = uid == 0 || uid == geteuid();

		if (welcome(nd, uid, trusted)) {
			subscriber_new(nd, fd, uid, trusted);
		} else {
			nd->n.refused++;
			close(fd);
		}
	}
}

void subscribers_init(struct notifyd *nd, int listen_fd)
{
	nd->listen_fd = listen_fd;
	nd->reap = loop_defer_new(nd->loop, reap, nd);
	nd->hello_timer = loop_timer_new(nd->loop, check_hellos, nd);
	nd->accept_timer = loop_timer_new(nd->loop, accept_again, nd);
	nd->accept_io = loop_io_new(nd->loop, listen_fd, LOOP_READ, on_accept, nd);
}

void subscribers_deinit(struct notifyd *nd)
{
	loop_io_free(&nd->accept_io);
	close(nd->listen_fd);
	while (!list_empty(&nd->subscribers))
		subscriber_bury(list_entry(nd->subscribers.next, struct subscriber, node));
	reap(nd);
	loop_defer_free(&nd->reap);
	loop_timer_free(&nd->hello_timer);
	loop_timer_free(&nd->accept_timer);
}
