/* SPDX-License-Identifier: Apache-2.0 */
/*
 * passwd_provider: AUTHMODULES=passwd-file. The file is read and parsed on a thread, so that logins
 * go on meanwhile with the accounts that there were; checks that come before the first one wait for it.
 */
#pragma once
#include "common/config/settings.h"
#include "frontend/authd/provider.h"

struct loop;
/* New accounts are being served, and provider.unsuited is what they are. */
typedef void passwd_provider_fn(void *ctx);

struct provider *passwd_provider_new(struct loop *l, const struct settings *set,
				     passwd_provider_fn *loaded, void *ctx);
/* Reads the file behind fd (stays the caller's) soon. What can't be read, or is empty, is logged, and the
 * accounts that were there stay. */
void passwd_provider_load(struct provider *p, int fd);
