/* SPDX-License-Identifier: Apache-2.0 */
/*
 * view: what one session knows of a folder (DESIGN.md P14): numbers, flags, \Recent, and what it has
 * to be told. It keeps no copy of the message table: a client's message number is the table's index
 * less the tombstones before it that this client was told of.
 *
 * Changes are noted as they come and told by view_tell at the ends of commands; in IDLE each is told
 * in the same turn as long as the client keeps up, and merged where it doesn't.
 */
#pragma once
#include "backend/store/store.h"
#include "common/base/buf.h"

struct view;

struct view_ops { /* of the client */
	struct buf *(*out)(void *ctx);
	bool (*full)(void *ctx);     /* the client's output buffer is full */
	void (*pending)(void *ctx);  /* in push mode: view_tell is due, later in this turn */
	void (*gone)(void *ctx);     /* FOLDER_GONE: the session must leave */
	void (*live)(void *ctx);     /* folder_live has changed; may be NULL */
};

/* Opens. done gets the view, or NULL with the fault in r. */
typedef void view_open_fn(void *ctx, const struct store_result *r, struct view *v);
struct view_opts {
	struct str name;
	bool writable;
	bool keywords; /* clients may make new ones */
};
struct view *view_open(struct store *st, const struct view_opts *o, view_open_fn *done, void *ctx);
void view_set_ops(struct view *v, const struct view_ops *ops, void *ctx);
void view_close(struct view **v); /* at any time, before done too (which is then not called) */

struct folder *view_folder(const struct view *v);
bool view_writable(const struct view *v);
uint32_t view_exists(const struct view *v); /* as the client was told */
uint32_t view_recent(const struct view *v);
uint32_t view_unseen(const struct view *v); /* number of the first unseen message, 0 = none */

/* ---- numbers ---------------------------------------------------------------------------------- */
/* Index in folder.msgs of message number seq (1 ... view_exists). The message may be a tombstone
 * that the client wasn't told of yet. Indexes are good until the next turn of the loop. */
size_t view_index(const struct view *v, uint32_t seq);
/* Message number of msgs[index]; 0 where the client doesn't know the message (not told yet, or told
 * that it went). */
uint32_t view_seq(const struct view *v, size_t index);
uint32_t view_seq_of_uid(const struct view *v, uint32_t uid); /* 0 the same way */
/* Walks the messages that the client knows, in order: start with *seq = 0 and *index = 0; false at
 * the end. Constant time a step. */
bool view_next(const struct view *v, uint32_t *seq, size_t *index);
uint32_t view_max_uid(const struct view *v); /* of the known messages; 0 = none */

/* ---- what a message shows ------------------------------------------------------------------- */
bool view_is_recent(const struct view *v, uint32_t uid);
/* "(\Seen kw)" with \Recent where it is this session's. */
void view_put_flags(const struct view *v, const struct msg *m, struct buf *out);
/* "(\Draft ... kw)" of SELECT's FLAGS and, with permanent, of PERMANENTFLAGS. */
void view_put_flag_list(const struct view *v, bool permanent, struct buf *out);
/*
 * A command that changes flags passes the view as the request's origin; the view then takes no note
 * of the change and the command tells it itself (or doesn't: .SILENT). view_flags_told: FETCH or
 * STORE told the message's flags as they are now: a pending change of it is told no more.
 */
void view_flags_told(struct view *v, uint32_t uid);

/* ---- CONDSTORE, QRESYNC (RFC 7162) ------------------------------------------------------------- */
/* From now on FETCH that nobody asked for has UID and MODSEQ, and with qresync VANISHED stands for EXPUNGE.
 * first: the client doesn't know HIGHESTMODSEQ, view_tell_highest says it. */
void view_enable(struct view *v, bool qresync, bool first);
/* Up to here the client knows everything when all that is pending and may be told has been told. */
uint64_t view_highest(const struct view *v);
void view_told_highest(struct view *v, uint64_t modseq); /* HIGHESTMODSEQ was said */
/* When all was told: says HIGHESTMODSEQ where the client, going by the MODSEQs that it has seen, believes
 * otherwise: VANISHED tells none, and while a VANISHED must wait, later MODSEQs are too high (3.2). */
void view_tell_highest(struct view *v);
/* "MODSEQ (7)" */
void view_put_modseq(struct view *v, const struct msg *m, struct buf *out);
/* A whole FETCH line about what became of a message, with flags or just its MODSEQ; uid: in any case. */
void view_put_news(struct view *v, const struct msg *m, uint32_t seq, bool uid, bool flags);

/* ---- telling ---------------------------------------------------------------------------------- */
bool view_pending(const struct view *v);
/* Push mode (IDLE): a flag change is written at once if the client keeps up; for all else
 * ops.pending is called. */
void view_push(struct view *v, bool on);
/* New keywords only: FLAGS and PERMANENTFLAGS, due before a line that shows one. */
void view_tell_keywords(struct view *v);
/* Writes what is pending: keywords, EXPUNGE (if allowed), EXISTS and RECENT, FETCH (FLAGS) of new and
 * of changed messages. False: the output is full, call again when it has drained. */
bool view_tell(struct view *v, bool expunge);
