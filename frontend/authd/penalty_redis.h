/* SPDX-License-Identifier: Apache-2.0 */
/*
 * penalty_redis: LIMITS_SHARED=redis: refusals counted by all hosts together. Each one raises
 * <prefix>fail:ip:NETWORK and <prefix>fail:user:{NAME}, which expire after LOGIN_PENALTY_WINDOW, and the
 * new counts are published on <prefix>fail, so that the other hosts know them at once. Nobody waits for
 * any of it; while Redis is away each host counts for itself.
 */
#pragma once
#include "common/base/str.h"

struct authd;
struct penalty_redis;

struct penalty_redis *
penalty_redis_new(struct authd *ad); /* with ad->redis and ad->penalty, as long as they */
/* p may be NULL in both: limits are not shared. */
void penalty_redis_report(struct penalty_redis *p, struct str user, struct str rip);
void penalty_redis_forgive(struct penalty_redis *p, struct str user);
