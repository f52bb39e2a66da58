/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/login/sasl.h"
#include "common/base/base64.h"

static const struct {
	const char *name;
	enum sasl_mechanism mechanism;
} mechanisms[] = {{"PLAIN", SASL_PLAIN}, {"LOGIN", SASL_LOGIN}};

enum sasl_mechanism sasl_find(struct str name)
{
	for (size_t i = 0; i < sizeof(mechanisms) / sizeof(mechanisms[0]); i++)
		if (str_ieq(name, str_c(mechanisms[i].name)))
			return mechanisms[i].mechanism;
	return SASL_NONE;
}

const char *sasl_name(enum sasl_mechanism m)
{
	return m == SASL_PLAIN ? "PLAIN" : m == SASL_LOGIN ? "LOGIN" : "NONE";
}

void sasl_init(struct sasl *s, enum sasl_mechanism m)
{
	*s = (struct sasl){.mechanism = m};
}

void sasl_deinit(struct sasl *s)
{
	buf_wipe(&s->data);
	*s = (struct sasl){.mechanism = SASL_NONE};
}

const char *sasl_challenge(const struct sasl *s)
{
	if (s->mechanism == SASL_PLAIN)
		return "";
	return s->answers == 0 ? "VXNlcm5hbWU6" : "UGFzc3dvcmQ6"; /* "Username:", "Password:" */
}

/* [authzid] NUL authcid NUL passwd */
static enum sasl_step plain(struct sasl *s)
{
	struct str rest = buf_str(&s->data);

	s->authzid = str_split(&rest, '\0');
	if (!rest.p)
		return SASL_BAD;
	s->user = str_split(&rest, '\0');
	if (!rest.p || !s->user.n || str_has_nul(rest))
		return SASL_BAD;
	s->password = rest;
	return SASL_DONE;
}

static enum sasl_step login(struct sasl *s)
{
	struct str all = buf_str(&s->data);

	if (s->answers == 1) {
		s->user_n = all.n;
		return SASL_MORE;
	}
	s->authzid = STR("");
	s->user = str_sub(all, 0, s->user_n);
	s->password = str_from(all, s->user_n);
	return s->user.n && !str_has_nul(all) ? SASL_DONE : SASL_BAD;
}

enum sasl_step sasl_answer(struct sasl *s, struct str line, bool initial)
{
	if (!(initial && str_eq(line, STR("="))) && base64_decode(&s->data, line))
		return SASL_BAD;
	s->answers++;
	switch (s->mechanism) {
	case SASL_PLAIN:
		return plain(s);
	case SASL_LOGIN:
		return login(s);
	default:
		return SASL_BAD;
	}
}
