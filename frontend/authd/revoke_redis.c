/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/authd/revoke_redis.h"
#include "common/io/redis.h"
#include "frontend/authd/authd.h"
#include "frontend/authd/penalty_redis.h"
#include "frontend/authd/revoke.h"

static void on_message(void *ctx, struct str message)
{
	struct authd *ad = ctx;
	struct str user = str_trim(message);

	if (!message.p) {
		revoke_all_cached(ad, "redis: subscribed anew");
		return;
	}
	if (!user.n)
		return;
	revoke_user(ad, user, "redis");
	penalty_redis_forgive(ad->penalty_redis, user);
}

void revoke_redis_start(struct authd *ad)
{
	struct buf name = BUF_INIT;

	if (ad->set->redis_channel[0])
		buf_puts(&name, ad->set->redis_channel);
	else
		buf_printf(&name, "%srevoke", ad->set->redis_prefix);
	redis_subscribe(ad->redis, buf_str(&name), on_message, ad);
	buf_deinit(&name);
}
