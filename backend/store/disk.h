/* SPDX-License-Identifier: Apache-2.0 */
/*
 * disk: the folder's own files below DIR/posthouse/ (DESIGN.md P13): journal.G, snapshot.G and the
 * dot-lock. Blocking calls, used on I/O threads by one job at a time. No fcntl/flock, no shared
 * writable map, no hard link needed; files are never truncated and never renamed over.
 *
 * Journal file: header, then records. A record says one change; the state of a folder is what its
 * records say, applied in order. A snapshot is the same records in their shortest form, as of the
 * start of journal G. Numbers are little-endian; each record carries its size, type, version and
 * CRC-32C, so that a torn tail is seen and unknown newer types are skipped.
 */
#pragma once
#include "common/base/buf.h"
#include "common/base/err.h"

enum rec_type {
	REC_ADD = 1,      /* a message got its UID */
	REC_FLAGS = 2,    /* base plus masks */
	REC_KEYWORDS = 3, /* keyword numbers added and removed */
	REC_EXPUNGE = 4,
	REC_KEYWORD = 5,  /* defines keyword number n */
	REC_RESERVE = 6,  /* uidnext and modseq rise to at least these (written and made by disk.c after an
			   * unclean end: numbers up to here may have been shown) */
	REC_SIZE = 8,     /* the wire size of a message became known */
	REC_STATE = 9,    /* last record of a snapshot: uidnext, modseq, floor */
	REC_VANISHED = 10, /* in a snapshot: UIDs that were expunged before, in the order in which they went */
	REC_TYPE_MAX = REC_VANISHED
};
#define REC_KW_MAX 64

struct rec { /* decoded; slices point into the buffer that was read */
	enum rec_type type;
	uint32_t uid;
	uint64_t modseq;
	/* ADD */
	struct str base, extra; /* file name up to ":2,"; unknown flag letters */
	uint8_t flags;          /* ADD: as found; FLAGS: base (what they were before) */
	bool in_new;
	int64_t internaldate, savedate; /* savedate 0: unknown */
	uint64_t size, wire;
	struct str emailid;     /* room for OBJECTID; empty */
	/* FLAGS: flags = (flags & ~del) | add */
	uint8_t add, del;
	/* KEYWORDS; ADD uses kw_add. More than REC_KW_MAX: several KEYWORDS records */
	uint16_t kw_add[REC_KW_MAX], kw_del[REC_KW_MAX];
	uint16_t nadd, ndel;
	/* KEYWORD */
	uint16_t kw;
	struct str keyword;
	/* RESERVE, STATE */
	uint32_t uidnext;
	/* STATE: every expunge with a modseq above floor is known. Without keeps_expunges (as version 1 wrote it) floor is
	 * read as modseq: none is. Such a record may also stand in a journal, where somebody else had the folder. */
	bool keeps_expunges;
	uint64_t floor;
	/* VANISHED: uid to last; modseq is uid's, each further one's is greater by one */
	uint32_t last;
};
void rec_put(struct buf *b, const struct rec *r);
/* Takes the next record off *s. 1: *r is set; 0: s is empty; -1: torn or damaged here (s unchanged).
 * Records of unknown types are skipped. */
int rec_get(struct str *s, struct rec *r);

struct disk;
struct disk_opts {
	int dir_fd;           /* the folder's directory; stays the caller's */
	const char *dir_name; /* for messages; copied */
	bool use_locks;
	uint64_t lock_timeout_ms, lock_stale_ms;
	/* For a folder that has no UIDVALIDITY yet, or must change it: larger than any given before in
	 * this store. Called on the I/O thread. 0 = failed, errno set. */
	uint32_t (*new_uidvalidity)(void *ctx, uint32_t above); /* 0: errno */
	void *ctx;
	/* For a folder that no journal was ever begun for: what it begins with, in the form of a snapshot.
	 * *uidvalidity stays 0 where a new one is wanted. May be NULL. Under the lock, on the I/O thread. */
	int (*first)(void *folder_ctx, uint32_t *uidvalidity, struct buf *records, struct err *e);
	/* Before UIDs up to a new ceiling are given. -1: they can't be. May be NULL. */
	int (*reserved)(void *folder_ctx, uint32_t uidvalidity, uint32_t ceiling, struct err *e);
	void *folder_ctx;
};

/* Opens or makes posthouse/, finds the newest generation, reads snapshot and journals, and appends
 * their records to *records. Takes and releases the lock where something has to be made or mended.
 * *rebuilt: damage was found (log it): the folder starts anew, without records and with a new UIDVALIDITY,
 * since a UID could have been lost. 0, or -1 with *e. */
int disk_open(const struct disk_opts *o, struct disk **out, struct buf *records, bool *rebuilt, struct err *e);
void disk_close(struct disk **d);
uint32_t disk_uidvalidity(const struct disk *d);
uint64_t disk_generation(const struct disk *d);
uint64_t disk_offset(const struct disk *d);       /* read up to here in the journal of this generation */
uint64_t disk_journal_size(const struct disk *d); /* bytes of journals since the last snapshot */

/* Reads what others appended since, without the lock (a follower), moving on to newer generations by
 * itself. *reset: the files went away or UIDVALIDITY changed: the folder must be opened anew. */
int disk_tail(struct disk *d, struct buf *records, bool *reset, struct err *e);

/* The folder's dot-lock posthouse/lock, O_EXCL. Waits up to lock_timeout. Taking over a dead holder's
 * lock first creates generation G+1, whose header seals G. Appends what others wrote since (as
 * disk_tail) to *records. -1: e->code EAGAIN = timeout. */
int disk_lock(struct disk *d, struct buf *records, bool *reset, struct err *e);
bool disk_locked(const struct disk *d);
/* Appends to the journal; only with the lock held. sync: fdatasync as well. On an error nothing of it
 * counts: a half-written tail is sealed off by a new generation. */
int disk_append(struct disk *d, struct str records, bool sync, struct err *e);
int disk_sync(struct disk *d, struct err *e); /* fdatasync of the journal; without the lock too */
/* Looks whether the lock is still ours; only after a true answer may an OK, UID or modseq leave. */
bool disk_still_locked(const struct disk *d);
void disk_unlock(struct disk *d);
/* With the lock held: new generation: snapshot.G+1 (records in shortest form, STATE first), synced,
 * then journal.G+1. Files older than the previous generation and an hour are removed. */
int disk_compact(struct disk *d, struct str records, struct err *e);
/* The same for a folder that begins anew under another UIDVALIDITY, which must be larger: whoever has it open
 * sees a reset. */
int disk_restart(struct disk *d, uint32_t uidvalidity, struct str records, struct err *e);

/*
 * posthouse/mark: UIDVALIDITY, ceilings of UIDs and modseqs that were reserved durably ahead, and how the last
 * process left. Written only with the lock held (temp, fsync, rename). A journal that is shorter than
 * the mark says was damaged; one that goes on behind a clean mark, or has no clean one, was not closed
 * in order: disk_open then ends *records with a RESERVE record, so that no number is given twice.
 */
/* Before numbers up to these are used: makes sure that they are reserved; mostly no system call,
 * reserves 1,000 ahead otherwise. With the lock held. */
int disk_reserve(struct disk *d, uint32_t uid, uint64_t modseq, struct err *e);
/* All UIDs that this or another process may have given are below. With the lock held. */
uint32_t disk_uid_ceiling(struct disk *d);
/* At the orderly close of a folder, with the lock held: syncs the journal and marks it clean. mtimes:
 * st_mtim (ns) of new/ and cur/ as of which the journal is complete, -1 = not known to be clean. */
int disk_mark_clean(struct disk *d, int64_t new_mtime, int64_t cur_mtime, struct err *e);
/* After disk_open: the mtimes of the clean mark; false where it was not closed clean. */
bool disk_was_clean(const struct disk *d, int64_t *new_mtime, int64_t *cur_mtime);
/* Reads what a sandboxed process can't any more (boot id, pid namespace). Call before the sandbox. */
void disk_host_init(void);
