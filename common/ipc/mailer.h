/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mailer: backend master, imapd <-> mailer. One link is one message to be sent: imapd asks the master for
 * it (ipc/session.h), the master tells the mailer whose it is, and so no imapd can send as somebody else.
 * The process that sends holds the mailer's end, and nobody else: a link that ends without a verdict
 * means that this process is dead.
 *
 * The attempt file is made by imapd, durably, before it asks. The first MAILER_AREA bytes are the
 * mailer's: it notes durably that it is about to start, and then how it ended, before it says so on the
 * link. So the verdict is kept whoever dies.
 */
#pragma once
#include "common/ipc/proto.h"
#include "common/ipc/wire.h"

enum mailer_msg {
	MAILER_SERVE =
		1, /* master -> mailer, mailer_serve; 1 fd: the mailer's end of the new link */
	MAILER_SEND = 2,    /* imapd -> mailer, empty; 2 fds: the message, its attempt file */
	MAILER_VERDICT = 3, /* mailer -> imapd, mailer_verdict; the link ends behind it */
};
#define MAILER_FD 3 /* of the mailer: its link to the master */

struct mailer_serve {
	struct str user; /* the account: the sender */
	uint32_t uid, gid;
	struct str home;
};

enum mailer_result {
	MAILER_NONE, /* not over */
	MAILER_SENT,
	MAILER_FAILED,	/* certainly not sent */
	MAILER_UNKNOWN, /* it may have been */
	MAILER_RESULT_N
};
struct mailer_verdict {
	uint8_t result;
	struct str code; /* IMAP response code for the client, or empty: the usual answer */
	struct str text; /* why, one line */
};
#define MAILER_TEXT_MAX 400

#define MAILER_AREA 1024
struct mailer_area {	   /* decoded */
	uint64_t deadline; /* wall clock, seconds: nothing is started after it; imapd writes it */
	bool started;
	struct mailer_verdict verdict; /* MAILER_NONE: no verdict yet; slices point into bytes */
	char bytes[MAILER_AREA];
};

void mailer_serve_put(struct buf *b, const struct mailer_serve *s);
bool mailer_serve_get(struct str body, struct mailer_serve *s);
void mailer_verdict_put(struct buf *b, const struct mailer_verdict *v);
bool mailer_verdict_get(struct str body, struct mailer_verdict *v);

void mailer_area_new(char area[MAILER_AREA], uint64_t deadline);
/* 0, or -1 with errno (EBADMSG: it isn't one). What is torn in it counts as not there. */
int mailer_area_read(int fd, struct mailer_area *a);
/* Durable on return; 0 or -1 with errno. */
int mailer_area_started(int fd);
int mailer_area_verdict(int fd, const struct mailer_verdict *v);
