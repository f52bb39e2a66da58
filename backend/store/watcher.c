/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/store/watcher.h"

#include "common/base/hmap.h"
#include "common/base/list.h"
#include "common/io/link.h"

#define QUEUE_MAX 256         /* our messages that notifyd has not taken; over that it hangs */
#define WANT_FIRST_MS 100     /* between two requests for a link, doubling ... */
#define WANT_MAX_MS 15000     /* ... up to this */
#define SETTLED_MS 10000      /* a link that held so long ends the back-off */

enum sub_state {
	SUB_WAITING,  /* in w->waiting: to be sent */
	SUB_SENT,     /* not yet answered */
	SUB_WATCHED,
	SUB_REFUSED,  /* in w->refused: tried again by the retry timer */
};

struct watcher_sub {
	struct watcher *w;
	uint32_t id;
	enum sub_state state;
	int new_fd, cur_fd;
	void *folder;
	struct list node;         /* of w->waiting, w->subs or w->refused: every sub is in one */
	struct list journal_node; /* of w->journals */
	struct watch_journal journal; /* the last announced; folder is 0 before the first */
};

struct fence {
	struct list node;
	uint32_t id;
	uint64_t due;
	watcher_fence_fn *done;
	void *ctx;
};

struct watcher {
	struct loop *loop;
	const struct watcher_ops *ops;
	void *ctx;
	struct link *link;
	uint64_t link_since;
	bool live, broken;
	struct hmap *by_id;
	struct list waiting, subs, refused;
	unsigned unanswered;
	uint32_t last_id, last_fence;
	struct list fences; /* sent, in order */
	struct list lost;   /* fences whose callback says lost, soon */
	struct list journals;
	struct loop_defer *later; /* journals and lost fences */
	struct loop_timer *retry, *fence_timer, *want_timer;
	uint64_t want_ms;
};

static void fill_window(struct watcher *w);

static void send_msg(struct watcher *w, enum watch_msg type, const struct buf *b, const int *fds, unsigned n)
{
	if (!w->link || link_send(w->link, type, buf_str(b), fds, n) == 0)
		return;
	w->broken = true; /* callbacks come from the loop, not from inside the caller's call */
	loop_defer_set(w->later);
}

static void send_u32(struct watcher *w, enum watch_msg type, uint32_t v, const int *fds, unsigned n)
{
	struct buf b = BUF_INIT;

	wire_u32(&b, v);
	send_msg(w, type, &b, fds, n);
	buf_deinit(&b);
}

/* From the loop only. A later subscription of one folder does not make all the others unlive. */
static void check_live(struct watcher *w)
{
	if (w->live || !w->link || w->broken || w->unanswered > 0 || !list_empty(&w->waiting))
		return;
	w->live = true;
	w->ops->on_live(w->ctx, true);
}

/* s is watched: what it has to announce goes out, at the end of this turn. */
static void announce(struct watcher_sub *s)
{
	if (!list_empty(&s->journal_node))
		return;
	list_append(&s->w->journals, &s->journal_node);
	loop_defer_set(s->w->later);
}

/* ---- the link ----------------------------------------------------------------------------------- */
static void want(void *ctx)
{
	struct watcher *w = ctx;

	if (w->link)
		return;
	loop_timer_set(w->want_timer, w->want_ms);
	w->want_ms = w->want_ms * 2 < WANT_MAX_MS ? w->want_ms * 2 : WANT_MAX_MS;
	w->ops->on_wanted(w->ctx);
}

void watcher_want(struct watcher *w)
{
	if (!w->link && !loop_timer_active(w->want_timer))
		want(w);
}

/* Moves every sub to the waiting ones; the order of subscription is kept. */
static void all_wait(struct watcher *w)
{
	struct list *from[] = {&w->subs, &w->refused};

	for (size_t i = 0; i < ARRAY_LEN(from); i++) {
		list_foreach(e, from[i]) {
			list_remove(e);
			list_append(&w->waiting, e);
			list_entry(e, struct watcher_sub, node)->state = SUB_WAITING;
		}
	}
	w->unanswered = 0;
}

static void fences_lost(struct watcher *w)
{
	list_foreach(e, &w->fences) {
		list_remove(e);
		list_append(&w->lost, e);
	}
	loop_timer_stop(w->fence_timer);
	if (!list_empty(&w->lost))
		loop_defer_set(w->later);
}

static void link_drop(struct watcher *w)
{
	bool was_live = w->live;

	link_free(&w->link);
	w->live = w->broken = false;
	list_foreach(e, &w->journals)
		list_remove(e);
	all_wait(w);
	fences_lost(w);
	loop_timer_stop(w->retry);
	if (was_live)
		w->ops->on_live(w->ctx, false);
}

static void link_lost(struct watcher *w)
{
	if (!w->link)
		return;
	if (loop_now(w->loop) - w->link_since >= SETTLED_MS)
		w->want_ms = WANT_FIRST_MS;
	link_drop(w);
	if (loop_timer_active(w->want_timer))
		return;
	/* The first request at once, unless links break as fast as they come. */
	if (w->want_ms == WANT_FIRST_MS)
		want(w);
	else
		loop_timer_set(w->want_timer, w->want_ms);
}

/* ---- what notifyd says -------------------------------------------------------------------------- */
static void refused(struct watcher_sub *s)
{
	list_remove(&s->node);
	list_append(&s->w->refused, &s->node);
	if (!loop_timer_active(s->w->retry))
		loop_timer_set(s->w->retry, WATCHER_RETRY_MS);
}

static int on_subscribed(struct watcher *w, struct str body)
{
	struct wire r = wire_reader(body);
	uint32_t id = wire_get_u32(&r);
	bool ok = wire_get_bool(&r);
	struct str why = wire_get_str(&r, 2048);
	struct watcher_sub *s = hmap_get_u64(w->by_id, id);

	if (!wire_end(&r) || w->unanswered == 0)
		return -1;
	w->unanswered--;
	if (s && s->state == SUB_SENT) {
		s->state = ok ? SUB_WATCHED : SUB_REFUSED;
		if (!ok)
			refused(s);
		else if (s->journal.folder) /* made meanwhile, or lost with the last link: again */
			announce(s);
		w->ops->on_subscribed(s->folder, ok, why);
	}
	fill_window(w);
	check_live(w);
	return 0;
}

static struct watcher_sub *watched(struct watcher *w, uint32_t id)
{
	struct watcher_sub *s = hmap_get_u64(w->by_id, id);

	return s && s->state == SUB_WATCHED ? s : NULL;
}

static int on_events(struct watcher *w, struct str body)
{
	struct wire r = wire_reader(body);
	struct watch_event e;

	while (r.n > 0) {
		struct watcher_sub *s;

		if (!watch_event_get(&r, &e))
			return -1;
		s = watched(w, e.folder); /* looked up each time: a callback may unsubscribe */
		if (s)
			w->ops->on_event(s->folder, (enum watch_dir)e.dir, (enum watch_kind)e.kind, e.name);
	}
	return 0;
}

static int on_fenced(struct watcher *w, struct str body)
{
	struct wire r = wire_reader(body);
	uint32_t id = wire_get_u32(&r);
	struct fence *f;

	if (!wire_end(&r) || list_empty(&w->fences))
		return -1;
	f = list_entry(w->fences.next, struct fence, node);
	if (f->id != id) /* they are answered in order */
		return -1;
	list_remove(&f->node);
	if (f->done)
		f->done(f->ctx, false);
	free(f);
	return 0;
}

static int on_overflow(struct watcher *w, struct str body)
{
	struct wire r = wire_reader(body);
	struct watcher_sub *s = watched(w, wire_get_u32(&r));

	if (!wire_end(&r))
		return -1;
	if (s)
		w->ops->on_overflow(s->folder);
	return 0;
}

static int on_journal(struct watcher *w, struct str body)
{
	struct watch_journal j;
	struct watcher_sub *s;

	if (!watch_journal_get(body, &j))
		return -1;
	s = watched(w, j.folder);
	if (s)
		w->ops->on_journal(s->folder, j.generation, j.offset);
	return 0;
}

static int on_msg(void *ctx, struct link_msg *m)
{
	struct watcher *w = ctx;

	if (m->nfds)
		return -1;
	switch (m->type) {
	case WATCH_SUBSCRIBED:
		return on_subscribed(w, m->body);
	case WATCH_EVENTS:
		return on_events(w, m->body);
	case WATCH_FENCED:
		return on_fenced(w, m->body);
	case WATCH_OVERFLOW:
		return on_overflow(w, m->body);
	case WATCH_JOURNAL:
		return on_journal(w, m->body);
	case WATCH_FOLDERS:
		w->ops->on_folders(w->ctx);
		return 0;
	default:
		return -1;
	}
}

static void on_close(void *ctx, const char *why)
{
	link_lost(ctx);
}

static void on_drained(void *ctx)
{
	struct watcher *w = ctx;

	if (!list_empty(&w->journals))
		loop_defer_set(w->later);
}

static const struct link_ops link_ops = {on_msg, on_close, on_drained};

/* ---- subscriptions ------------------------------------------------------------------------------ */
static void subscribe_now(struct watcher *w, struct watcher_sub *s)
{
	list_remove(&s->node);
	list_append(&w->subs, &s->node);
	s->state = SUB_SENT;
	w->unanswered++;
	send_u32(w, WATCH_SUBSCRIBE, s->id, (int[]){s->new_fd, s->cur_fd}, 2);
}

static void fill_window(struct watcher *w)
{
	while (w->link && !w->broken && w->unanswered < WATCH_WINDOW && !list_empty(&w->waiting))
		subscribe_now(w, list_entry(w->waiting.next, struct watcher_sub, node));
}

static void retry(void *ctx)
{
	struct watcher *w = ctx;

	list_foreach(e, &w->refused) {
		list_remove(e);
		list_append(&w->waiting, e);
		list_entry(e, struct watcher_sub, node)->state = SUB_WAITING;
	}
	fill_window(w);
}

struct watcher_sub *watcher_subscribe(struct watcher *w, int new_fd, int cur_fd, void *folder)
{
	struct watcher_sub *s = xcalloc(1, sizeof *s);

	s->w = w;
	s->id = ++w->last_id;
	s->new_fd = new_fd;
	s->cur_fd = cur_fd;
	s->folder = folder;
	list_init(&s->journal_node);
	hmap_put_u64(w->by_id, s->id, s);
	list_append(&w->waiting, &s->node);
	fill_window(w);
	return s;
}

void watcher_unsubscribe(struct watcher_sub **sp)
{
	struct watcher_sub *s = *sp;

	if (!s)
		return;
	*sp = NULL;
	if (s->state == SUB_SENT || s->state == SUB_WATCHED)
		send_u32(s->w, WATCH_UNSUBSCRIBE, s->id, NULL, 0);
	hmap_del_u64(s->w->by_id, s->id);
	list_remove(&s->node);
	list_remove(&s->journal_node);
	free(s);
}

bool watcher_watched(const struct watcher_sub *s)
{
	return s->state == SUB_WATCHED;
}

/* ---- fences and announcements --------------------------------------------------------------------- */
void watcher_fence(struct watcher *w, watcher_fence_fn *done, void *ctx)
{
	struct fence *f = xcalloc(1, sizeof *f);

	f->done = done;
	f->ctx = ctx;
	f->due = loop_now(w->loop) + WATCHER_FENCE_MS;
	if (!w->link) {
		list_append(&w->lost, &f->node);
		loop_defer_set(w->later);
		return;
	}
	f->id = ++w->last_fence;
	list_append(&w->fences, &f->node);
	if (!loop_timer_active(w->fence_timer))
		loop_timer_set(w->fence_timer, WATCHER_FENCE_MS);
	send_u32(w, WATCH_FENCE, f->id, NULL, 0);
}

void watcher_fence_cancel(struct watcher *w, void *ctx)
{
	struct list *in[] = {&w->fences, &w->lost};

	for (size_t i = 0; i < ARRAY_LEN(in); i++) {
		list_foreach(e, in[i]) {
			struct fence *f = list_entry(e, struct fence, node);

			if (f->ctx == ctx)
				f->done = NULL; /* its answer still has to be taken off the link */
		}
	}
}

static void fence_late(void *ctx)
{
	struct watcher *w = ctx;
	uint64_t now = loop_now(w->loop);
	struct fence *f;

	if (list_empty(&w->fences))
		return;
	f = list_entry(w->fences.next, struct fence, node);
	if (f->due > now)
		loop_timer_set(w->fence_timer, f->due - now);
	else
		link_lost(w);
}

static void tell_lost_fences(struct watcher *w)
{
	struct list now;

	/* Only those of now: a callback may ask for the next fence at once. */
	list_init(&now);
	list_foreach(e, &w->lost) {
		list_remove(e);
		list_append(&now, e);
	}
	while (!list_empty(&now)) {
		struct fence *f = list_entry(now.next, struct fence, node);

		list_remove(&f->node);
		if (f->done)
			f->done(f->ctx, true);
		free(f);
	}
}

static void send_journals(struct watcher *w)
{
	/* What can't go out now waits for on_drained and is merged meanwhile. */
	while (w->link && !w->broken && link_queued(w->link) == 0 && !list_empty(&w->journals)) {
		struct watcher_sub *s = list_entry(w->journals.next, struct watcher_sub, journal_node);
		struct buf b = BUF_INIT;

		list_remove(&s->journal_node);
		watch_journal_put(&b, &s->journal);
		send_msg(w, WATCH_JOURNAL, &b, NULL, 0);
		buf_deinit(&b);
	}
}

static void later(void *ctx)
{
	struct watcher *w = ctx;

	send_journals(w);
	if (w->broken)
		link_lost(w);
	tell_lost_fences(w);
	check_live(w);
}

void watcher_journal(struct watcher_sub *s, uint64_t generation, uint64_t offset)
{
	s->journal = (struct watch_journal){s->id, generation, offset};
	if (s->state == SUB_WATCHED)
		announce(s);
}

void watcher_folders(struct watcher *w, uint64_t dev, uint64_t ino)
{
	struct buf b = BUF_INIT;

	wire_u64(&b, dev);
	wire_u64(&b, ino);
	send_msg(w, WATCH_FOLDERS, &b, NULL, 0);
	buf_deinit(&b);
}

/* ---- life --------------------------------------------------------------------------------------- */
struct watcher *watcher_new(struct loop *l, const struct watcher_ops *ops, void *ctx)
{
	struct watcher *w = xcalloc(1, sizeof *w);

	w->loop = l;
	w->ops = ops;
	w->ctx = ctx;
	w->by_id = hmap_new();
	list_init(&w->waiting);
	list_init(&w->subs);
	list_init(&w->refused);
	list_init(&w->fences);
	list_init(&w->lost);
	list_init(&w->journals);
	w->want_ms = WANT_FIRST_MS;
	w->later = loop_defer_new(l, later, w);
	w->retry = loop_timer_new(l, retry, w);
	w->fence_timer = loop_timer_new(l, fence_late, w);
	w->want_timer = loop_timer_new(l, want, w);
	return w;
}

void watcher_set_link(struct watcher *w, int fd)
{
	if (w->link)
		link_drop(w);
	loop_timer_stop(w->want_timer);
	w->link = link_new(w->loop, fd, QUEUE_MAX, &link_ops, w);
	w->link_since = loop_now(w->loop);
	fill_window(w);
	loop_defer_set(w->later); /* live at once, where nothing is subscribed */
}

bool watcher_linked(const struct watcher *w)
{
	return w->link != NULL;
}

bool watcher_live(const struct watcher *w)
{
	return w->live;
}

static void free_nodes(struct list *head, size_t offset)
{
	list_foreach(e, head) {
		list_remove(e);
		free((char *)e - offset);
	}
}

void watcher_free(struct watcher **wp)
{
	struct watcher *w = *wp;

	if (!w)
		return;
	*wp = NULL;
	link_free(&w->link);
	free_nodes(&w->waiting, offsetof(struct watcher_sub, node));
	free_nodes(&w->subs, offsetof(struct watcher_sub, node));
	free_nodes(&w->refused, offsetof(struct watcher_sub, node));
	free_nodes(&w->fences, offsetof(struct fence, node));
	free_nodes(&w->lost, offsetof(struct fence, node));
	loop_defer_free(&w->later);
	loop_timer_free(&w->retry);
	loop_timer_free(&w->fence_timer);
	loop_timer_free(&w->want_timer);
	hmap_free(&w->by_id);
	free(w);
}
