/* SPDX-License-Identifier: Apache-2.0 */
/* passwd_provider: AUTHMODULES=passwd-file. */
#pragma once
#include "common/config/settings.h"
#include "frontend/authd/provider.h"

struct provider *passwd_provider_new(const struct settings *set);
/* Reads the file behind fd (stays the caller's) and serves it: true. What can't be read is logged, and
 * the accounts that were there stay. */
bool passwd_provider_load(struct provider *p, int fd);
