/* SPDX-License-Identifier: Apache-2.0 */
#include "common/imap/saslname.h"

static const char *const names[SASL_ID_N] = {
	[SASL_PLAIN] = "PLAIN",
	[SASL_LOGIN] = "LOGIN",
	[SASL_CRAM_MD5] = "CRAM-MD5",
	[SASL_SCRAM_SHA_1] = "SCRAM-SHA-1",
	[SASL_SCRAM_SHA_1_PLUS] = "SCRAM-SHA-1-PLUS",
	[SASL_SCRAM_SHA_256] = "SCRAM-SHA-256",
	[SASL_SCRAM_SHA_256_PLUS] = "SCRAM-SHA-256-PLUS",
	[SASL_EXTERNAL] = "EXTERNAL",
	[SASL_OAUTHBEARER] = "OAUTHBEARER",
	[SASL_XOAUTH2] = "XOAUTH2",
};

const char *sasl_name(enum sasl_id id)
{
	return id < SASL_ID_N ? names[id] : "NONE";
}

enum sasl_id sasl_find(struct str name)
{
	enum sasl_id id = 0;

	while (id < SASL_ID_N && !str_ieq(name, str_c(names[id])))
		id++;
	return id;
}

unsigned sasl_list(struct str list, struct str *unknown)
{
	struct str rest = list;
	unsigned bits = 0;

	*unknown = STR_NONE;
	while (rest.p) {
		struct str word = str_trim(str_split(&rest, ' ')), name = word;
		enum sasl_id id;

		if (!word.n)
			continue;
		if (str_istarts(word, STR("AUTH=")))
			name = str_from(word, sizeof("AUTH=") - 1);
		id = sasl_find(name);
		if (id < SASL_ID_N)
			bits |= SASL_BIT(id);
		else if (!unknown->p)
			*unknown = word;
	}
	return bits;
}
