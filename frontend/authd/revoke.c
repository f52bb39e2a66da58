/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/authd/revoke.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/ipc/supervise.h"
#include "frontend/authd/chain.h"
#include "frontend/authd/oauth/oauth.h"
#include "frontend/authd/penalty.h"
#include "frontend/authd/redis_service.h"

void revoke_user(struct authd *ad, struct str user, const char *why)
{
	struct buf b = BUF_INIT;

	if (!user.n || user.n > IPC_NAME_MAX) {
		LOG(L_WARN, "revocation without a name that can be one", L_S("user", user),
		    L_C("by", why));
		return;
	}
	LOG(L_INFO, "account revoked", L_S("user", user), L_C("by", why));
	redis_service_changed(ad);
	chain_forget(ad->chain, user);
	oauth_forget(ad->oauth, user);
	penalty_forgive(ad->penalty, user);
	wire_u64(&b, (uint64_t)clock_wall_ms());
	wire_str(&b, user);
	link_send(ad->sup, SUP_REVOKED, buf_str(&b), NULL, 0);
	buf_deinit(&b);
}

void revoke_doubt(struct authd *ad, const char *why)
{
	LOG(L_INFO, "kept answers in doubt", L_C("by", why));
	chain_doubt(ad->chain);
	oauth_forget(ad->oauth, STR_NONE);
}
