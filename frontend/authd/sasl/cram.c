/* SPDX-License-Identifier: Apache-2.0 */
/* CRAM-MD5 (RFC 2195). Off unless it is asked for: what a server keeps for it is as good as the password. */
#include <unistd.h>
#include "common/base/clock.h"
#include "common/base/rand.h"
#include "frontend/authd/sasl/mechs.h"

static enum mech_step begin(struct mech_exchange *x, struct str initial, bool has_initial)
{
	char host[128] = "";

	if (has_initial)
		return MECH_MALFORMED; /* the server speaks first */
	if (gethostname(host, sizeof host - 1) || !host[0])
		snprintf(host, sizeof host, "localhost");
	x->cram_challenge =
		str_c(arena_printf(&x->arena, "<%016llx.%lld@%s>", (unsigned long long)rand_u64(),
				   (long long)clock_wall_s(), host));
	buf_str_put(&x->challenge, x->cram_challenge);
	return MECH_CHALLENGE;
}

static bool is_digest(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((s.p[i] < '0' || s.p[i] > '9') && (s.p[i] < 'a' || s.p[i] > 'f'))
			return false;
	return s.n == 32;
}

static enum mech_step step(struct mech_exchange *x, struct str message)
{
	size_t space = str_rfind(message, ' '); /* names may have blanks */
	struct str digest = str_from(message, space + 1);

	if (x->authcid.n || space == 0 || space >= message.n || str_has_nul(message) ||
	    !is_digest(digest))
		return MECH_MALFORMED;
	x->authcid = arena_str(&x->arena, str_sub(message, 0, space));
	x->cram_digest = arena_str(&x->arena, digest);
	x->kind = CHECK_CRAM;
	return MECH_CHECK;
}

const struct mech mech_cram_md5 = {
	.id = SASL_CRAM_MD5, .kinds = CHECK_BIT(CHECK_CRAM), .begin = begin, .step = step};
