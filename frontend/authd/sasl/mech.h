/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mech: the server's side of a SASL mechanism (RFC 4422): what it is told, and what it answers. One
 * file per mechanism, one row in mechs.c. A mechanism does no input or output: it returns what is to be
 * done next, and exchange.c does it.
 */
#pragma once
#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/config/settings.h"
#include "common/imap/saslname.h"
#include "frontend/authd/provider.h"

enum mech_step {
	MECH_CHALLENGE, /* x->challenge goes to the client; its answer comes to step() */
	MECH_CHECK, /* x->kind, x->authcid (and password, or digest): ask the providers; checked() comes */
	MECH_WAIT, /* something of the mechanism's own is under way; it calls exchange_go_on() */
	MECH_DONE, /* proven: x->authcid is who it says it is, x->authzid whom it wants to act for */
	MECH_REFUSED,	/* x->result says how */
	MECH_MALFORMED, /* the message breaks the mechanism's grammar */
};

struct authd;
struct exchange;

struct mech_exchange { /* what exchange.c and the mechanism share */
	const struct mech *mech;
	const struct settings *set;
	const struct session_facts *facts;
	const struct auth_peer *peer;
	struct exchange *exchange; /* for exchange_go_on */
	struct authd *authd;	   /* for mechanisms that ask more than the providers */
	struct arena arena;
	void *state; /* the mechanism's own, freed by end() or lying in arena */

	struct buf challenge; /* wiped after it was sent */
	enum check_kind kind;
	struct str authcid;			/* name as the client sent it */
	struct str authzid;			/* empty: the same */
	struct secret password;			/* CHECK_PASSWORD */
	struct str cram_challenge, cram_digest; /* CHECK_CRAM */
	enum auth_result result;		/* MECH_REFUSED */
	struct str text;			/* MECH_REFUSED: for the client, or empty */
	bool told; /* the client knows already that it is refused: it counts, even if it goes now */
};

struct mech {
	enum sasl_id id;
	unsigned
		kinds; /* CHECK_BIT: some provider must answer all of these for the mechanism to be offered */
	/* NULL: always; else whether the settings make it possible at all (a key, a URL). */
	bool (*possible)(const struct settings *set);
	/* The first message; without has_initial there is none and the mechanism sends its challenge
	 * (perhaps an empty one). */
	enum mech_step (*begin)(struct mech_exchange *x, struct str initial, bool has_initial);
	enum mech_step (*step)(struct mech_exchange *x, struct str message);
	/* What came of MECH_CHECK. c has record and credentials where r is AUTH_OK, and is valid during the
	 * call only (user and record are empty for a name that can't be one). Unknown users come here too, so
	 * that a mechanism needn't tell them from others before its end. NULL:
	 * AUTH_OK is MECH_DONE, anything else MECH_REFUSED. */
	enum mech_step (*checked)(struct mech_exchange *x, enum auth_result r,
				  const struct check *c);
	void (*end)(struct mech_exchange *x); /* may be NULL */
};

/* SASL_BIT of the mechanisms that can work with these settings and with providers that answer these
 * kinds of check (CHECK_BIT); those that don't suit every account only where AUTH_MECHANISMS names them,
 * since a client that finds one takes it and doesn't try another when it fails. */
unsigned mech_possible(const struct settings *set, unsigned kinds, unsigned unsuited);
/* -1: AUTH_MECHANISMS names one that there isn't. */
int mech_settings_check(const struct settings *set, struct err *e);
/* NULL: not among those offered. */
const struct mech *mech_offered(unsigned offered, enum sasl_id id);
