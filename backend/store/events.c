/* SPDX-License-Identifier: Apache-2.0 */
/*
 * events: what notifyd tells of a folder. Events are hints that carry names: names are looked at, no
 * directory is read. A message is gone when the last that was heard of its base name is that it went,
 * two fences came back after that, and its file isn't there. Two, since a rename is told as two events
 * and a fence may fall between them.
 */
#include "backend/store/store_int.h"
#include "common/base/log.h"

enum { MOTION_STALE_MS = 5000, STORM_MS = 2000 };

/* ---- candidates ---------------------------------------------------------------------------------- */

static struct cand *cand_get(struct fold *f, struct str base)
{
	return f->cands ? hmap_get(f->cands, base) : NULL;
}

static void cand_put(struct fold *f, struct str base, uint32_t uid, bool left)
{
	struct cand *c = cand_get(f, base);

	if (!f->cands)
		f->cands = hmap_new();
	if (!c)
		hmap_put(f->cands, base, c = xcalloc(1, sizeof *c));
	*c = (struct cand){uid, left, f->fences + 2, loop_now(f->f.store->o.loop)};
}

static void cand_drop(struct fold *f, struct str base)
{
	if (f->cands)
		free(hmap_del(f->cands, base));
}

static void cands_clear(struct fold *f)
{
	size_t it = 0;
	struct str key;
	void *v;

	while (f->cands && hmap_next(f->cands, &it, &key, &v))
		free(v);
	hmap_free(&f->cands);
}

static bool cands_left(const struct fold *f)
{
	size_t it = 0;
	struct str key;
	void *v;

	while (f->cands && hmap_next(f->cands, &it, &key, &v))
		if (((struct cand *)v)->left)
			return true;
	return false;
}

static void events_drop(struct fold *f)
{
	vec_foreach(e, &f->events)
		free(*e);
	f->events.n = 0;
	f->events_done = f->events_in;
}

static void live_changed(struct fold *f)
{
	struct folder_change ch = {.kind = FOLDER_LIVE};

	fold_tell(f, &ch);
}

/* ---- fences ---------------------------------------------------------------------------------------- */

static void on_fence(void *ctx, bool lost)
{
	struct fold *f = ctx;

	f->fence_busy = false;
	if (lost)
		return; /* on_live says the rest */
	f->fence_over = true;
	f->fence_events = f->events_in;
	fold_kick(f);
}

static void fence_start(struct fold *f)
{
	if (f->fence_busy || f->watch != WATCH_LIVE)
		return;
	f->fence_busy = true;
	f->fences++;
	watcher_fence(f->f.store->watcher, on_fence, f);
}

static void gone_tick(void *ctx)
{
	struct fold *f = ctx;

	if (f->cands && hmap_count(f->cands))
		fence_start(f);
}

static void gone_later(struct fold *f, unsigned ms)
{
	uint64_t now = loop_now(f->f.store->o.loop);

	if (!f->gone_timer)
		f->gone_timer = loop_timer_new(f->f.store->o.loop, gone_tick, f);
	if (loop_timer_active(f->gone_timer) && f->gone_due <= now + ms)
		return;
	f->gone_due = now + ms;
	loop_timer_set(f->gone_timer, ms);
}

/* Who waited for events gets a look at the disk instead. */
static void waits_look(struct fold *f)
{
	while (!list_empty(&f->sync_waits)) {
		struct sync_wait *w = list_entry(f->sync_waits.next, struct sync_wait, link);
		list_remove(&w->link);
		sync_queue(f, true, w);
	}
}

/* Something moved without end, or events are missing: only a scan settles it. */
static void want_scan(struct fold *f)
{
	f->rescan = true;
	f->watch_scan_wanted = true;
	if (!f->window)
		f->window = hmap_new();
	waits_look(f);
	store_later(f->f.store);
}

static bool cand_ripe(const struct fold *f, const struct cand *c, uint64_t now)
{
	return c->left && c->need <= f->settled && now - c->since >= GONE_FENCE_MS;
}

/* Hands the ripe ones over: whether expunged, there after all or no longer in the table, they are settled. */
static struct sync *gone_sync(struct fold *f, uint64_t now)
{
	struct sync *s = sync_new(f, SYNC_NAMES);
	struct hmap *all = f->cands;
	size_t it = 0;
	struct str base;
	void *v;

	f->cands = hmap_new();
	while (hmap_next(all, &it, &base, &v)) {
		struct cand *c = v;
		if (cand_ripe(f, c, now)) {
			*vec_push(&s->gone) = c->uid;
			free(c);
		} else {
			hmap_put(f->cands, base, c);
		}
	}
	hmap_free(&all);
	return s;
}

static void names_start(struct fold *f, struct sync *s)
{
	s->upto = f->events_in;
	f->last_names = s;
	op_start(&s->op);
}

/* All that had happened before fence number f->settled is in the table. */
static void judge(struct fold *f)
{
	uint64_t now = loop_now(f->f.store->o.loop);
	struct sync *s;
	size_t it = 0;
	void *v;
	bool left = false, moving = false, stale = false, ripe = false;

	while (f->cands && hmap_next(f->cands, &it, NULL, &v)) {
		struct cand *c = v;
		if (cand_ripe(f, c, now)) {
			ripe = true;
			continue;
		}
		left |= c->left;
		moving |= !c->left;
		stale |= !c->left && now - c->since > MOTION_STALE_MS;
	}
	s = ripe ? gone_sync(f, now) : NULL;
	if (stale) {
		cands_clear(f);
		want_scan(f);
	} else if (left || moving) {
		gone_later(f, left ? GONE_FENCE_MS : MOTION_STALE_MS);
	}
	if (!s)
		return;
	s->check_scan = now - f->renamed_at < STORM_MS;
	f->events_in++; /* who waits for the fences waits for this too */
	names_start(f, s);
}

/* ---- events become work ------------------------------------------------------------------------------ */

static void event_arrived(struct fold *f, struct sync **s, const struct event *e, const struct md_name *n)
{
	size_t i = index_find(&f->index, &f->f, n->base);
	char now[256];

	if (i != SIZE_MAX) {
		bool in_new = fold_name(f, &f->f.msgs.a[i], now);
		if (in_new == e->in_new && !strcmp(now, e->name)) {
			cand_drop(f, n->base); /* just where the table says, mostly our own doing */
			return;
		}
		cand_put(f, n->base, f->f.msgs.a[i].uid, false);
		gone_later(f, MOTION_STALE_MS);
	}
	if (!*s)
		*s = sync_new(f, SYNC_NAMES);
	sync_name(*s, e->in_new, e->name);
}

static void event_left(struct fold *f, const struct event *e, const struct md_name *n)
{
	size_t i = index_find(&f->index, &f->f, n->base);
	char now[256];

	if (i == SIZE_MAX)
		return;
	bool in_new = fold_name(f, &f->f.msgs.a[i], now);
	if (cand_get(f, n->base) || (in_new == e->in_new && !strcmp(now, e->name)))
		cand_put(f, n->base, f->f.msgs.a[i].uid, true);
}

static void events_take(struct fold *f)
{
	struct sync *s = NULL;

	vec_foreach(ep, &f->events) {
		struct event *e = *ep;
		struct md_name n;
		if (md_name_parse(str_c(e->name), &n)) {
			if (e->arrived)
				event_arrived(f, &s, e, &n);
			else
				event_left(f, e, &n);
		}
		free(e);
	}
	f->events.n = 0;
	if (s)
		names_start(f, s);
	else if (f->last_names)
		f->last_names->upto = f->events_in;
	else
		f->events_done = f->events_in;
	if (cands_left(f))
		fence_start(f);
}

/* The highest number of a fence that a candidate waits for, among those up to max. */
static uint64_t cands_need(const struct fold *f, uint64_t max)
{
	size_t it = 0;
	struct str key;
	void *v;
	uint64_t need = 0;

	while (f->cands && hmap_next(f->cands, &it, &key, &v)) {
		const struct cand *c = v;
		if (c->left && c->need > need && c->need <= max)
			need = c->need;
	}
	return need;
}

/* Whether all that had happened before w's fence is in the table. */
static bool wait_settled(const struct fold *f, struct sync_wait *w)
{
	if (f->events_done < w->events)
		return false;
	if (!w->fences_known)
		w->fences = cands_need(f, UINT64_MAX);
	w->fences_known = true;
	if (w->fences && (f->settled < w->fences || cands_need(f, w->fences)))
		return false;
	if (w->fences)
		w->events = f->events_in; /* what the fences brought to light */
	w->fences = 0;
	return f->events_done >= w->events;
}

/* What events don't tell: mail that was left in new/, the folder's own name. */
static bool needs_look(const struct fold *f)
{
	return f->check_name || (f->in_new && fold_wants_claim(f));
}

static void waits_over(struct fold *f)
{
	struct store_result ok = {.code = STORE_OK};
	struct list over;

	list_init(&over);
	list_foreach(e, &f->sync_waits) {
		if (!wait_settled(f, list_entry(e, struct sync_wait, link)))
			continue;
		list_remove(e);
		list_append(&over, e);
	}
	while (needs_look(f) && !list_empty(&over)) {
		struct list *first = over.next;
		list_remove(first);
		sync_queue(f, false, list_entry(first, struct sync_wait, link));
	}
	sync_waits_done(&over, &ok);
}

void events_run(struct fold *f)
{
	if (f->watch == WATCH_OFF)
		return;
	if (f->watch_scan_wanted && !f->watch_scan_busy) {
		struct sync *s = sync_new(f, SYNC_WATCHED);
		s->force = f->rescan;
		f->watch_scan_wanted = false;
		f->watch_scan_busy = true;
		op_start(&s->op);
		return;
	}
	if (f->watch != WATCH_LIVE || f->watch_scan_busy || f->busy)
		return;
	if (f->events.n)
		events_take(f);
	if (f->fence_over && f->events_done >= f->fence_events) {
		f->fence_over = false;
		f->settled = f->fences;
		judge(f);
	}
	waits_over(f);
}

void events_names_done(struct fold *f, struct sync *s)
{
	char now[256];

	if (f->last_names == s)
		f->last_names = NULL;
	if (s->upto > f->events_done)
		f->events_done = s->upto;
	for (size_t off = 0; f->state == FOLD_OPEN && f->index.slots && off < s->names.n;) {
		const char *p = s->names.p + s->names.off + off;
		struct md_name n;
		off += strlen(p + 1) + 2;
		if (!md_name_parse(str_c(p + 1), &n))
			continue;
		size_t i = index_find(&f->index, &f->f, n.base);
		struct cand *c = cand_get(f, n.base);
		if (c && !c->left && i != SIZE_MAX && fold_name(f, &f->f.msgs.a[i], now) == (bool)*p &&
		    !strcmp(now, p + 1))
			cand_drop(f, n.base);
	}
}

void events_watched_scan_done(struct fold *f, struct sync *s)
{
	bool was_live = f->watch == WATCH_LIVE;

	f->watch_scan_busy = false;
	if (f->watch == WATCH_OFF || f->state != FOLD_OPEN)
		return;
	f->rescan = f->watch_scan_wanted;
	f->watch = WATCH_LIVE;
	vec_foreach(uid, &s->missing) {
		const struct msg *m = fold_msg(f, *uid);
		if (m && !(f->window && hmap_get(f->window, str_c(m->base))) && !cand_get(f, str_c(m->base)))
			cand_put(f, str_c(m->base), m->uid, true);
	}
	if (!f->watch_scan_wanted)
		hmap_free(&f->window);
	if (cands_left(f))
		fence_start(f);
	if (!was_live)
		live_changed(f);
}

/* ---- the watcher's calls --------------------------------------------------------------------------- */

/* Folders may have gone or have other names. Those that somebody has open are looked at now. */
static void names_changed(struct store *st)
{
	list_foreach(e, &st->folds) {
		struct fold *f = list_entry(e, struct fold, link);
		f->check_name = true;
		if (f->state == FOLD_OPEN && !list_empty(&f->f.listeners))
			sync_queue(f, false, NULL);
	}
}

static void folder_moved(struct store *st, enum watch_kind kind, struct str name)
{
	list_foreach(e, &st->folds) {
		struct fold *f = list_entry(e, struct fold, link);
		if (kind == WATCH_ARRIVED || f->state != FOLD_OPEN || !str_eq(str_c(f->disk_name), name))
			continue;
		f->check_name = true;
		if (!list_empty(&f->f.listeners))
			sync_queue(f, false, NULL);
	}
}

static void on_subscribed(void *folder, bool ok, struct str why)
{
	struct fold *f = ((struct watch_target *)folder)->f;
	bool was_live;

	if (!f) {
		if (ok)
			names_changed(((struct watch_target *)folder)->st);
		return;
	}
	was_live = f->watch == WATCH_LIVE;
	events_drop(f);
	cands_clear(f);
	f->watch = ok ? WATCH_SETTLING : WATCH_OFF;
	if (ok)
		f->watch_scan_wanted = true;
	else
		LOG(L_WARN, "folder_unwatched", L_C("user", f->f.store->o.user), L_C("folder", f->f.name),
		    L_S("why", why));
	if (ok && !f->window)
		f->window = hmap_new();
	if (was_live)
		live_changed(f);
	fold_kick(f);
}

static void on_event(void *folder, enum watch_dir dir, enum watch_kind kind, struct str name)
{
	struct fold *f = ((struct watch_target *)folder)->f;
	struct md_name n;

	if (!f) {
		folder_moved(((struct watch_target *)folder)->st, kind, name);
		return;
	}
	if (f->watch == WATCH_OFF || f->state != FOLD_OPEN)
		return;
	if (kind == WATCH_GONE) {
		sync_queue(f, true, NULL);
		return;
	}
	if (!md_name_parse(name, &n))
		return;
	if (kind == WATCH_ARRIVED && f->window)
		hmap_put(f->window, n.base, f);
	if (f->events.n >= EVENTS_MAX) {
		events_drop(f);
		cands_clear(f);
		want_scan(f);
		return;
	}
	struct event *e = xmalloc(sizeof *e + name.n + 1);
	e->in_new = dir == WATCH_NEW;
	e->arrived = kind == WATCH_ARRIVED;
	memcpy(e->name, name.p, name.n);
	e->name[name.n] = 0;
	*vec_push(&f->events) = e;
	f->events_in++;
	store_later(f->f.store);
}

static void on_overflow(void *folder)
{
	struct fold *f = ((struct watch_target *)folder)->f;

	if (!f) {
		names_changed(((struct watch_target *)folder)->st);
		return;
	}
	events_drop(f);
	cands_clear(f);
	if (f->watch != WATCH_OFF)
		want_scan(f);
}

static void on_journal(void *folder, uint64_t generation, uint64_t offset)
{
	struct fold *f = ((struct watch_target *)folder)->f;

	if (!f || f->state != FOLD_OPEN)
		return;
	if (!f->busy && (generation < disk_generation(f->disk) ||
			 (generation == disk_generation(f->disk) && offset <= disk_offset(f->disk))))
		return;
	sync_tail(f);
}

static void on_folders(void *ctx)
{
	names_changed(ctx);
}

static void watch_lost(struct fold *f)
{
	bool was_live = f->watch == WATCH_LIVE;

	f->watch = WATCH_OFF;
	f->watch_scan_wanted = f->fence_busy = f->fence_over = false;
	events_drop(f);
	cands_clear(f);
	hmap_free(&f->window);
	vec_free(&f->events);
	waits_look(f);
	if (was_live)
		live_changed(f);
}

static void on_live(void *ctx, bool live)
{
	struct store *st = ctx;

	LOG(live ? L_INFO : L_WARN, live ? "notify_up" : "notify_down", L_C("user", st->user));
	if (live)
		return;
	list_foreach(e, &st->folds) {
		struct fold *f = list_entry(e, struct fold, link);
		if (f->sub)
			watch_lost(f);
	}
}

static void on_wanted(void *ctx)
{
	struct store *st = ctx;

	if (st->o.want_notify_link)
		st->o.want_notify_link(st->o.ctx);
}

const struct watcher_ops fold_watcher_ops = {
	.on_subscribed = on_subscribed,
	.on_event = on_event,
	.on_overflow = on_overflow,
	.on_journal = on_journal,
	.on_folders = on_folders,
	.on_live = on_live,
	.on_wanted = on_wanted,
};

/* ---- the folder's calls ------------------------------------------------------------------------------ */

void store_watch_start(struct store *st)
{
	int fd = st->o.maildir_fd;

	st->target.st = st;
	if (!st->sub)
		st->sub = watcher_subscribe(st->watcher, fd, fd, &st->target);
}

void fold_watch_start(struct fold *f)
{
	store_watch_start(f->f.store);
	f->target.f = f;
	if (!f->sub)
		f->sub = watcher_subscribe(f->f.store->watcher, f->files->new, f->files->cur, &f->target);
}

void fold_watch_stop(struct fold *f)
{
	if (!f->sub)
		return;
	watcher_fence_cancel(f->f.store->watcher, f);
	watcher_unsubscribe(&f->sub);
	watch_lost(f);
}

void events_suspect(struct fold *f, const struct msg *m)
{
	if (f->watch != WATCH_LIVE) {
		sync_queue(f, true, NULL);
		return;
	}
	f->renamed_at = loop_now(f->f.store->o.loop); /* it may lie under another name */
	cand_put(f, str_c(m->base), m->uid, true);
	fence_start(f);
}

static void wait_fenced(void *ctx, bool lost)
{
	struct sync_wait *w = ctx;
	struct fold *f = w->f;

	if (lost || f->watch != WATCH_LIVE || f->state != FOLD_OPEN) {
		sync_queue(f, lost, w);
		return;
	}
	w->events = f->events_in;
	w->fences = 0;
	w->fences_known = false;
	list_append(&f->sync_waits, &w->link);
	fold_kick(f);
}

void events_wait(struct fold *f, struct sync_wait *w)
{
	list_init(&w->link);
	if (f->watch != WATCH_LIVE || f->rescan || f->state != FOLD_OPEN)
		sync_queue(f, f->rescan && f->watch != WATCH_LIVE, w);
	else
		watcher_fence(f->f.store->watcher, wait_fenced, w);
}
