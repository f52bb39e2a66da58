/* SPDX-License-Identifier: Apache-2.0 */
/* caps: which capabilities are advertised when. What is not implemented is not in the table. */
#pragma once
#include "common/base/buf.h"

enum imap_cap_state {
	IMAP_CAPS_PLAIN,   /* before login, without TLS */
	IMAP_CAPS_TLS,	   /* before login, inside TLS */
	IMAP_CAPS_SESSION, /* after login */
	IMAP_CAPS_STATE_N
};

struct imap_caps {
	enum imap_cap_state state;
	bool literal_minus;
	bool starttls;	     /* STARTTLS is on (PLAIN only) */
	bool login_disabled; /* no login before TLS: LOGINDISABLED instead of AUTH= (PLAIN only) */
	bool idle;	     /* after login */
	bool magic_trash;    /* EXPUNGE moves to the trash (after login) */
	uint64_t append_max; /* largest message (after login); 0: not named */
	unsigned mechanisms; /* SASL_BIT of those that can work here (before login) */
	struct str outbox;   /* after login: name of the Outbox as OUTBOX has it, or empty */
	struct str filter; /* IMAP_CAPABILITY: when not empty, only what it names (IMAP4rev1 always,
			      what protects a password: STARTTLS, LOGINDISABLED, and what
			      Courier adds to it by other settings: XMAGICTRASH, the Outbox) */
};
/* "IMAP4rev1 LITERAL+ ...": for "* CAPABILITY x" and "[CAPABILITY x]". */
void imap_caps_put(struct buf *out, const struct imap_caps *c);
/* Words of filter that name nothing we have; walks with *it = 0. For warnings at start. */
bool imap_caps_unknown(struct str filter, size_t *it, struct str *word);
