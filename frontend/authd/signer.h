/* SPDX-License-Identifier: Apache-2.0 */
/* signer: makes admission tickets with RUNDIR/ticket.key, which it reads again when it changed. */
#pragma once
#include <sys/stat.h>
#include "common/ipc/record.h"

struct signer {
	int rundir; /* directory, or -1 */
	bool have;
	struct stat seen; /* of the key that was read */
	uint8_t key[TICKET_KEY_LEN];
};

void signer_rundir(struct signer *s, int dirfd); /* takes dirfd */
/* Appends the ticket. False while there is no key: the backend has not made it yet. */
bool signer_ticket(struct signer *s, struct buf *out, const uint8_t nonce[TICKET_NONCE_LEN],
		   const struct user_record *r, const struct session_facts *f);
/* 32 bytes that come of the ticket key and the label alone: for what must stay the same as long as the
 * run directory does. False while there is no key. */
bool signer_derive(struct signer *s, struct str label, uint8_t out[32]);
