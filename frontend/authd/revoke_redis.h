/* SPDX-License-Identifier: Apache-2.0 */
/*
 * revoke_redis: listens to REDIS_CHANNEL, where a published user name says that what is known of that
 * account is out of date: it is forgotten, and its sessions end (revoke.h).
 */
#pragma once

struct authd;

void revoke_redis_start(struct authd *ad); /* with ad->redis */
