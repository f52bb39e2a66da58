/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/log.h"
#include "common/base/utf8.h"
#include "common/sys/tlspolicy.h"
#include "frontend/authd/authd.h"
#include "frontend/authd/clientcert.h"
#include "frontend/authd/sasl/mechs.h"

/* Who the client is stands in its certificate and nowhere else (B24). */
static bool find_user(struct mech_exchange *x)
{
	struct buf user = BUF_INIT;
	struct err why;
	bool ok = clientcert_check(x->authd->clientcert, x->peer, &why) == 0 &&
		  clientcert_user(x->peer, x->set->tls_external, &user, &why) == 0;

	if (ok)
		x->authcid = arena_str(&x->arena, buf_str(&user));
	else
		LOG(L_INFO, "client certificate refused", L_S("ip", x->facts->rip),
		    L_S("session", x->facts->session), L_C("reason", why.text));
	buf_deinit(&user);
	return ok;
}

/* RFC 4422 A.1: the message is the authorization identity, which may be empty. */
static enum mech_step step(struct mech_exchange *x, struct str message)
{
	if (str_has_nul(message) || !utf8_valid(message))
		return MECH_MALFORMED;
	if (!find_user(x)) {
		x->result = AUTH_MISMATCH;
		return MECH_REFUSED;
	}
	x->authzid = arena_str(&x->arena, message);
	x->kind = CHECK_TRUSTED;
	return MECH_CHECK;
}

static enum mech_step begin(struct mech_exchange *x, struct str initial, bool has_initial)
{
	return has_initial ? step(x, initial) : MECH_CHALLENGE;
}

static bool possible(const struct settings *set)
{
	return set->tls_external[0] && tlspolicy_verify(set) != TLSPOLICY_NONE;
}

const struct mech mech_external = {.id = SASL_EXTERNAL,
				   .kinds = CHECK_BIT(CHECK_TRUSTED),
				   .possible = possible,
				   .begin = begin,
				   .step = step};
