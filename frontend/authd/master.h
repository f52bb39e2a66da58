/* SPDX-License-Identifier: Apache-2.0 */
/* master: who may log in as another account (O7), and how a login name says so. Pure. */
#pragma once
#include "common/config/settings.h"
#include "common/imap/saslname.h"
#include "common/ipc/record.h"

/* USER*MASTER with MASTER_SEPARATOR=*: false where the name has no such form. */
bool master_split(const struct settings *set, struct str login, struct str *user,
		  struct str *master);
/* May who has proven to be this account act for others? login: its name, complete. By MASTER_USERS, or by
 * the option master=1; the option doesn't count for a client certificate, which people carry about. */
bool master_is(const struct settings *set, struct str login, const struct user_record *r,
	       enum sasl_id mechanism);
