/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pwedit: changes of a passwd-file's text. Lines and fields that a change isn't about stay as they
 * are, byte for byte. Pure.
 */
#pragma once
#include "common/base/buf.h"

struct pwline { /* user:hash:uid:gid:gecos:home:shell:options; fields that are missing are empty */
	struct str user, hash, uid, gid, gecos, home, shell, options;
	struct str app; /* p != NULL: a further password of the account */
};
/* Next line that is an account or an app password; false at the end. */
bool pwedit_next(struct str *rest, struct pwline *l);

enum pwedit_act {
	PWEDIT_SET, /* the hash, and for an app password its services; a new line where there is none */
	PWEDIT_DELETE, /* the app password, or the account with all of its lines */
	PWEDIT_OPTION, /* of the account: sets option=value, or removes it (value.p == NULL) */
};
struct pwedit {
	enum pwedit_act act;
	struct str user;
	struct str app;	     /* p == NULL: the account itself */
	struct str hash;     /* SET */
	struct str services; /* SET with app: "imap smtp", "" for all, p == NULL for those it had */
	const char *option;
	struct str value;
};
enum pwedit_result {
	PWEDIT_ABSENT, /* nothing changes: there is no such account, or it has no such app password */
	PWEDIT_CHANGED,
	PWEDIT_ADDED,
};
enum pwedit_result pwedit(struct str old, const struct pwedit *e, struct buf *out);
