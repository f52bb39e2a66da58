/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record_fields: an account as a foreign source gives it: fields by name, with text as values. What
 * names there are, is decided here for all sources: hashes of Redis, JSON, HTTP headers.
 *
 *   user                 canonical name; empty: as it was asked for
 *   uid gid home maildir quota options mailhost
 *   password             a hash as pwhash.h reads it
 *   services             what `password` is good for: "imap smtp", blanks or commas between; empty: all
 *   passwords            JSON: [{"hash": "...", "services": "imap"}, ...], beside `password` (O8)
 *   enabled              0, no, false, off: the account may not log in
 *   expired              1, yes, true, on: its password has run out
 *   disabled             the contrary of enabled
 *   success              the source's own verdict over the password
 *   reason               why not, as a word
 *   code, text           for the client: IMAP response code, words (made one clean line)
 *
 * Empty values are as good as missing ones, unknown names are passed over, so that a source may have
 * fields for others. Pure.
 */
#pragma once
#include "common/base/arena.h"
#include "common/base/err.h"
#include "common/base/vec.h"
#include "common/config/settings.h"
#include "frontend/authd/provider.h"

#define RECORD_PASSWORDS_MAX 64 /* of one account: each may cost a slow hash */
#define RECORD_CODE_MAX 64
#define RECORD_TEXT_MAX 255

enum record_flag { RECORD_UNSET, RECORD_NO, RECORD_YES };

struct record_fields { /* zeroed by its owner; strings lie in the arena that was given */
	struct str user, uid, gid, home, maildir, quota, options, mailhost;
	struct str password, services, code, text, reason;
	enum record_flag enabled, expired, success;
	struct record_password {
		struct str hash, services;
	} passwords[RECORD_PASSWORDS_MAX];
	size_t npasswords;
};

/* Sets the field of that name; the value is copied. -1: the value can't be one of this field; e says
 * why, and names no secret. */
int record_field(struct arena *a, struct record_fields *f, struct str name, struct str value,
		 struct err *e);
bool record_known(struct str name); /* whether a field of that name means anything */
/* One more of `passwords`. -1: too many. */
int record_password_add(struct arena *a, struct record_fields *f, struct str hash,
			struct str services, struct err *e);

/*
 * Fills c->record, its credentials, code and text. AUTH_OK; AUTH_DISABLED, AUTH_EXPIRED; or
 * AUTH_TEMPFAIL where no record can be made of the fields (e says why). `success` is the caller's
 * business.
 */
enum auth_result record_apply(struct check *c, const struct settings *set,
			      const struct record_fields *f, struct err *e);
