/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provider: where accounts come from. A provider gets a check, answers it once by check_done, now
 * or later, with one of the eight results of ipc/auth.h, and fills the record where it is AUTH_OK.
 * AUTH_NEXT hands the check to the next provider of AUTHMODULES.
 */
#pragma once
#include "common/base/arena.h"
#include "common/base/secret.h"
#include "common/io/jobs.h"
#include "common/ipc/auth.h"

struct provider;
struct requester;

struct check {
	struct arena arena;        /* all strings here live in it */
	struct str user;           /* validated, DEFDOMAIN applied */
	struct str mechanism;
	struct secret password;
	struct session_facts facts;
	_Atomic bool cancelled;    /* nobody waits for the answer: expensive work may be left out */
	struct user_record record; /* filled by the provider */

	/* The provider's own, for work on a thread. */
	struct job job;
	struct provider *provider;
	struct str hash;
	enum auth_result result;

	/* requests.c's own. */
	struct list link;
	struct requester *from;
	uint32_t id;
	uint8_t nonce[TICKET_NONCE_LEN];
	size_t at; /* place in the chain */
};

struct provider {
	const char *name;
	void (*start)(struct provider *p, struct check *c);
	void (*free)(struct provider *p);
};

void check_done(struct check *c, enum auth_result result);
