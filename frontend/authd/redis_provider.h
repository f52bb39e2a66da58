/* SPDX-License-Identifier: Apache-2.0 */
/* redis_provider: AUTHMODULES=redis: one command (REDIS_COMMAND) per account that is asked for. */
#pragma once
#include "frontend/authd/authd.h"

/* Uses ad->redis, which may be made later than this. The settings have been checked. */
struct provider *redis_provider_new(struct authd *ad);
