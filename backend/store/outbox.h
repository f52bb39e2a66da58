/* SPDX-License-Identifier: Apache-2.0 */
/*
 * outbox: messages that are being sent. Each waits in the Outbox folder's own posthouse/, where no other
 * program looks:
 *
 *   posthouse/outmsg.BASE   the message, whole and synced
 *   posthouse/outbox.BASE   the attempt: ipc/mailer.h's area, then flags and keywords; made last, so that
 *                           with it everything is there
 *
 * When it was sent (or nobody knows), outbox_file puts it into the folder under the name BASE; done twice, it
 * does the same as once. What an imapd that died has left is found by outbox_scan.
 */
#pragma once
#include "backend/store/store.h"
#include "common/base/buf.h"
#include "common/ipc/mailer.h"

#define OUTBOX_HEAD_MAX 8192
#define OUTBOX_GRACE_S 3 /* after the deadline nothing more is to come */

struct outbox_item {
	char *folder; /* canonical name of the Outbox */
	char base[230];
	int message, attempt; /* descriptors: read-only; read-write. -1: message gone */
	uint8_t flags;
	VEC(char *) keywords;
	struct buf head;	 /* the message's first bytes, for a notice */
	struct mailer_area area; /* as outbox_read found it; of a new one: no verdict */
};
void outbox_item_free(struct outbox_item **it); /* closes; files stay */

/* The folder's name is INBOX and value (".Outbox"). */
bool outbox_is(struct str folder, const char *value);

typedef void outbox_held_fn(void *ctx, const struct store_result *r, struct outbox_item *it);
/* Instead of append_commit: the message is complete and waits to be sent; not yet in the folder. it is
 * the callee's; NULL where r says why not. Frees a. */
void append_hold(struct append *a, outbox_held_fn *done, void *ctx);
/* The same for a copy of a message, with its flags and keywords. */
void outbox_hold_copy(struct folder *f, const struct msg *m, struct str to, outbox_held_fn *done,
		      void *ctx);

/* Puts it into the folder, with one keyword more where keyword isn't NULL, and takes the attempt away.
 * uid 0 with STORE_OK: another process has done it. it stays the caller's. */
void outbox_file(struct store *st, const struct outbox_item *it, const char *keyword,
		 append_done_fn *done, void *ctx);
/* It was not sent, and the client knows: its files go. */
void outbox_drop(struct store *st, const struct outbox_item *it, store_done_fn *done, void *ctx);
/* What the mailer has written into the attempt file, into it->area (on an I/O thread). */
void outbox_read(struct store *st, struct outbox_item *it, store_done_fn *done, void *ctx);

/* All attempts of the folder; the items are the callee's. */
typedef void outbox_scan_fn(void *ctx, const struct store_result *r, struct outbox_item **items,
			    size_t n);
void outbox_scan(struct store *st, struct str folder, outbox_scan_fn *done, void *ctx);
