/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/authd/http_reply.h"

enum { TEXT_MAX = 200 };

static const struct {
	const char *code;
	enum auth_result result;
} codes[] = {
	{"AUTHENTICATIONFAILED", AUTH_MISMATCH},
	{"AUTHORIZATIONFAILED", AUTH_DISABLED},
	{"EXPIRED", AUTH_EXPIRED},
	{"PRIVACYREQUIRED", AUTH_DISABLED},
	{"CONTACTADMIN", AUTH_DISABLED},
	{"NOPERM", AUTH_DISABLED},
	{"LIMIT", AUTH_TEMPFAIL},
	{"INUSE", AUTH_TEMPFAIL},
	{"UNAVAILABLE", AUTH_TEMPFAIL},
	{"SERVERBUG", AUTH_TEMPFAIL},
};

bool http_reply_code(struct http_reply *r, struct arena *a, struct str code)
{
	for (size_t i = 0; i < ARRAY_LEN(codes); i++)
		if (str_ieq(code, str_c(codes[i].code))) {
			r->result = codes[i].result;
			r->fields.code = arena_str(a, str_c(codes[i].code));
			return true;
		}
	return false;
}

struct str http_reply_text(struct arena *a, struct str text)
{
	struct str copy;
	char *p;

	text = str_trim(text);
	while (text.n && text.p[0] == '[')
		text = str_from(text, 1);
	copy = arena_str(a, str_sub(text, 0, TEXT_MAX));
	p = (char *)copy.p;
	for (size_t i = 0; i < copy.n; i++)
		if (p[i] < ' ' || p[i] > '~')
			p[i] = p[i] >= 0 ? ' ' : '?';
	return copy;
}

static enum auth_result refusal(const struct http_reply *r, struct check *c)
{
	c->code = arena_str(&c->arena, r->fields.code);
	c->text = arena_str(&c->arena, r->fields.text);
	c->verified = true; /* as far as anybody can: it is the endpoint that knows the password */
	return r->result;
}

enum auth_result http_reply_apply(const struct http_reply *r, const struct settings *set,
				  struct check *c, struct err *e)
{
	enum auth_result result;

	if (r->says == HTTP_SAYS_NO)
		return refusal(r, c);
	result = record_apply(c, set, &r->fields, e);
	if (result == AUTH_TEMPFAIL || c->credentials.n)
		return result;
	/* Without hashes to compare with, its word counts, where it has seen what the client sent. */
	if (c->kind == CHECK_SCRAM)
		return AUTH_IMPOSSIBLE;
	c->verified = true;
	return result;
}
