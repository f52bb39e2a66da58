/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watcher: the store's end of the link to notifyd (DESIGN.md P15 to P17). Loop side; nothing here
 * blocks. Folders are subscribed by their open directories, and again by themselves whenever a new
 * link arrives: on_subscribed(folder, true, ...) then means "watched from here on: now scan".
 *
 * Events are hints: they say where to look. WATCH_GONE does not come while any process keeps the
 * deleted directory open, as the store does: that a folder was deleted is seen by subscribing the
 * Maildir itself (both descriptors the same), where ".Folder" leaves.
 *
 * Callbacks may call anything of this header except watcher_free, which would be called from inside
 * the watcher.
 */
#pragma once
#include "common/io/loop.h"
#include "common/ipc/watch.h"

struct watcher;
struct watcher_sub; /* one subscribed folder */

struct watcher_ops { /* folder: the pointer given to watcher_subscribe; ctx: that of watcher_new */
	/* notifyd watches the folder (ok), or does not: why says so, for the log. It is tried again
	 * every WATCHER_RETRY_MS, so on_subscribed(true) may follow a false. */
	void (*on_subscribed)(void *folder, bool ok, struct str why);
	void (*on_event)(void *folder, enum watch_dir dir, enum watch_kind kind, struct str name);
	void (*on_overflow)(void *folder); /* events were lost: scan */
	void (*on_journal)(void *folder, uint64_t generation, uint64_t offset); /* by another process */
	void (*on_folders)(void *ctx);     /* another process changed the list of folders */
	/* true: the link works and every subscription has its answer. false: the link broke; all
	 * folders are unwatched until their on_subscribed(true). */
	void (*on_live)(void *ctx, bool live);
	void (*on_wanted)(void *ctx);      /* ask the master for a new link; repeated with back-off */
};
#define WATCHER_RETRY_MS 30000 /* a refused subscription (limits may have been raised) */
#define WATCHER_FENCE_MS 10000 /* a fence without answer: notifyd hangs, the link is given up */

/* on_wanted is not called before the first link was there or watcher_want was called. */
struct watcher *watcher_new(struct loop *l, const struct watcher_ops *ops, void *ctx);
void watcher_free(struct watcher **w); /* fences under way are dropped, their callbacks not called */
/* A link from the master, HELLO already said; owned by the watcher. Replaces the one in use. */
void watcher_set_link(struct watcher *w, int fd);
void watcher_want(struct watcher *w); /* there was no link at the start: begin asking */
bool watcher_live(const struct watcher *w);
bool watcher_linked(const struct watcher *w); /* there is a link, whatever was answered over it so far */

/* The descriptors stay the caller's and must stay open until watcher_unsubscribe. Both may be the
 * same directory (say, the Maildir itself, for its folders): events then come once, as WATCH_NEW. */
struct watcher_sub *watcher_subscribe(struct watcher *w, int new_fd, int cur_fd, void *folder);
void watcher_unsubscribe(struct watcher_sub **s); /* NULL is fine; no callback for it follows */
bool watcher_watched(const struct watcher_sub *s); /* this folder's changes come by themselves */

/* done is called, later, when all that had happened to watched folders before this call has been
 * told (lost = false), or when that can't be known (lost = true: no link, or it broke). Overflows,
 * too, have been told before. */
typedef void watcher_fence_fn(void *ctx, bool lost);
void watcher_fence(struct watcher *w, watcher_fence_fn *done, void *ctx);
void watcher_fence_cancel(struct watcher *w, void *ctx); /* of all fences with this ctx */

/* Tells the folder's other holders that journal.G is valid up to offset. What is announced in one
 * turn of the loop is merged into one message. */
void watcher_journal(struct watcher_sub *s, uint64_t generation, uint64_t offset);
/* Tells the store's (dev, ino of its Maildir) other processes that the list of folders changed. */
void watcher_folders(struct watcher *w, uint64_t dev, uint64_t ino);
