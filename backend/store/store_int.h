/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_int: what the files of the store share; nobody else includes it.
 *
 * A fold is a folder in memory. Its table is changed by fold_apply alone, on the loop, and only while
 * no op of the folder is running: an op's work on an I/O thread reads the table without a copy. What
 * the loop may change meanwhile (wire sizes, \Recent) is read by nobody else, or atomically.
 */
#pragma once
#include <pthread.h>
#include <sys/types.h>

#include "backend/store/disk.h"
#include "backend/store/history.h"
#include "backend/store/index.h"
#include "backend/store/maildir.h"
#include "backend/store/store.h"
#include "backend/store/watcher.h"
#include "common/base/hmap.h"
#include "common/io/jobs.h"
#include "common/io/loop.h"
#include "common/mail/maildirsize.h"

#define NS_PER_S ((int64_t)1000000000)
enum {
	FOLD_CACHE_MAX = 8,        /* folders without a user that are kept in memory ... */
	FOLD_CACHE_MS = 60000,     /* ... for so long */
	FLAGS_SYNC_MS = 500,       /* flags are on disk within a second (P7) */
	LEARNT_MS = 5000,          /* wire sizes are worth a record, not a hurry */
	CHANGES_KEEP = 8192,       /* entries of the change ring */
	EVENTS_MAX = 65536,        /* names waiting to be looked at: beyond, a scan is cheaper */
	GONE_FENCE_MS = 15,        /* between the two fences of a verified delete */
	RETRY_MS = 1000,          /* of what the volume refused */
};

struct watch_target { /* what the watcher hands back; one of the two */
	struct fold *f;
	struct store *st; /* the Maildir itself, for its folders */
};

/* ---- the store -------------------------------------------------------------------------------- */
struct store {
	struct store_opts o;
	char *user, *opaque_text;
	struct hmap *opaque;      /* base names that are never parsed */
	bool mutf7;               /* form of the folders' names on disk */
	bool closing;
	uint64_t dev, ino;
	struct list folds;        /* all, also those that are no longer found by name */
	struct list waits;        /* struct fold_wait.all */
	struct list store_ops;    /* queue of struct store_op */
	bool store_op_busy;
	struct list ready;        /* ops that complete without a job */
	struct loop_defer *defer;
	struct loop_timer *cache_timer;
	struct watcher *watcher;
	struct watch_target target;
	struct watcher_sub *sub;  /* the Maildir itself */
	store_done_fn *close_done;
	void *close_ctx;
	struct {
		struct quota_limit record; /* of the user record; wins over the file's */
		pthread_rwlock_t counting; /* a count alone; changes together */
		bool stale;      /* set by I/O threads: the file should be counted anew */
		bool complained;
		bool recount_queued; /* the loop's */
	} quota;
	struct list purges; /* trash.c: struct purge, the loop's */
};

/* A request that isn't one folder's: list, create ...; one at a time, in order. */
struct store_op {
	struct job job;
	struct list link;
	struct store *st;
	void (*work)(struct store_op *op);   /* I/O thread */
	void (*finish)(struct store_op *op); /* loop; frees it */
	struct store_result res;
	bool folders_changed;                /* tell the other processes */
};
void store_op_start(struct store *st, struct store_op *op);
/* Fails an operation: the code follows from e->code (an errno value). Returns -1. */
int result_fail(struct store_result *r, const struct err *e);
int result_set(struct store_result *r, enum store_code code, const char *text);
int result_sys(struct store_result *r, const char *what); /* from errno */
void store_later(struct store *st);                       /* runs st->defer */
void store_maybe_closed(struct store *st);
void store_cache_look(struct store *st); /* a folder has lost its last user */

/* ---- an open folder --------------------------------------------------------------------------- */
struct folder_files {
	int refs; /* atomic */
	int dir, cur, new;
};
struct folder_files *files_new(int dir, int cur, int new_fd);
static inline int files_fd(const struct folder_files *ff, bool in_new)
{
	return in_new ? ff->new : ff->cur;
}

enum fold_state { FOLD_OPENING, FOLD_OPEN, FOLD_CLOSING, FOLD_DEAD };
enum fold_watch { WATCH_OFF, WATCH_SETTLING, WATCH_LIVE };

struct change { /* one entry of the change ring */
	uint64_t modseq;
	uint32_t uid;
};
struct learnt {
	uint32_t uid;
	uint64_t wire;
};
struct odd_name { /* a file name that isn't what md_name_make makes */
	uint32_t uid;
	char name[256]; /* "": as usual again */
};
struct event {
	bool in_new, arrived;
	char name[]; /* NUL-terminated */
};
struct cand { /* a message whose file seems to have gone */
	uint32_t uid;
	bool left;      /* the last event said that it went; else that it came */
	uint64_t need;  /* fences that must be over before this is believed */
	uint64_t since; /* clock_ms */
};

struct fold {
	struct folder f;
	struct list link; /* store.folds */
	enum fold_state state;
	unsigned refs;    /* listeners, holds, ops */
	uint64_t idle_since;
	char *disk_name;  /* "." or ".a.b" */
	VEC(char *) old_names;
	struct folder_files *files;
	uint64_t dev, ino;
	struct disk *disk;
	struct store_result open_res;
	struct list waits; /* struct fold_wait, until the folder is open */

	/* the table's other half */
	struct index index;
	struct hmap *kwsets;
	struct hmap *odd;     /* uid -> struct odd_name */
	struct hmap *skipped; /* file names that are no messages, logged once */
	VEC(struct change) changes;
	uint64_t changes_floor; /* the ring knows every change with a modseq above this */
	struct history gone;
	size_t in_new;          /* messages with MSG_IN_NEW */
	VEC(struct learnt) learnt; /* the loop's; taken over when an op is prepared */

	/* ops */
	struct list queue; /* op_part.slot */
	struct op *busy;
	struct op *append_op; /* queued, not started: takes further appends along */
	struct sync *sync_op; /* the same */
	bool tail_queued;
	bool known;           /* the first sync has begun: others may look at the table */
	struct sync *last_names; /* SYNC_NAMES under way or queued, the last of them */
	struct loop_timer *flush_timer;
	uint64_t flush_due;
	bool flags_dirty;      /* renames in cur/ and journal records that aren't synced */
	bool wrote;            /* journal went on since the last clean mark */
	bool compact_wanted;
	bool reap_wanted;

	/* what the table is known to agree with */
	int64_t clean[2]; /* mtimes of new/ (WATCH_NEW), cur/; -1 = not known */
	bool marked;      /* the clean mark on disk says just this */
	bool rescan;      /* something was seen that only a scan settles */

	/* watching, events.c */
	struct watch_target target;
	struct watcher_sub *sub;
	enum fold_watch watch;
	VEC(struct event *) events;
	uint64_t events_in, events_done; /* come so far; looked at, and in the table */
	uint64_t fence_events; /* come before the fence that is over */
	struct hmap *cands;   /* base -> struct cand */
	struct hmap *window;  /* bases that arrived since the first fence of a watched scan */
	uint64_t fences;      /* begun */
	uint64_t settled;     /* fences that are over, and what came before them is in the table */
	bool fence_busy, fence_over;
	bool watch_scan_wanted, watch_scan_busy;
	bool check_name;      /* another process changed the list of folders */
	uint64_t renamed_at;  /* when another program last renamed something */
	struct loop_timer *gone_timer;
	uint64_t gone_due; /* when it fires */
	struct list sync_waits; /* struct sync_wait: for the events before a fence */
	char said[400]; /* what import or export did, for people */
};
static inline struct fold *fold_of(struct folder *f)
{
	return container_of(f, struct fold, f);
}
static inline const struct fold *fold_of_const(const struct folder *f)
{
	return (const struct fold *)((const char *)f - offsetof(struct fold, f));
}

/* folder.c: holds. done is called later; on STORE_OK the hold is the caller's until fold_put. sync:
 * the table is brought up to date first, also where the folder is in memory already. */
typedef void fold_get_fn(void *ctx, const struct store_result *r, struct fold *f);
void fold_get(struct store *st, struct str name, bool sync, fold_get_fn *done, void *ctx);
void fold_ref(struct fold *f);
void fold_put(struct fold *f);
struct fold *fold_by_name(struct store *st, struct str name); /* canonical; NULL: not in memory */
void fold_kick(struct fold *f);                               /* starts what can be started */
void fold_dead(struct fold *f, const char *why);              /* sessions leave; it is opened anew */
bool fold_wants_claim(const struct fold *f);                  /* new mail goes to cur/ */
void fold_evict(struct fold *f);                              /* it has no user */
void fold_free(struct fold *f);

/* fopen.c: opens on an I/O thread, the first sync included; then fold_opened on the loop. */
void fold_open_start(struct fold *f);
void fold_opened(struct fold *f);
/* close.c: durable, marked clean, freed. */
void fold_close_start(struct fold *f);
void fold_flush_later(struct fold *f, unsigned ms);
void fold_compact_if_large(struct fold *f);

/* ---- ops -------------------------------------------------------------------------------------- */
struct op_part {
	struct fold *f;
	struct list slot;  /* fold.queue */
	struct op *op;
	struct buf foreign, own;
	struct err reset_err;
	bool reset, lost, appended;
	uint32_t uidnext;  /* the next to give */
	uint64_t modseq;   /* the last one given to a record; 0: none yet */
	uint16_t keywords; /* known ones, with those that own defines */
	VEC(uint32_t) recent; /* uids of own records that are this process's \Recent */
	VEC(struct odd_name) odd;
	VEC(uint32_t) surprises; /* flags that came out otherwise than the origin knows: it is told, too */
	VEC(struct str) new_kw; /* names that own defines (malloc'd) */
};
struct op {
	struct job job;
	struct op_part part[2];
	unsigned nparts, held;
	struct list link; /* store.ready */
	void (*prepare)(struct op *op); /* loop, just before the work; may be NULL */
	void (*work)(struct op *op);    /* I/O thread; may be called again from its start, see op_lock */
	void (*finish)(struct op *op);  /* loop; the table is up to date; ends with op_free */
	void (*free)(struct op *op);    /* of the struct around it */
	bool again;
	bool counts;     /* its records are our own doing: the quota follows them */
	bool apply_here; /* nobody knows the table yet: the I/O thread may change it itself */
	struct store_result res;
	const void *origin;
	bool silent;
};
void op_init(struct op *op, struct fold *f, struct fold *f2);
void op_start(struct op *op);
void op_free(struct op *op);
void op_ready(struct store *st); /* loop: completes those that need no job */
/* I/O thread: takes the locks. False: work returns at once; it is called again, from its start, when
 * what others wrote has been applied to the table, or the op has failed. */
bool op_lock(struct op *op);
bool op_tail(struct op *op); /* the same without a lock: only reads what others wrote */
/* Writes part's own records. 0; -1: op->res says why, and nothing of it counts. */
int op_append(struct op *op, struct op_part *p, bool sync);
/* I/O thread: the folder in memory is no longer the one on disk: sessions must leave. */
void op_lost(struct op *op, struct op_part *p, const char *why);
/* Into part's own records with the next modseq. Each record has one of its own, in the order in which they are
 * written: who has read the first half of them (another process, while we write) has seen all up to the
 * last modseq in it. */
void op_put(struct op_part *p, struct rec *r);
void op_put_add(struct op_part *p, struct rec *r, const uint16_t *kw, size_t n); /* with any number of keywords */
uint32_t op_uid(struct op_part *p); /* 0: the last UID has been given */
void op_odd(struct op_part *p, uint32_t uid, const char *name);
/* Number of a keyword, defined in p->own where it is new. -1: too many. */
int op_keyword(struct op_part *p, struct str name);

/* apply.c */
struct apply_opts {
	const void *origin;
	bool silent;
	uint32_t *recent; /* gets sorted */
	size_t nrecent;
};
void fold_apply(struct fold *f, struct str records, const struct apply_opts *o);
void fold_apply_odd(struct fold *f, const struct odd_name *o);
void fold_tell(struct fold *f, const struct folder_change *ch);
void fold_tell_flags(struct fold *f, uint32_t uid); /* its flags are news to everybody */
void fold_opened_ring(struct fold *f); /* the table was read from the disk */
void fold_reap(struct fold *f); /* tombstones that all listeners have passed */
void fold_clear(struct fold *f);
const struct msg *fold_msg(const struct fold *f, uint32_t uid); /* NULL: none, or a tombstone */
/* File name of a message as known now; true: it lies in new/. */
bool fold_name(const struct fold *f, const struct msg *m, char name[256]);
bool kwset_has(const struct kwset *k, uint16_t kw);

/* sync.c: a look at the disk */
enum sync_kind {
	SYNC_LOOK,    /* mtimes, and a scan where they changed */
	SYNC_WATCHED, /* the same while watched: what a scan misses is left to events.c */
	SYNC_NAMES,   /* looks at the names given, and at gone */
	SYNC_TAIL,    /* only reads what others wrote */
};
struct sync_wait {
	struct list link;
	struct fold *f;
	store_done_fn *done;
	void *ctx;
	uint64_t events; /* done when these have been looked at ... */
	uint64_t fences; /* ... and so many fences are over, where messages seem to have gone */
	bool fences_known;
};
struct sync {
	struct op op;
	enum sync_kind kind;
	struct list waits;     /* struct sync_wait */
	bool force;            /* scan whatever the mtimes say */
	bool claim;            /* a read-write session is there: new mail goes to cur/ */
	bool live;             /* nothing but events needs a look */
	bool check_name;       /* whether the folder still has its name ... */
	const char *checked_name; /* ... this one */
	bool name_lost;
	uint8_t *settled;      /* bit map of messages */
	bool looked, scanned;
	struct buf names;      /* what is there: u8 in_new, name, NUL; again and again */
	int64_t mtime[2];      /* before the scan */
	int64_t now;           /* then, by the file server's clock */
	bool quiet;            /* nothing changed during the scan */
	bool unsettled;        /* something moved: the table isn't known to be complete */
	bool renamed;          /* we moved something ourselves */
	bool foreign_rename;   /* somebody else did */
	VEC(uint32_t) missing; /* not seen by the scan, sorted */
	VEC(uint32_t) gone;    /* believed to have gone: looked at once more, then expunged */
	bool check_scan;       /* gone ones are looked for by a scan too */
	uint64_t upto;         /* SYNC_NAMES: events that are looked at */
	VEC(uint32_t) changed; /* offsets into names: known messages under another name */
	VEC(uint32_t) fresh;   /* offsets into names: unknown ones */
};
struct sync *sync_new(struct fold *f, enum sync_kind kind);
void sync_name(struct sync *s, bool in_new, const char *name);
/* SYNC_LOOK; shared with others that wait. w may be NULL. */
void sync_queue(struct fold *f, bool force, struct sync_wait *w);
void sync_tail(struct fold *f);
void sync_waits_done(struct list *waits, const struct store_result *r);
void scan_work(struct op *op); /* scan.c: the I/O thread's half */

/* events.c */
extern const struct watcher_ops fold_watcher_ops;
void store_watch_start(struct store *st);
void fold_watch_start(struct fold *f);
void fold_watch_stop(struct fold *f);
void events_run(struct fold *f); /* no op is under way: looks at what has come */
void events_watched_scan_done(struct fold *f, struct sync *s);
void events_names_done(struct fold *f, struct sync *s);
void events_suspect(struct fold *f, const struct msg *m);
void events_wait(struct fold *f, struct sync_wait *w);

/* files.c: blocking helpers */
int files_open_dir(int at, const char *name, struct err *e); /* never through a symlink */
int files_rename_new(int from, const char *a, int to, const char *b); /* EEXIST: never replaces */
int files_sync_dir(const struct fold *f, int dir_fd); /* fsync, unless SYNC_DIRECTORIES=0 */
int64_t files_now_ns(int dir_fd, bool *local); /* by the file server's clock */
bool files_is_local(int dir_fd);
int files_copy(int from, const char *a, int to_tmp, const char *tmp); /* bytes, mtime; synced */
int files_write_whole(int dir_fd, const char *name, struct str s, struct err *e); /* temp, fsync, rename */
int files_read_whole(int dir_fd, const char *name, size_t max, struct buf *out, struct err *e);
int files_remove_tree(int at, const char *name);
void files_remove_gone(int maildir_fd); /* deleted folders that a crash left in posthouse/ */
void files_purge_tmp(int maildir_fd); /* what is older than 36 hours */

/* names.c; canonical: "INBOX" or "INBOX.x" */
char *names_canonical(struct str name); /* malloc'd; the name was checked */
char *names_disk(bool mutf7, struct str canonical); /* malloc'd "." or ".x"; NULL: can't be written */
bool names_client(bool mutf7, struct str disk, struct buf *out); /* ".x" -> "INBOX.x"; false: not a folder's */
/* I/O thread: the directory of a folder, in whichever form it is there. Returns the descriptor, or -1
 * with errno; *disk is its name (malloc'd) in both cases. */
int names_open(struct store *st, struct str canonical, char **disk);
enum store_code names_check(const struct settings *set, struct str name, struct err *e);

/* uidvalidity.c, for disk_opts; ctx is the store */
uint32_t uidvalidity_new(void *store, uint32_t above);
int uidvalidity_seen(struct store *st, uint32_t v); /* another server gave it: counts as given. -1 errno */

/* uidtrace.c, I/O thread: UIDs that were given under another server's UIDVALIDITY. 0 = none known */
uint32_t uidtrace_read(int dir, uint32_t uidvalidity);
int uidtrace_write(int dir, uint32_t uidvalidity, uint32_t ceiling, struct err *e); /* never lowers it */
int uidtrace_reserved(void *fold, uint32_t uidvalidity, uint32_t ceiling, struct err *e); /* for disk_opts */

/* import.c, I/O thread: what Courier or Dovecot knew of a folder. For disk_opts; first_ctx is the fold */
int import_first(void *fold, uint32_t *uidvalidity, struct buf *records, struct err *e);
/* What they did since: a folder that has just been read from its journal, and that nobody else knows. */
int import_again(struct fold *f, struct err *e);
/* Dovecot's subscriptions become ours, where no folder was ever opened here, or where it was asked for. */
void import_subscriptions(struct store *st);
/* A whole file of another server's, in a folder's directory; refused (and logged) where it isn't the account's own.
 * -1: nothing there that may be read, -2: errno, the volume's fault; out is empty. */
int foreign_read(struct store *st, const char *folder, int dir, const char *name, struct buf *out, int64_t *mtime);
#define SUBSCRIBED_NAME "courierimapsubscribed"
enum { SUBSCRIBED_MAX = 64 << 20 };

/* subscribe.c, specialuse.c: I/O thread */
int subscribe_read(struct store *st, struct buf *text, struct err *e); /* one canonical name per line */
int specialuse_read(struct store *st, struct hmap **by_name, struct err *e); /* values: malloc'd "\\Sent" */
void specialuse_free(struct hmap **by_name);
int specialuse_set(struct store *st, struct str name, struct str use, struct err *e); /* use empty: none */
int specialuse_rename(struct store *st, struct str from, struct str to, struct err *e);

/* quota.c; I/O thread unless said otherwise */
void quota_init(struct store *st); /* loop */
bool quota_counts_folder(const struct store *st, const char *disk_name);
void quota_count_folder(const struct store *st, int dir_fd, struct quota_use *u); /* adds what lies in it */
/* Room for so much more? -1: r says STORE_QUOTA. What can't be known is room. */
int quota_check(struct store *st, int64_t bytes, int64_t count, struct store_result *r);
/* The same without counting anew, between the two below. */
int quota_check_again(struct store *st, int64_t bytes, int64_t count, struct store_result *r);
/* Around each change of ours, files and all; the end adds its line, where it is any. */
void quota_change_begin(struct store *st);
void quota_change_end(struct store *st, const struct quota_use *u);
/* What records mean that we wrote ourselves and that aren't applied yet (what others do, they count themselves). */
void quota_of_records(const struct fold *f, struct str records, struct quota_use *u);
/* Loop: counts anew in the background if an I/O thread found that it should be. */
void quota_look_later(struct store *st);
/* Loop: quota_check as a request. */
void quota_room(struct store *st, int64_t bytes, int64_t count, store_done_fn *done, void *ctx);

/* copy.c */
void copy_all(struct fold *from, struct fold *to, store_done_fn *done, void *ctx); /* RENAME of INBOX */
/* What is \Deleted among uids (NULL: all), by slices. */
void copy_to_trash(struct fold *from, struct fold *trash, const uint32_t *uids, size_t n, const void *origin,
		   store_done_fn *done, void *ctx);

/* trash.c */
void trash_init(struct store *st);
void trash_free(struct store *st);
bool trash_busy(const struct store *st); /* a look is under way */
bool trash_is(const struct store *st, const char *canonical);
void trash_expunge(struct fold *f, const uint32_t *uids, size_t n, const void *origin, store_done_fn *done, void *ctx);

/* expunge.c: I/O thread: removes the file of a message. 1: gone; 0: kept, since its file isn't \Deleted
 * any more (only with check); -1 errno. */
int expunge_file(struct fold *f, const struct msg *m, bool check, struct md_name *now, char name[256]);
