/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/authd/sasl/oauth_message.h"
#include <jansson.h>
#include "common/base/ensure.h"
#include "common/base/utf8.h"
#include "frontend/authd/sasl/scram_message.h"

#define KVSEP '\1'

/* RFC 6750 2.1: "Bearer" 1*SP token */
static bool take_auth(struct oauth_message *o, struct str value)
{
	if (o->token.p || !str_istarts(value, STR("Bearer ")))
		return false;
	o->token = str_trim(str_from(value, 7));
	return o->token.n > 0;
}

/* key "=" value, separated and ended by ^A; keys that we have no use for (host, port) are passed over. */
static bool take_pairs(struct oauth_message *o, struct str rest, struct str *user)
{
	if (!rest.n || rest.p[rest.n - 1] != KVSEP)
		return false;
	while (rest.n > 1) {
		struct str pair = str_split(&rest, KVSEP);
		size_t eq = str_find(pair, '=');
		struct str value = str_from(pair, eq + 1);

		if (eq == 0 || eq >= pair.n)
			return false;
		if (str_eq(str_sub(pair, 0, eq), STR("auth")) && !take_auth(o, value))
			return false;
		if (user && str_eq(str_sub(pair, 0, eq), STR("user")))
			*user = value;
	}
	return rest.n == 1 && rest.p[0] == KVSEP && o->token.p;
}

bool oauth_message_bearer(struct oauth_message *o, struct arena *a, struct str m)
{
	struct scram_first gs2;
	struct str rest = m;

	*o = (struct oauth_message){.token = STR_NONE};
	/* There is no channel binding in it. */
	if (str_has_nul(m) || !scram_gs2_parse(&gs2, a, &rest) || gs2.binding == 'p' || !rest.n ||
	    rest.p[0] != KVSEP)
		return false;
	o->user = gs2.authzid;
	return take_pairs(o, str_from(rest, 1), NULL);
}

bool oauth_message_xoauth2(struct oauth_message *o, struct arena *a, struct str m)
{
	struct str user = STR_NONE;

	*o = (struct oauth_message){.token = STR_NONE};
	if (str_has_nul(m) || !take_pairs(o, m, &user) || !user.n || user.n > SCRAM_NAME_MAX ||
	    !utf8_valid(user))
		return false;
	o->user = arena_str(a, user);
	return true;
}

static void set(json_t *j, const char *name, const char *value)
{
	if (value[0])
		json_object_set_new(j, name, json_string(value));
}

void oauth_message_error(struct buf *out, bool xoauth2, const char *status, const char *scope,
			 const char *configuration)
{
	json_t *j = json_object();
	char *text;

	set(j, "status", status);
	if (xoauth2)
		set(j, "schemes", "bearer");
	set(j, "scope", scope);
	if (!xoauth2)
		set(j, "openid-configuration", configuration);
	text = json_dumps(j, JSON_COMPACT);
	ASSERT(text != NULL);
	buf_puts(out, text);
	free(text);
	json_decref(j);
}
