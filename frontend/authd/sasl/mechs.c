/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/authd/sasl/mechs.h"
#include "common/base/ensure.h"
#include "common/config/listener.h"

static const struct mech *const mechs[] = {
	&mech_plain,
	&mech_login,
	&mech_cram_md5,
	&mech_scram_sha_1,
	&mech_scram_sha_1_plus,
	&mech_scram_sha_256,
	&mech_scram_sha_256_plus,
	&mech_external,
	&mech_oauthbearer,
	&mech_xoauth2,
};

unsigned mech_possible(const struct settings *set, unsigned kinds, unsigned unsuited)
{
	struct str unknown;
	unsigned wanted = sasl_list(str_c(set->auth_mechanisms), &unknown), possible = 0;

	if (!set->auth_mechanisms[0])
		wanted = ~(SASL_BIT(SASL_CRAM_MD5) | unsuited);
	for (enum listener_kind k = LISTENER_CLEAR; k <= LISTENER_SSL; k++)
		wanted |=
			sasl_list(listener_capability(set, k), &unknown) & SASL_BIT(SASL_CRAM_MD5);
	for (size_t i = 0; i < ARRAY_LEN(mechs); i++) {
		const struct mech *m = mechs[i];

		if ((wanted & SASL_BIT(m->id)) && (m->kinds & ~kinds) == 0 &&
		    (!m->possible || m->possible(set)))
			possible |= SASL_BIT(m->id);
	}
	return possible;
}

int mech_settings_check(const struct settings *set, struct err *e)
{
	struct str unknown;

	sasl_list(str_c(set->auth_mechanisms), &unknown);
	if (unknown.p)
		return err_set(e, 0, "AUTH_MECHANISMS: there is no mechanism %.*s",
			       STR_ARG(unknown));
	return 0;
}

const struct mech *mech_offered(unsigned offered, enum sasl_id id)
{
	if (id >= SASL_ID_N || !(offered & SASL_BIT(id)))
		return NULL;
	for (size_t i = 0; i < ARRAY_LEN(mechs); i++)
		if (mechs[i]->id == id)
			return mechs[i];
	return NULL;
}
