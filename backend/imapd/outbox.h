/* SPDX-License-Identifier: Apache-2.0 */
/*
 * outbox: sends what is put into the Outbox, and sees to it that whatever dies, a message is never sent
 * twice, never lost, and never said to be what it isn't (backend/store/outbox.h has what is on disk).
 *
 * Sent: it comes into the folder. Not sent, and the client is there to be told: nothing of it is kept. Not
 * known, or nobody to be told: it comes into the folder with a keyword, and a message in INBOX says so.
 */
#pragma once
#include "backend/imapd/cmd.h"
#include "backend/store/outbox.h"

#define OUTBOX_UNKNOWN "$SubmissionUnknown"
#define OUTBOX_FAILED "$SubmissionFailed"

struct outbox;
struct outbox *outbox_new(struct imapd *im); /* NULL: there is no Outbox */
/* The store is open: what an imapd that died has left is brought to its end. */
void outbox_recover(struct outbox *o);
void outbox_got_link(struct outbox *o, uint32_t conn, int fd); /* SESSION_MAILER; -1: none */

struct outbox_sent {
	enum mailer_result result; /* never MAILER_NONE */
	char code[33];		   /* of MAILER_FAILED, may be empty */
	char text[MAILER_TEXT_MAX + 1];
	uint32_t uidvalidity, uid; /* in the folder; 0: it comes there later */
};
typedef void outbox_sent_fn(void *ctx, const struct outbox_sent *r);
/* it is taken over. The caller has called cmd_wait; done is called when all is written down. */
void outbox_send(struct cmd *cmd, struct outbox_item *it, outbox_sent_fn *done, void *ctx);

/* cmd/append.c, cmd/outcopy.c: the tagged reply for a message that was not sent, or NULL-safe alert. */
enum cmd_next outbox_refuse(struct cmd *cmd, const struct outbox_sent *r);
void outbox_alert(struct cmd *cmd); /* untagged: it isn't known whether the message was sent */

/* outbox_notice.c: a message in INBOX about it; done(ctx) whether that worked or not. */
void outbox_notice(struct imapd *im, const struct outbox_item *it, enum mailer_result result,
		   struct str why, void (*done)(void *ctx), void *ctx);
