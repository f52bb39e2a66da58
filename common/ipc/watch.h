/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch: imapd <-> notifyd (DESIGN.md P15 to P17).
 *
 * The connecting master says WATCH_HELLO for the imapd first (notifyd believes it because of
 * SO_PEERCRED) and then passes the link on. Folders are subscribed by passing open directory
 * descriptors, never paths. Events are hints. At most WATCH_WINDOW subscriptions may be without
 * their acknowledgement.
 */
#pragma once
#include "common/ipc/wire.h"

enum watch_msg {
	WATCH_HELLO = 1,        /* master -> notifyd, u32 uid whose budget counts, u64 dev, u64 ino of the store */
	WATCH_SUBSCRIBE = 2,    /* imapd -> notifyd, u32 folder id; 2 fds: new/, cur/ */
	WATCH_SUBSCRIBED = 3,   /* notifyd -> imapd, u32 folder id, u8 ok, text: why not */
	WATCH_UNSUBSCRIBE = 4,  /* imapd -> notifyd, u32 folder id */
	WATCH_FENCE = 5,        /* imapd -> notifyd, u32 fence id */
	WATCH_FENCED = 6,       /* notifyd -> imapd, u32 fence id: everything that the kernel had queued
				 * when the FENCE came has been sent before this */
	WATCH_EVENTS = 7,       /* notifyd -> imapd, watch_event repeated until the end of the body */
	WATCH_OVERFLOW = 8,     /* notifyd -> imapd, u32 folder id: events were lost, scan */
	WATCH_JOURNAL = 9,      /* imapd -> notifyd: announce; notifyd -> the other holders of the folder:
				 * struct watch_journal */
	WATCH_FOLDERS = 10,     /* imapd -> notifyd -> the store's other processes, u64 dev, u64 ino: the folder
				 * list has changed (CREATE, DELETE, RENAME, SUBSCRIBE) */
};
#define WATCH_WINDOW 8
#define WATCH_NAME_MAX 255 /* NAME_MAX */

enum watch_kind {
	WATCH_ARRIVED, /* name appeared: created, moved in, or renamed to */
	WATCH_LEFT,    /* name went: deleted, moved out, or renamed from */
	WATCH_GONE,    /* the directory itself was deleted or moved */
	WATCH_KIND_N
};
enum watch_dir { WATCH_NEW, WATCH_CUR };

struct watch_event {
	uint32_t folder; /* the subscriber's folder id */
	uint8_t dir;     /* enum watch_dir */
	uint8_t kind;    /* enum watch_kind */
	struct str name; /* file name, at most 255 bytes */
};

struct watch_journal {
	uint32_t folder;     /* the receiver's own id (rewritten by notifyd) */
	uint64_t generation; /* journal.G ... */
	uint64_t offset;     /* ... is valid up to here */
};

void watch_event_put(struct buf *b, const struct watch_event *e);
bool watch_event_get(struct wire *w, struct watch_event *e); /* one of several; false on a fault */
void watch_journal_put(struct buf *b, const struct watch_journal *j);
bool watch_journal_get(struct str body, struct watch_journal *j);
