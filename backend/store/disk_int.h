/* SPDX-License-Identifier: Apache-2.0 */
/* disk_int: what disk.c, journal.c, lock.c and mark.c share; nobody else includes it. */
#pragma once
#include "backend/store/disk.h"

#define LOCK_TOKEN_LEN 32 /* hex digits */

struct disk_mark {
	bool clean;
	uint64_t generation, offset; /* the journal reached at least this far when it was written */
	uint32_t uidvalidity; /* 0: not known */
	uint32_t uid_ceiling;
	uint64_t modseq_ceiling;
	int64_t new_mtime, cur_mtime;
};

struct disk {
	struct disk_opts o;
	char *dir_name;
	int ph;                      /* posthouse/ */
	int journal;                 /* journal.gen */
	uint64_t gen, offset;        /* read or written up to here */
	uint64_t before;             /* bytes of earlier journals since the snapshot */
	uint32_t uidvalidity;
	struct disk_mark mark;
	bool was_clean;
	struct rec owed;             /* a RESERVE that the volume didn't take at the opening */
	bool owes;
	struct buf pending;          /* read while the lock was being taken; goes to disk_lock's caller */
	bool locked;
	char token[LOCK_TOKEN_LEN + 1]; /* what our lock file holds */
	bool own_file;               /* lock.TOKEN is there, or is the lock now */
	bool no_rename;              /* the file system can't rename without replacing */
};

/* journal.c */
struct journal_head {
	uint64_t gen, prev_gen, prev_end; /* prev_gen sealed at prev_end bytes; prev_gen 0: none */
	uint32_t uidvalidity;
	bool snapshot; /* snapshot.gen holds everything before */
};
#define JOURNAL_HEAD_LEN 64
void journal_name(char out[40], const char *kind, uint64_t gen);
/* Opens journal.gen. 0; -1 errno (ENOENT); -2: the header is torn or damaged. */
int journal_open(int ph, uint64_t gen, int *fd, struct journal_head *h);
/* Makes journal.gen (O_EXCL) with these first records, all synced; -1 errno (EEXIST). */
int journal_make(int ph, const struct journal_head *h, struct str records, int *fd);
/* Appends bytes [from, to) of a file to *out; to UINT64_MAX: to the end. -1 errno. */
int journal_read(int fd, uint64_t from, uint64_t to, struct buf *out);
/* Length of the run of whole records at the start of s; *torn: what follows looks like a write that
 * was cut off (nothing valid behind it), as against damage in the middle. */
size_t journal_valid(struct str s, bool *torn);
int journal_write(int fd, struct str s, uint64_t at); /* all of s at that offset; -1 errno */
int snapshot_read(int ph, uint64_t gen, struct buf *out); /* -1 errno, EBADMSG: damaged */
int snapshot_write(int ph, uint64_t gen, struct str records);
/* Newest generation that has a journal file; 0: none. -1 on error. */
int journal_newest(int ph, uint64_t *gen);
void journal_prune(int ph, uint64_t keep_from); /* older generations, an hour old */

/* disk.c: reads on (into d->pending) and makes a generation that seals what was read; it starts with a
 * RESERVE record, since a dead holder may have shown numbers that never reached the disk. */
int disk_seal(struct disk *d, struct err *e);

/* lock.c */
int lock_take(struct disk *d, struct err *e);
bool lock_ours(const struct disk *d);
void lock_release(struct disk *d);
void lock_forget(struct disk *d); /* takes lock.TOKEN away */

/* mark.c: 0; -1 errno (ENOENT: none, EBADMSG: damaged) */
int mark_read(int ph, struct disk_mark *m);
/* Writes d->mark with the generation and offset of now. */
int mark_write(struct disk *d, bool clean, struct err *e);
