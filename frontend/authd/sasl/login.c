/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/authd/sasl/mechs.h"

static enum mech_step step(struct mech_exchange *x, struct str message)
{
	if (str_has_nul(message))
		return MECH_MALFORMED;
	if (!x->authcid.n) {
		if (!message.n)
			return MECH_MALFORMED;
		x->authcid = arena_str(&x->arena, message);
		buf_puts(&x->challenge, "Password:");
		return MECH_CHALLENGE;
	}
	secret_set(&x->password, message);
	x->kind = CHECK_PASSWORD;
	return MECH_CHECK;
}

static enum mech_step begin(struct mech_exchange *x, struct str initial, bool has_initial)
{
	if (has_initial)
		return step(x, initial);
	buf_puts(&x->challenge, "Username:");
	return MECH_CHALLENGE;
}

const struct mech mech_login = {
	.id = SASL_LOGIN, .kinds = CHECK_BIT(CHECK_PASSWORD), .begin = begin, .step = step};
