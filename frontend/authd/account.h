/* SPDX-License-Identifier: Apache-2.0 */
/*
 * account: from the fields of an account, wherever they came from, and the defaults of the
 * settings, to the user record; and what the account's options say of a login. Pure.
 */
#pragma once
#include "common/base/arena.h"
#include "common/base/err.h"
#include "common/config/settings.h"
#include "common/ipc/auth.h"

struct account_fields { /* all but user may be empty */
	struct str user, uid, gid, home, options;
	struct str maildir, quota, mailhost; /* empty: the option of that name counts */
};

/* Fills *r with strings in a. -1 where no record can be made, since a field is missing, too long, or no
 * such thing (B18, B29: whatever a provider sends, only clean text travels on): e says which and why. */
int account_record(struct arena *a, const struct settings *set, const struct account_fields *f,
		   struct user_record *r, struct err *e);

/* The account's options and those of DEFAULTOPTIONS that it doesn't set itself (R81). */
struct str account_options(struct arena *a, struct str own, struct str defaults);
/* Value of an option, "" for one without =, p == NULL where it isn't there. */
struct str account_option(struct str options, const char *name);
/* True when an option is there with a value that isn't no: "", "0...", "n...", "f...", "off". */
bool account_option_on(struct str options, const char *name);
/* Whether expires=YYYY-MM-DD (UTC: from the beginning of that day on), if it is there, is over. */
bool account_expired(struct str options);
/* What the record's options say of this login, after its password was found right: AUTH_OK;
 * AUTH_DISABLED or AUTH_EXPIRED with the text for the client (R80, X17). */
enum auth_result account_allows(const struct user_record *r, const struct session_facts *f,
				const char **text);
/* The same without the services that are switched off (a master needs none of his own). */
enum auth_result account_valid(const struct user_record *r, const char **text);
/* Whether one may log in to the account from this address (allow_nets=, O41). */
bool account_from_here(const struct user_record *r, struct str ip);
