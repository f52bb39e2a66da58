/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store: one account's Maildir++ as imapd sees it: folders, messages, changes. Loop side of
 * DESIGN.md P5 to P7, P9, P11, P13, P14, P17.
 *
 * Everything that may block is a request with a completion (store_done_fn and friends, always
 * called later, never from inside the request call); it runs on the I/O threads (jobs). What is in
 * memory is read directly from struct folder / struct msg.
 *
 * Change flows in one direction: whatever happens, by us, by another process or by a foreign
 * program, becomes journal records; the records are applied to the folder's message table on the
 * loop by one function, which tells every listener in the same turn.
 */
#pragma once
#include "common/base/err.h"
#include "common/base/list.h"
#include "common/base/str.h"
#include "common/base/vec.h"
#include "common/config/settings.h"

struct store;
struct folder;
struct jobs;
struct loop;

/* ---- results ---------------------------------------------------------------------------------- */
enum store_code {
	STORE_OK,
	STORE_NONEXISTENT,  /* no such folder: NO [NONEXISTENT] / [TRYCREATE] */
	STORE_EXISTS,       /* NO [ALREADYEXISTS] */
	STORE_BADNAME,      /* NO [CANNOT] */
	STORE_NOPERM,       /* EACCES, EPERM, EROFS: NO [NOPERM] */
	STORE_OVERQUOTA,    /* ENOSPC, EDQUOT: NO [OVERQUOTA] */
	STORE_QUOTA,        /* the account's own quota: NO [OVERQUOTA] */
	STORE_TOOBIG,       /* NO [TOOBIG] */
	STORE_LIMIT,        /* a limit of ours: NO [LIMIT] */
	STORE_EXPUNGED,     /* the message has gone: NO [EXPUNGEISSUED] */
	STORE_HASCHILDREN,  /* NO [HASCHILDREN] */
	STORE_INUSE,        /* lock not had within LOCK_TIMEOUT: NO [INUSE] */
	STORE_UNAVAILABLE,  /* any other fault of the volume: NO [UNAVAILABLE] */
	STORE_CODE_N
};
struct store_result {
	enum store_code code;
	struct err err; /* for the log and, where harmless, the client */
};
typedef void store_done_fn(void *ctx, const struct store_result *r);

/* ---- messages --------------------------------------------------------------------------------- */
enum { /* msg.flags; in file names the letters D F R S T */
	MSG_SEEN = 1,
	MSG_ANSWERED = 2,
	MSG_FLAGGED = 4,
	MSG_DELETED = 8,
	MSG_DRAFT = 16,
	MSG_FLAGS_ALL = 31
};
enum { /* msg.state */
	MSG_EXPUNGED = 1, /* tombstone: kept until every listener has passed it */
	MSG_IN_NEW = 2,   /* the file lies in new/ */
	MSG_RECENT = 4,   /* came from new/ and no read-write session has been told of it yet */
	MSG_OPAQUE = 8,   /* crashed an earlier imapd: never parsed, served as bytes */
};

struct kwset { /* interned: equal sets are the same pointer within a folder; NULL = no keywords */
	uint16_t n;
	uint16_t kw[]; /* sorted indexes into folder.keywords */
};

struct msg { /* read-only outside the store */
	uint32_t uid;
	uint8_t flags, state;
	uint64_t modseq;
	uint64_t expunge_no;    /* of a tombstone: order in which it went */
	int64_t internaldate;   /* seconds since 1970 (the file's mtime) */
	uint64_t size;          /* bytes of the file */
	uint64_t wire;          /* RFC822.SIZE, line ends as CRLF; 0 = not yet known */
	const struct kwset *kw;
	const char *base;       /* file name up to ":2," */
	const char *extra;      /* flag letters we don't know, kept as they are ("" mostly) */
};

enum folder_change_kind {
	FOLDER_ADDED,    /* msg is new, the last in the table */
	FOLDER_FLAGS,    /* flags or keywords of msg changed; modseq is new */
	FOLDER_EXPUNGE,  /* msg became a tombstone */
	FOLDER_KEYWORDS, /* a keyword was added to folder.keywords */
	FOLDER_LIVE,     /* folder_live() changed */
	FOLDER_GONE,     /* the folder was deleted, or its UIDVALIDITY changed: sessions must leave */
};
struct folder_change {
	enum folder_change_kind kind;
	size_t index;       /* of msg in folder.msgs */
	const struct msg *msg;
	const void *origin; /* the origin of the request that made it, or NULL: others, foreign programs */
	bool silent;        /* the origin asked not to be told (.SILENT) */
};
struct folder_listener {
	struct list link;
	void (*on_change)(void *ctx, const struct folder_change *ch);
	void *ctx;
	bool writable;           /* SELECT; false = EXAMINE: new/ is left alone for it */
	uint64_t expunge_passed; /* tombstones with expunge_no up to here were told; see folder_passed */
};

struct folder { /* read-only outside the store, but for claiming MSG_RECENT by folder_claim_recent */
	struct store *store;
	char *name; /* as clients see it, UTF-8: "INBOX", "INBOX.Sent" */
	uint32_t uidvalidity, uidnext;
	uint64_t modseq;        /* highest given so far; at least 1 */
	VEC(struct msg) msgs;   /* sorted by uid, tombstones among them */
	VEC(uint32_t) tombs;    /* uids of the tombstones, sorted */
	VEC(char *) keywords;
	uint64_t expunges;      /* last expunge_no given */
	struct list listeners;
};

/* ---- the store -------------------------------------------------------------------------------- */
struct store_opts {
	struct loop *loop;
	struct jobs *jobs;
	const struct settings *set;
	int maildir_fd;    /* O_RDONLY directory; owned by the store */
	const char *user;  /* for log lines */
	const char *quota; /* of the user record, as in maildirsize; NULL or "": none */
	/* Other servers' lists are read when a folder is first opened; from AGAIN on, also of those that we know. */
	enum store_import { IMPORT_FIRST, IMPORT_AGAIN, IMPORT_COURIER, IMPORT_DOVECOT } import;
	struct str opaque; /* base names, NUL-separated (ipc/session.h) */
	void *crash_page;  /* struct crash_page * of ipc/session.h, or NULL */
	void (*want_notify_link)(void *ctx); /* the link to notifyd broke: get a new one (may be NULL) */
	void *ctx;
};
struct store *store_new(const struct store_opts *o);
/* Looks at the Maildir (cur, new, tmp made if missing), chooses the names' form. */
void store_open(struct store *st, store_done_fn *done, void *ctx);
void store_set_notify_link(struct store *st, int fd); /* owned by the store */
/* Everything that waits is made durable (flags within their second), folders get their CLEAN mark. */
void store_close(struct store *st, store_done_fn *done, void *ctx);
void store_free(struct store **st); /* after store_close has completed, or on the way out */

/* ---- the list of folders ---------------------------------------------------------------------- */
enum {
	FOLDER_SUBSCRIBED = 1,
	FOLDER_NOSELECT = 2,    /* only a level of other names */
	FOLDER_HASCHILDREN = 4,
	FOLDER_NONEXISTENT = 8, /* subscribed, but not there */
	FOLDER_MARKED = 16,     /* with IMAP_CHECK_ALL_FOLDERS: something lies in new/ */
	FOLDER_UNMARKED = 32,
};
struct folder_info {
	struct str name; /* UTF-8, "INBOX.a.b" */
	unsigned bits;
	struct str special_use; /* "\Sent", or empty */
};
struct folder_list {
	struct folder_info *a; /* sorted by name, INBOX first; missing parents are there as FOLDER_NOSELECT */
	size_t n;
};
/* l is valid during the callback only; NULL when r->code isn't STORE_OK. */
typedef void store_list_fn(void *ctx, const struct store_result *r, const struct folder_list *l);
void store_list(struct store *st, store_list_fn *done, void *ctx);

/* Names are UTF-8 with '.' between levels: "INBOX" (case ignored) or "INBOX.x.y"; no empty level, '/',
 * NUL, control characters, over-long part, "..", too deep (B40). Never a path. */
enum store_code store_name_check(const struct store *st, struct str name, struct err *e);
void store_create(struct store *st, struct str name, struct str special_use, store_done_fn *done, void *ctx);
void store_delete(struct store *st, struct str name, store_done_fn *done, void *ctx);
/* Children move too; INBOX's messages move into the new folder and INBOX stays (RFC 3501 6.3.5). */
void store_rename(struct store *st, struct str from, struct str to, store_done_fn *done, void *ctx);
void store_subscribe(struct store *st, struct str name, bool on, store_done_fn *done, void *ctx);

struct quota_use {
	int64_t bytes, count;             /* in use */
	int64_t bytes_limit, count_limit; /* 0: none */
};
typedef void store_quota_fn(void *ctx, const struct store_result *r, const struct quota_use *u);
void store_quota(struct store *st, store_quota_fn *done, void *ctx);

struct folder_status {
	uint32_t messages, recent, unseen, uidnext, uidvalidity, deleted;
	uint64_t modseq;
	uint64_t deleted_bytes; /* of those that are \Deleted */
};
typedef void store_status_fn(void *ctx, const struct store_result *r, const struct folder_status *s);
void store_status(struct store *st, struct str name, store_status_fn *done, void *ctx);

/* ---- an open folder --------------------------------------------------------------------------- */
/* Opens (shared by all sessions) and synchronises with the disk before done. The listener is in
 * place when done is called with STORE_OK; folder_close takes it out. If the caller's session ends
 * while the open is under way, folder_open_cancel(l) makes sure that done is never called. */
typedef void folder_open_fn(void *ctx, const struct store_result *r, struct folder *f);
void folder_open(struct store *st, struct str name, struct folder_listener *l, folder_open_fn *done, void *ctx);
void folder_open_cancel(struct store *st, struct folder_listener *l);
void folder_close(struct folder *f, struct folder_listener *l);
/* The listener has told its client of all tombstones up to expunge_no. Those that all passed go. */
void folder_passed(struct folder *f, struct folder_listener *l, uint64_t expunge_no);
/* A read-write session takes the \Recent of msgs[index]: true for exactly one caller. */
bool folder_claim_recent(struct folder *f, size_t index);

bool folder_live(const struct folder *f); /* notifyd watches it: changes come by themselves */
bool folder_settling(const struct folder *f); /* it is about to: the watch was asked for */
/* Brings the table up to date with the disk: live: a fence; else a look at mtimes and the journal,
 * a scan where they changed. Listeners have heard of everything before done. */
void folder_sync(struct folder *f, store_done_fn *done, void *ctx);

/* Index of the first message with a uid >= the one given (msgs.n: none). */
size_t folder_find(const struct folder *f, uint32_t uid);
/* Calls fn for each message that is no tombstone and has modseq > since, in ascending order of index.
 * Cheap where little changed. */
void folder_changed_since(struct folder *f, uint64_t since, void (*fn)(void *ctx, size_t index), void *ctx);

/* Calls fn for ranges of UIDs that went after modseq since, in no order; where the history of expunges doesn't
 * reach back so far, for all that were given and aren't there. Tombstones are among them. Cost follows the
 * answer, but for that case. */
typedef void folder_vanished_fn(void *ctx, uint32_t lo, uint32_t hi);
void folder_vanished_since(const struct folder *f, uint64_t since, folder_vanished_fn *fn, void *ctx);

/* ---- changes ---------------------------------------------------------------------------------- */
enum flags_mode { FLAGS_SET, FLAGS_ADD, FLAGS_REMOVE };
struct flags_request { /* copied */
	const uint32_t *uids; /* sorted */
	size_t n;
	enum flags_mode mode;
	uint8_t flags;              /* MSG_SEEN ... */
	const struct str *keywords; /* names; new ones are added to the folder (limit: STORE_LIMIT) */
	size_t nkeywords;
	const void *origin;         /* goes into folder_change.origin */
	bool silent;
	/* UNCHANGEDSINCE, looked at under the folder's lock: messages with a higher modseq, or whose file shows that
	 * another program has just changed them, are left alone. modified (not NULL: conditional) hears of them,
	 * sorted, if there are any, just before done. */
	uint64_t unchanged_since;
	void (*modified)(void *ctx, const uint32_t *uids, size_t n);
};
/* One batch under one lock. Messages that have gone meanwhile are skipped: STORE_EXPUNGED at the end
 * if there were any. Durable as SYNC_FLAGS says. */
void folder_flags(struct folder *f, const struct flags_request *q, store_done_fn *done, void *ctx);
/* Removes the messages among uids (NULL: all) that are \Deleted, or moves them to the trash
 * (IMAP_MOVE_EXPUNGE_TO_TRASH). Durable before done. */
void folder_expunge(struct folder *f, const uint32_t *uids, size_t n, const void *origin,
		    store_done_fn *done, void *ctx);

/* Begins what IMAP_EMPTYTRASH asks for, in the background, where it may be due. */
void store_purge(struct store *st);

struct uid_map { /* source and new UIDs, pairwise, in ascending order of source */
	const uint32_t *from, *to;
	size_t n;
	uint32_t uidvalidity; /* of the target */
};
typedef void folder_copy_fn(void *ctx, const struct store_result *r, const struct uid_map *m);
/* All or nothing (RFC 3501 6.4.7). Hard link (move: rename) where the file system allows, else by
 * copy. Flags, keywords and internal dates come along. Durable before done. The target may be the
 * same folder. move: the source's records are expunged in the same go, all or, where a source had
 * gone already, the rest (STORE_EXPUNGED and the map of what was moved). */
void folder_copy(struct folder *f, const uint32_t *uids, size_t n, struct str to, bool move,
		 const void *origin, folder_copy_fn *done, void *ctx);

/* APPEND: the messages of one command, one after the other; each streams to tmp/ in pieces. */
struct append;
struct append_opts { /* copied */
	struct str folder;
	uint8_t flags;
	const struct str *keywords;
	size_t nkeywords;
	int64_t internaldate; /* -1: now */
	uint64_t size;        /* announced, for a look at the limit */
};
typedef void append_done_fn(void *ctx, const struct store_result *r, uint32_t uidvalidity, const uint32_t *uids,
			    size_t n);
/* Checks name, existence, limits; opens the file. done says whether the client may send. */
struct append *append_begin(struct store *st, const struct append_opts *o, store_done_fn *done, void *ctx);
/* Takes the bytes (CRLF or LF as the client sent them; line ends as MAILDIR_CRLF says). False: the
 * append holds enough for now: stop reading the client, drained is called when there is room. */
bool append_write(struct append *a, struct str bytes, store_done_fn *drained, void *ctx);
/* The message at hand is whole, another one of the same command begins (o->folder isn't looked at). done as
 * above. */
void append_next(struct append *a, const struct append_opts *o, store_done_fn *done, void *ctx);
/* All messages (RFC 3502), directory entries and journal are on disk before done, with one sync of each directory
 * and of the journal; where one fails, none is there. Frees a afterwards. */
void append_commit(struct append *a, append_done_fn *done, void *ctx);
void append_abort(struct append **a); /* at any time before commit; the file in tmp/ goes */

/* ---- other servers' files ----------------------------------------------------------------------- */
/* Writes UIDVALIDITY, UIDs and keywords of the folder as that server keeps them. Durable before done. */
enum store_server { SERVER_COURIER, SERVER_DOVECOT };
void folder_export(struct folder *f, enum store_server to, store_done_fn *done, void *ctx);
void store_export_subscriptions(struct store *st, enum store_server to, store_done_fn *done, void *ctx);
const char *folder_said(const struct folder *f); /* a line about the folder's import or export; "" = none */

/* ---- reading messages, on I/O threads ----------------------------------------------------------- */
/* File name of a message as it mostly is: for log lines. */
void msg_file_name(const struct msg *m, char name[256]);

struct folder_files; /* directory descriptors with a reference count, safe on other threads */
struct folder_files *folder_files_get(struct folder *f);
void folder_files_put(struct folder_files **ff);
/* What a job needs to open one message, copied on the loop. */
struct msg_ref {
	uint32_t uid;
	uint8_t state;
	struct folder_files *files; /* borrowed: the job holds its own reference meanwhile */
	char name[256];             /* file name as known now, without directory */
};
void msg_ref_fill(const struct folder *f, const struct msg *m, struct folder_files *ff, struct msg_ref *r);
/* I/O thread: opens for reading (O_NOFOLLOW, regular, owned as maildir.h says); a file that another
 * program renamed meanwhile is found by a scan. Returns the descriptor, or -1 with errno: ENOENT =
 * really gone. size and mtime by fstat. */
int msg_open(const struct msg_ref *r, uint64_t *size, int64_t *mtime);
/* Loop: what a reader learnt. */
void folder_learn_wire(struct folder *f, uint32_t uid, uint64_t wire);
void folder_suspect(struct folder *f, uint32_t uid); /* msg_open said ENOENT: verify, expunge if so */
/* I/O thread: around parsing: the crash page names the message meanwhile. */
void store_parse_begin(struct store *st, const char *name);
void store_parse_end(struct store *st);
