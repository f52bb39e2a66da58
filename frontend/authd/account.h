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

struct account_fields {
	struct str user, uid, gid, home, options; /* all but user may be empty */
};

/* Fills *r with strings in a. -1 where no record can be made: e says which field and why. */
int account_record(struct arena *a, const struct settings *set, const struct account_fields *f,
		   struct user_record *r, struct err *e);

/* The account's options and those of DEFAULTOPTIONS that it doesn't set itself (R81). */
struct str account_options(struct arena *a, struct str own, struct str defaults);
/* Value of an option, "" for one without =, p == NULL where it isn't there. */
struct str account_option(struct str options, const char *name);
/* AUTH_OK, or AUTH_DISABLED with the text for the client (R80, X17). */
enum auth_result account_allows(const struct user_record *r, const struct session_facts *f,
				const char **text);
