/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/authd/sasl/mechs.h"

/* [authzid] NUL authcid NUL passwd */
static enum mech_step step(struct mech_exchange *x, struct str message)
{
	struct str rest = message, authzid, authcid;

	authzid = str_split(&rest, '\0');
	if (!rest.p)
		return MECH_MALFORMED;
	authcid = str_split(&rest, '\0');
	if (!rest.p || !authcid.n || str_has_nul(rest))
		return MECH_MALFORMED;
	x->authzid = arena_str(&x->arena, authzid);
	x->authcid = arena_str(&x->arena, authcid);
	secret_set(&x->password, rest);
	x->kind = CHECK_PASSWORD;
	return MECH_CHECK;
}

static enum mech_step begin(struct mech_exchange *x, struct str initial, bool has_initial)
{
	return has_initial ? step(x, initial) : MECH_CHALLENGE;
}

const struct mech mech_plain = {
	.id = SASL_PLAIN, .kinds = CHECK_BIT(CHECK_PASSWORD), .begin = begin, .step = step};
