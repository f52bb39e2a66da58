/* SPDX-License-Identifier: Apache-2.0 */
/*
 * notifyd: what its parts share. One thread does everything but inotify_add_watch, which may wait
 * for a mail volume (enrol.c).
 *
 *   subscriber (one imapd's link)  --<  sub (one folder of it)  >--  watch (one directory, per shard)
 *                                        sub  >--  folder (all subs of the same two directories)
 *
 * Nothing is freed while lists are walked: a subscriber that fails is marked dead and goes in a
 * deferred callback.
 */
#pragma once
#include "common/base/err.h"
#include "common/base/hmap.h"
#include "common/base/list.h"
#include "common/config/settings.h"
#include "common/io/jobs.h"
#include "common/io/link.h"
#include "common/io/loop.h"
#include "common/ipc/watch.h"

#define SHARDS_MAX 16
#define BATCH_MAX 32768       /* bytes of one WATCH_EVENTS body */
#define QUEUE_BYTES_PER_MSG 512 /* NOTIFY_QUEUE_MAX times this bounds a subscriber's bytes */
#define HELLO_MS 10000        /* a link that has not said HELLO by then is closed */
#define PEER_LINKS_MAX 64     /* links that an ordinary user may make himself */
#define ENROL_THREADS 8       /* volumes that may stall before others wait for their subscriptions */
#define OVERFLOW_BURST 64     /* folders that are told of an overflow ... */
#define OVERFLOW_MS 20        /* ... in so many ms: each of them is scanned then */
#define LOG_EVERY_MS 60000    /* complaints that could repeat */

struct counts {
	uint64_t events, fences, overflows, dropped, refused, journals, faults;
	size_t subscribers, folders, watches;
};

struct shard {
	struct notifyd *nd;
	int fd; /* inotify */
	struct loop_io *io;
	struct hmap *watches; /* by watch descriptor */
	struct list subs;     /* sub.shard_node */
	struct list lost;     /* sub.lost_node: to be told of an overflow */
	struct loop_timer *lost_timer;
};

struct watch {
	struct shard *shard;
	uint64_t dev;
	int wd;
	struct list holders[2]; /* sub.holder[dir] */
	struct list idle_node;  /* device.idle while an enrolment of its device may revive it */
};

struct uid_use {
	unsigned refs;
	uint64_t uid;
	uint64_t folders; /* against NOTIFY_PER_UID */
	unsigned links;   /* made by the user himself, against PEER_LINKS_MAX */
};

struct circle { /* of a folder or a store: who else is to hear */
	struct hmap *in;
	struct list members;
	size_t keylen;
	char key[32];
};

struct subscriber {
	struct notifyd *nd;
	struct link *link;
	struct list node;
	uint64_t since;
	unsigned peer_uid;
	bool trusted; /* root or our own uid: may say HELLO for anybody */
	bool hello, dead;
	struct uid_use *use;  /* of the uid that HELLO named */
	struct uid_use *peer; /* of an untrusted peer */
	struct shard *shard;
	uint64_t dev, ino; /* of the store */
	struct circle *store;
	struct list store_node;
	struct hmap *subs; /* by folder id */
	struct list all;   /* sub.owner_node */
	unsigned unanswered;
	struct buf batch; /* events of this turn */
	struct list dirty_node;
	struct list news; /* sub.news_node: announcements that wait for the queue to empty */
	bool folders_news;
	unsigned nlost;               /* its subs in shard.lost */
	uint64_t sent_n, sent_bytes;  /* since the queue was last empty */
};

struct sub {
	struct subscriber *owner;
	uint32_t id;
	bool active; /* enrolled; before that, only its enrolment knows it */
	struct enrol *enrol;
	struct watch *watch[2]; /* watch[WATCH_CUR] is NULL where both are one directory */
	struct list holder[2];
	struct list owner_node, shard_node, lost_node, news_node;
	struct circle *folder;
	struct list folder_node;
	struct watch_journal journal; /* while in owner->news */
};

enum complaint { SAY_WATCHES, SAY_SUBSCRIBERS, SAY_OVERFLOW, SAY_FAULT, SAY_N };
struct notifyd {
	struct loop *loop;
	const struct settings *set;
	struct jobs *jobs;
	int listen_fd;
	struct loop_io *accept_io;
	struct loop_timer *accept_timer, *hello_timer;
	struct shard shard[SHARDS_MAX];
	unsigned nshards;
	struct hmap *uids, *folders, *stores, *devices;
	struct list subscribers, dead, dirty;
	struct loop_defer *reap;
	struct counts n;
	uint64_t said[SAY_N]; /* when a complaint was last logged, enum complaint */
};
/* Takes listen_fd, on which imapds and their master connect. *nd is zeroed by the caller. */
int notifyd_start(struct notifyd *nd, struct loop *l, const struct settings *set, int listen_fd,
		  struct err *e);
/* False: a stalled volume holds an enrolment, perhaps for minutes: end the process without it. */
bool notifyd_stop(struct notifyd *nd);
bool notifyd_may_say(struct notifyd *nd, enum complaint what); /* at most once a minute */

/* shard.c */
int shards_init(struct notifyd *nd, struct err *e);
void shards_deinit(struct notifyd *nd);
/* Reads what the kernel has queued now, and no more, into the batches. */
void shard_drain_now(struct shard *sh);
/* Watches an open directory; the watch descriptor, or -errno. May block; on any thread. */
int shard_add(const struct shard *sh, int dir_fd);
struct watch *watch_get(struct shard *sh, int wd, uint64_t dev); /* found or made, without holders */
void watch_hold(struct watch *w, struct sub *s, enum watch_dir dir);
void watch_release(struct sub *s, enum watch_dir dir);
void watch_remove(struct watch *w); /* has no holders: tells the kernel */
void shard_tell_lost(struct subscriber *s); /* the overflows that wait for their turn, now */

/* enrol.c */
/* Takes the descriptors. The answer goes to s->owner; s is active then, or freed. */
void enrol_start(struct sub *s, int new_fd, int cur_fd);
void enrol_forget(struct sub *s); /* s goes while it is under way */
/* The last holder went. True: an enrolment of its device is under way, which may revive it. */
bool enrol_keeps(struct watch *w);

/* sub.c: subs and their circles */
struct sub *sub_new(struct subscriber *owner, uint32_t id);
void sub_free(struct sub *s);
struct circle *circle_join(struct hmap *in, const void *key, size_t keylen, struct list *node);
void circle_leave(struct circle **g, struct list *node);
struct uid_use *uid_get(struct notifyd *nd, uint64_t uid);
void uid_put(struct notifyd *nd, struct uid_use **u);

/* subscriber.c */
void subscribers_init(struct notifyd *nd, int listen_fd);
void subscribers_deinit(struct notifyd *nd);
void subscriber_send(struct subscriber *s, enum watch_msg type, const struct buf *body);
void subscriber_answer(struct subscriber *s, uint32_t id, bool ok, const char *why);
void subscriber_event(struct sub *s, enum watch_dir dir, enum watch_kind kind, struct str name);
void subscriber_flush(struct subscriber *s);
void subscribers_flush(struct notifyd *nd); /* all batches of this turn */

/* relay.c */
void relay_journal(struct sub *from, const struct watch_journal *j);
void relay_folders(struct subscriber *from);
void relay_waiting(struct subscriber *s); /* sends what waited */

/* privs.c: NOTIFY_USER with CAP_DAC_READ_SEARCH alone, or without; no core dumps; Landlock */
int privs_drop(const struct settings *set, struct err *e);
