/* SPDX-License-Identifier: Apache-2.0 */
/* authd: the one process that knows credentials, and what its files share. */
#pragma once
#include "common/base/list.h"
#include "common/config/settings.h"
#include "common/io/link.h"
#include "frontend/authd/provider.h"
#include "frontend/authd/signer.h"

struct chain;
struct clientcert;
struct oauth;
struct penalty;
struct penalty_redis;
struct redis;

struct authd {
	struct loop *loop;
	const struct settings *set;
	struct link *sup; /* to frontend main */
	struct jobs *jobs;
	struct chain *chain;
	struct penalty *penalty;
	struct clientcert *clientcert;
	struct redis *redis;		     /* NULL: no REDIS_URL */
	struct penalty_redis *penalty_redis; /* NULL: LIMITS_SHARED=local */
	struct oauth *oauth;		     /* NULL: no tokens are taken */
	struct provider *passwd;	     /* the one that takes SUP_PASSWD_FILE, or NULL */
	struct signer signer;
	struct list requesters;
	unsigned mechanisms; /* SASL_BIT of those that are offered */
};
