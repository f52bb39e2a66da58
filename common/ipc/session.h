/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session: backend master <-> imapd. A pool child waits for SESSION_ASSIGN, becomes the user, locks
 * itself in, opens the store, answers SESSION_READY, and then takes connections.
 *
 * imapd reads no byte of a connection before it has sent SESSION_ACCEPTED, and exits only after
 * SESSION_LEAVE_GRANTED (or when the link closes: the master is gone: finish the command at hand,
 * BYE [UNAVAILABLE], end within 1 s), so that no connection is queued to a process that is going.
 */
#pragma once
#include "common/ipc/record.h"

enum session_msg {
	SESSION_ASSIGN = 1,        /* master -> pool child, session_assign; fds: Maildir (O_RDONLY directory),
				    * store lock, shared crash page (memfd), and, last, the notifyd link if there is one */
	SESSION_READY = 2,         /* imapd -> master, empty: the store is open */
	SESSION_FAILED = 3,        /* imapd -> master, session_failed: could not; it exits */
	SESSION_CONN = 4,          /* master -> imapd, session_conn; 1 fd, or 2: then as SESSION_TELEMETRY */
	SESSION_ACCEPTED = 5,      /* imapd -> master, u32 conn */
	SESSION_REFUSED = 6,       /* imapd -> master, session_failed with conn */
	SESSION_ENDED = 7,         /* imapd -> master, u32 conn: this connection is over */
	SESSION_LEAVE = 8,        /* imapd -> master, empty: idle for IMAPD_LINGER seconds, may I go? */
	SESSION_LEAVE_GRANTED = 9,/* master -> imapd */
	SESSION_LEAVE_DENIED = 10, /* master -> imapd: a connection is on its way */
	SESSION_NOTIFYD = 11,      /* master -> imapd, 1 fd: a new link to notifyd */
	SESSION_NOTIFYD_WANTED = 12, /* imapd -> master: the link broke; a new one, please */
	SESSION_SHUTDOWN = 13,     /* master -> imapd, text: say BYE with it and leave */
	SESSION_STATE = 14,        /* imapd -> master, session_state: for posthousectl who; sent when it changes, rarely */
	SESSION_KICK = 15,         /* master -> imapd, u32 conn, text: say BYE with it at once */
	SESSION_MAILER_WANTED = 20, /* imapd -> master, u32 conn: a link to the mailer, for one message of this
				     * connection's account */
	SESSION_MAILER = 21,        /* master -> imapd, u32 conn; 1 fd, or none: there is no mailer now */
	SESSION_BYE = 40,          /* master -> imapd, u32 conn, text: say BYE with it after the command at hand */
	SESSION_TELEMETRY = 41,    /* master -> imapd, u32 conn; 1 fd: the file into which the connection's protocol
				    * goes from now on; none: stop that */
};

#define SESSION_OPAQUE_MAX 16384 /* bytes of session_assign.opaque */

struct session_assign {
	struct user_record record;
	uint64_t dev, ino;         /* identity of the store */
	bool shared_uid;           /* this uid owns other stores too: without Landlock, refuse (P8) */
	struct str hostname;
	struct str opaque;         /* names of messages that crashed an earlier imapd, each with a NUL behind it */
};

struct session_conn {
	uint32_t conn;             /* number of the connection, unique within the master */
	uint64_t dev, ino;         /* the store that this login leads to: imapd refuses any but its own */
	struct session_facts facts;
	struct str user;           /* canonical name; another than the record's where aliases share a store */
	struct str tag, verb;      /* empty tag: say PREAUTH greeting instead (not used by the network) */
	struct str unread;
};

struct session_failed {
	uint32_t conn;
	struct str code; /* IMAP response code, or empty */
	struct str text;
	bool tell;       /* SESSION_FAILED: the text is for the client as it is, not for the log alone */
};

struct session_state {
	uint32_t conn;
	uint8_t idle;
	struct str folder; /* selected, in UTF-8, or empty */
};

/* The shared page in which imapd's I/O threads note which message they are parsing, so that the
 * master knows after a crash. One slot per thread; name is a NUL-terminated base name, "" = none. */
#define CRASH_SLOTS 16
struct crash_page {
	struct {
		char name[256];
	} slot[CRASH_SLOTS];
};

void session_assign_put(struct buf *b, const struct session_assign *a);
bool session_assign_get(struct str body, struct session_assign *a);
void session_conn_put(struct buf *b, const struct session_conn *c);
bool session_conn_get(struct str body, struct session_conn *c);
void session_failed_put(struct buf *b, const struct session_failed *f);
bool session_failed_get(struct str body, struct session_failed *f);
void session_state_put(struct buf *b, const struct session_state *s);
bool session_state_get(struct str body, struct session_state *s);
