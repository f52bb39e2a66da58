/* SPDX-License-Identifier: Apache-2.0 */
/* authd: the one process that knows credentials, and what its files share. */
#pragma once
#include "common/config/settings.h"
#include "common/io/link.h"
#include "frontend/authd/provider.h"
#include "frontend/authd/signer.h"

#define AUTHD_PROVIDERS_MAX 4

struct authd {
	struct loop *loop;
	const struct settings *set;
	struct link *sup; /* to frontend main */
	struct jobs *jobs;
	struct provider *providers[AUTHD_PROVIDERS_MAX];
	size_t nproviders;
	struct provider *passwd; /* the one of them that takes SUP_PASSWD_FILE, or NULL */
	struct signer signer;
	struct list requesters;
	unsigned pending; /* checks under way, of all requesters */
};

/* A link to a login worker; the one that this worker had before is dropped. Takes fd. */
void requests_add_worker(struct authd *ad, uint32_t number, int fd);
