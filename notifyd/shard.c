/* SPDX-License-Identifier: Apache-2.0 */
#include "notifyd/notifyd.h"

#include <sys/inotify.h>
#include <sys/ioctl.h>
#include "common/base/log.h"

/* One constant mask: the kernel has one watch per inode and instance, and a different mask would
 * change it for its other holders. Names only: nothing is said of contents, which the Maildir rules
 * forbid to change. IN_DELETE_SELF isn't needed: IN_IGNORED comes unasked. (IN_EXCL_UNLINK is of no
 * use with it: it filters events of open files.) */
#define MASK (IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_MOVE_SELF)
#define TURN_BYTES 262144 /* of one shard before others have their turn */

int shard_add(const struct shard *sh, int dir_fd)
{
	char path[32];
	int wd;

	snprintf(path, sizeof path, "/proc/self/fd/%d", dir_fd);
	wd = inotify_add_watch(sh->fd, path, MASK | IN_ONLYDIR);
	return wd < 0 ? -errno : wd;
}

static void watch_free(struct watch *w)
{
	hmap_del_u64(w->shard->watches, (uint64_t)w->wd);
	w->shard->nd->n.watches--;
	list_remove(&w->idle_node);
	free(w);
}

struct watch *watch_get(struct shard *sh, int wd, uint64_t dev)
{
	struct watch *w = hmap_get_u64(sh->watches, (uint64_t)wd);

	if (w) {
		list_remove(&w->idle_node);
		return w;
	}
	w = xcalloc(1, sizeof *w);
	w->shard = sh;
	w->wd = wd;
	w->dev = dev;
	list_init(&w->holders[WATCH_NEW]);
	list_init(&w->holders[WATCH_CUR]);
	list_init(&w->idle_node);
	hmap_put_u64(sh->watches, (uint64_t)wd, w);
	sh->nd->n.watches++;
	return w;
}

static bool watch_held(const struct watch *w)
{
	return !list_empty(&w->holders[WATCH_NEW]) || !list_empty(&w->holders[WATCH_CUR]);
}

void watch_hold(struct watch *w, struct sub *s, enum watch_dir dir)
{
	list_remove(&w->idle_node);
	s->watch[dir] = w;
	list_append(&w->holders[dir], &s->holder[dir]);
}

void watch_release(struct sub *s, enum watch_dir dir)
{
	struct watch *w = s->watch[dir];

	if (!w)
		return;
	s->watch[dir] = NULL;
	list_remove(&s->holder[dir]);
	if (!watch_held(w) && !enrol_keeps(w))
		watch_remove(w);
}

void watch_remove(struct watch *w)
{
	inotify_rm_watch(w->shard->fd, w->wd); /* EINVAL: the kernel was faster, its IN_IGNORED is queued */
	watch_free(w);
}

static void watch_tell(struct watch *w, enum watch_kind kind, struct str name)
{
	for (int dir = WATCH_NEW; dir <= WATCH_CUR; dir++)
		list_foreach(e, &w->holders[dir])
			subscriber_event(list_entry(e, struct sub, holder[dir]), (enum watch_dir)dir,
					 kind, name);
}

/* The kernel took the watch away: the directory is deleted or unmounted. */
static void watch_ended(struct watch *w)
{
	watch_tell(w, WATCH_GONE, STR_NONE);
	for (int dir = WATCH_NEW; dir <= WATCH_CUR; dir++) {
		list_foreach(e, &w->holders[dir]) {
			struct sub *s = list_entry(e, struct sub, holder[dir]);

			list_remove(&s->holder[dir]);
			s->watch[dir] = NULL;
			/* The next directory may get the same inode number: it isn't this folder. */
			circle_leave(&s->folder, &s->folder_node);
		}
	}
	watch_free(w);
}

/* ---- overflow ----------------------------------------------------------------------------------- */
static void lost_tell(struct sub *s)
{
	struct buf b = BUF_INIT;

	list_remove(&s->lost_node);
	s->owner->nlost--;
	subscriber_flush(s->owner);
	wire_u32(&b, s->id);
	subscriber_send(s->owner, WATCH_OVERFLOW, &b);
	buf_deinit(&b);
}

static void lost_run(void *ctx)
{
	struct shard *sh = ctx;

	for (unsigned n = 0; n < OVERFLOW_BURST && !list_empty(&sh->lost); n++)
		lost_tell(list_entry(sh->lost.next, struct sub, lost_node));
	loop_timer_stop(sh->lost_timer);
	if (!list_empty(&sh->lost))
		loop_timer_set(sh->lost_timer, OVERFLOW_MS);
}

void shard_tell_lost(struct subscriber *s)
{
	if (!s->nlost)
		return;
	list_foreach(e, &s->shard->lost) {
		struct sub *x = list_entry(e, struct sub, lost_node);

		if (x->owner == s)
			lost_tell(x);
	}
}

static void shard_overflow(struct shard *sh)
{
	sh->nd->n.overflows++;
	if (notifyd_may_say(sh->nd, SAY_OVERFLOW))
		LOG(L_WARN, "inotify_overflow", L_U("shard", sh - sh->nd->shard),
		    L_U("overflows", sh->nd->n.overflows),
		    L_C("hint", "fs.inotify.max_queued_events is too low, or a program makes a storm"));
	list_foreach(e, &sh->subs) {
		struct sub *s = list_entry(e, struct sub, shard_node);

		if (!list_empty(&s->lost_node) || s->owner->dead)
			continue;
		list_append(&sh->lost, &s->lost_node);
		s->owner->nlost++;
	}
	if (!loop_timer_active(sh->lost_timer))
		loop_timer_set(sh->lost_timer, 0);
}

/* ---- reading ------------------------------------------------------------------------------------ */
static void shard_event(struct shard *sh, const struct inotify_event *ev)
{
	struct watch *w;
	struct str name;

	if (ev->mask & IN_Q_OVERFLOW) {
		shard_overflow(sh);
		return;
	}
	w = hmap_get_u64(sh->watches, (uint64_t)ev->wd);
	if (!w) /* removed, or not yet enrolled: who subscribes now is told to scan afterwards */
		return;
	sh->nd->n.events++;
	name = ev->len ? (struct str){ev->name, strnlen(ev->name, ev->len)} : STR_NONE;
	if (ev->mask & IN_IGNORED) /* after a deletion and after an unmount */
		watch_ended(w);
	else if (ev->mask & IN_MOVE_SELF)
		watch_tell(w, WATCH_GONE, STR_NONE);
	else if (ev->mask & (IN_CREATE | IN_MOVED_TO))
		watch_tell(w, WATCH_ARRIVED, name);
	else if (ev->mask & (IN_DELETE | IN_MOVED_FROM))
		watch_tell(w, WATCH_LEFT, name);
}

/* Until the queue is empty or at least limit bytes were read. */
static void shard_read(struct shard *sh, size_t limit)
{
	static char buf[65536] __attribute__((aligned(__alignof__(struct inotify_event))));
	size_t total = 0;

	while (total < limit) {
		ssize_t n = read(sh->fd, buf, sizeof buf);

		if (n <= 0)
			return;
		for (ssize_t at = 0; at < n;) {
			const struct inotify_event *ev = (const void *)(buf + at);

			shard_event(sh, ev);
			at += (ssize_t)(sizeof *ev + ev->len);
		}
		total += (size_t)n;
	}
}

void shard_drain_now(struct shard *sh)
{
	int queued = 0;

	if (ioctl(sh->fd, FIONREAD, &queued) == 0 && queued > 0)
		shard_read(sh, (size_t)queued);
}

static void shard_readable(void *ctx, int events)
{
	struct shard *sh = ctx;

	shard_read(sh, TURN_BYTES);
	subscribers_flush(sh->nd);
}

int shards_init(struct notifyd *nd, struct err *e)
{
	for (unsigned i = 0; i < nd->nshards; i++) {
		struct shard *sh = &nd->shard[i];

		sh->nd = nd;
		list_init(&sh->subs);
		list_init(&sh->lost);
		sh->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
		if (sh->fd < 0)
			return err_sys(e, "inotify instance %u of %u (fs.inotify.max_user_instances)",
				       i + 1, nd->nshards);
		sh->watches = hmap_new();
		sh->io = loop_io_new(nd->loop, sh->fd, LOOP_READ, shard_readable, sh);
		sh->lost_timer = loop_timer_new(nd->loop, lost_run, sh);
	}
	return 0;
}

void shards_deinit(struct notifyd *nd)
{
	for (unsigned i = 0; i < nd->nshards; i++) {
		struct shard *sh = &nd->shard[i];

		if (!sh->io)
			continue;
		loop_io_free(&sh->io);
		loop_timer_free(&sh->lost_timer);
		hmap_free(&sh->watches);
		close(sh->fd);
	}
}
