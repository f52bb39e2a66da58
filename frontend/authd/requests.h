/* SPDX-License-Identifier: Apache-2.0 */
/* requests: authd's links to the login workers (ipc/auth.h). */
#pragma once
#include "common/base/hmap.h"
#include "frontend/authd/authd.h"

struct requester { /* a login worker */
	struct authd *authd;
	struct list link;
	struct link *channel; /* NULL: gone */
	uint32_t number;
	struct list exchanges;
	struct hmap *by_id; /* the same */
	bool refused_more;  /* since the last request that was taken: logged once */
};

/* A link to a login worker; the one that this worker had before is dropped. Takes fd. */
void requests_add_worker(struct authd *ad, uint32_t number, int fd);
void requests_answer(struct requester *w, const struct auth_answer *a);
void requests_challenge(struct requester *w, uint32_t id, struct str message);
/* The mechanisms that can work have changed: the workers are told. */
void requests_tell_mechanisms(struct authd *ad);
