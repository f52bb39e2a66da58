/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scram_account: what SCRAM makes of an account's credentials. The client has to be told one salt and
 * one iteration count before it shows anything, whether there is such an account or not: those of its
 * first SCRAM record, or, for an account with its password in clear and for everything else that a
 * name may lead to, a salt that is made of the name. Then whoever answers is compared with every
 * record of that salt and every password in clear.
 */
#pragma once
#include "common/auth/scram_keys.h"
#include "common/base/secret.h"
#include "frontend/authd/provider.h"

#define SCRAM_TRIES_MAX 16 /* credentials of one account that are looked at */

struct scram_try {
	struct scram_keys keys;
	struct secret plain; /* where the keys have yet to be derived */
};

struct scram_account {
	struct scram_keys offer; /* hash, iterations, salt; the keys are those that proved it */
	size_t ntries;
	struct scram_try tries[SCRAM_TRIES_MAX];
	bool slow; /* keys have to be derived: not on the loop */
};

/* The salt for a name that has none of its own: the same whenever and wherever secret is the same. */
void scram_account_salt(struct scram_keys *k, const uint8_t secret[32], struct str user);

/*
 * a->offer comes with hash, and with the salt and iteration count for accounts without a record. c may
 * be NULL: nobody. False: nothing there can prove anything; to the client it looks the same.
 */
bool scram_account_choose(struct scram_account *a, const struct check *c);

/* Whether proof fits one of them; a->offer has that one's keys then. Thread-safe. */
bool scram_account_prove(struct scram_account *a, struct str auth_message, struct str proof);
void scram_account_wipe(struct scram_account *a);
