/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/authd/revoke_redis.h"
#include "common/io/redis.h"
#include "frontend/authd/authd.h"
#include "frontend/authd/penalty_redis.h"
#include "frontend/authd/redis_service.h"
#include "frontend/authd/revoke.h"

struct listener {
	struct authd *authd;
	bool before; /* it was subscribed before */
};

static void begun(struct listener *l)
{
	revoke_doubt(l->authd, l->before ? "redis: subscribed anew" : "redis: subscribed");
	if (l->before)
		redis_service_changed(l->authd);
	l->before = true;
}

static void on_message(void *ctx, struct str message)
{
	struct listener *l = ctx;
	struct authd *ad = l->authd;
	struct str user = str_trim(message);

	if (!message.p) {
		begun(l);
		return;
	}
	if (!user.n)
		return;
	revoke_user(ad, user, "redis");
	penalty_redis_forgive(ad->penalty_redis, user);
}

void revoke_redis_start(struct authd *ad)
{
	struct listener *l = xcalloc(1, sizeof(*l)); /* as long as authd */
	struct buf name = BUF_INIT;

	l->authd = ad;
	if (ad->set->redis_channel[0])
		buf_puts(&name, ad->set->redis_channel);
	else
		buf_printf(&name, "%srevoke", ad->set->redis_prefix);
	redis_subscribe(ad->redis, buf_str(&name), on_message, l);
	buf_deinit(&name);
}
