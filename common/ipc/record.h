/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record: the user record that authd makes (Courier's attributes, FEATURES.md R130, and mailhost),
 * the facts of a session, and the admission ticket over both (DESIGN.md P3).
 */
#pragma once
#include "common/base/buf.h"
#include "common/ipc/proto.h"
#include "common/ipc/wire.h"

struct user_record {
	struct str user; /* canonical account name (ADDRESS) */
	uint32_t uid, gid;
	struct str home;    /* absolute */
	struct str maildir; /* relative to home, or absolute */
	struct str quota;   /* maildirsize form, or empty */
	struct str
		options; /* comma-separated, as the record has them with DEFAULTOPTIONS applied */
	struct str mailhost; /* empty: this host */
};

struct session_facts {
	struct str protocol; /* "imap" */
	struct str session;  /* session id, [A-Za-z0-9]{1,32}, on every log line */
	struct str rip, lip; /* printable addresses without port */
	uint16_t rport, lport;
	bool tls;            /* with the login worker, or with a load balancer that is believed (PROXY_TLS) */
	struct str tls_info; /* "TLSv1.3 TLS_AES_256_GCM_SHA384", or empty */
	uint64_t
		begun_ms; /* authd: when it began to look at this login, by the clock on the wall: what was
			      * revoked later than that doesn't let it in */
};

#define TICKET_NONCE_LEN 16
#define TICKET_MAC_LEN 32
#define TICKET_KEY_LEN 32

void user_record_put(struct buf *b, const struct user_record *r);
void user_record_get(struct wire *w, struct user_record *r);
void session_facts_put(struct buf *b, const struct session_facts *f);
void session_facts_get(struct wire *w, struct session_facts *f);

/*
 * ticket = version u8 (1), nonce, record, facts, HMAC-SHA-256 over all before it. One use: the nonce
 * was issued by the master over the link on which the ticket must come back.
 */
void ticket_make(struct buf *out, const uint8_t key[TICKET_KEY_LEN],
		 const uint8_t nonce[TICKET_NONCE_LEN], const struct user_record *r,
		 const struct session_facts *f);
/* False where the MAC, the version or the form is wrong; slices point into ticket. */
bool ticket_check(struct str ticket, const uint8_t key[TICKET_KEY_LEN],
		  uint8_t nonce[TICKET_NONCE_LEN], struct user_record *r, struct session_facts *f);
/* RUNDIR/ticket.key: made once by the backend master (32 random bytes, mode 0400, owned by owner),
 * read by authd and the master. -1: errno. */
int ticket_key_make(const char *rundir, uint32_t owner_uid, uint8_t key[TICKET_KEY_LEN]);
int ticket_key_read(const char *rundir, uint8_t key[TICKET_KEY_LEN]);
