/* SPDX-License-Identifier: Apache-2.0 */
/* redis_service: authd's one client of the Redis that REDIS_URL names, for all that uses it. */
#pragma once
#include "common/config/settings.h"
#include "common/io/redis.h"
#include "frontend/authd/confine.h"

struct authd;

/* Looks at the settings alone. -1: e names the setting. */
int redis_service_check(const struct settings *set, struct err *e);
/* NULL: no REDIS_URL. The settings have been checked. */
struct redis *redis_service_new(struct authd *ad);
/* Accounts were changed just now: for some seconds the master is asked, since a replica that has not heard
 * of it yet would give back what was just forgotten. */
void redis_service_changed(struct authd *ad);
void redis_service_counts(const struct authd *ad, struct buf *out); /* for posthousectl stats */
/* What it has to reach; by the settings alone. */
void redis_service_needs(const struct settings *set, struct confine_needs *n);
