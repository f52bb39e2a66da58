/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/authd/oauth/claims.h"

static struct str word(struct str *list)
{
	struct str s;

	do
		s = str_split(list, ' ');
	while (!s.n && list->p);
	return s;
}

static struct str text_of(const json_t *j)
{
	return json_is_string(j) ? str_mem(json_string_value(j), json_string_length(j)) : STR_NONE;
}

static const json_t *member(const json_t *o, struct str name)
{
	char *key = str_dup(name);
	const json_t *j = json_object_get(o, key);

	free(key);
	return j;
}

static bool in_list(struct str list, struct str s)
{
	while (list.p && list.n)
		if (str_eq(word(&list), s))
			return s.n > 0;
	return false;
}

/* ---- times --------------------------------------------------------------------------------------- */

/* A NumericDate; false: there is none. Anything else than a number is the past and the future at once. */
static bool date_of(const json_t *claims, const char *name, int64_t if_odd, int64_t *out)
{
	const json_t *j = json_object_get(claims, name);
	double d = json_is_number(j) ? json_number_value(j) : 0;

	if (!j)
		return false;
	*out = if_odd;
	if (json_is_number(j) && d >= 0 && d < 1e15)
		*out = (int64_t)d;
	return true;
}

static const char *check_times(struct claims_verdict *v, const json_t *claims, int64_t now,
			       int64_t leeway, bool must_expire)
{
	int64_t begin;

	if (date_of(claims, "nbf", INT64_MAX / 4, &begin) && begin > now + leeway)
		return "it is not valid yet";
	if (!date_of(claims, "exp", 1, &v->until))
		return must_expire ? "it never expires" : NULL;
	if (v->until == 0)
		v->until = 1;
	return v->until + leeway <= now ? "it has expired" : NULL;
}

/* ---- whose, for whom, for what --------------------------------------------------------------------- */

static bool names_audience(const json_t *aud, struct str wanted)
{
	if (json_is_string(aud))
		return in_list(wanted, text_of(aud));
	for (size_t i = 0; i < json_array_size(aud); i++)
		if (in_list(wanted, text_of(json_array_get(aud, i))))
			return true;
	return false;
}

static bool has_scope(const json_t *scopes, struct str wanted)
{
	if (json_is_string(scopes))
		return in_list(text_of(scopes), wanted);
	for (size_t i = 0; i < json_array_size(scopes); i++)
		if (in_list(text_of(json_array_get(scopes, i)), wanted))
			return true;
	return false;
}

/* "scope" is the standard's name, "scp" what Azure and Okta write. */
static bool has_all_scopes(const json_t *claims, struct str wanted)
{
	const json_t *scope = json_object_get(claims, "scope"),
		     *scp = json_object_get(claims, "scp");

	while (wanted.p && wanted.n) {
		struct str one = word(&wanted);

		if (one.n && !has_scope(scope, one) && !has_scope(scp, one))
			return false;
	}
	return true;
}

/* An address that its owner never proved is anybody's. Some issuers write true and false as text. */
static bool email_unproved(const json_t *claims)
{
	const json_t *j = json_object_get(claims, "email_verified");

	return j && !json_is_true(j) && !str_eq(text_of(j), STR("true"));
}

static bool get_user(struct claims_verdict *v, const struct settings *set, const json_t *claims)
{
	struct str fields = str_c(set->oauth_username_field);

	while (fields.p && fields.n) {
		struct str name = word(&fields), user;

		user = name.n ? text_of(member(claims, name)) : STR_NONE;
		if (!user.n || str_has_nul(user) ||
		    (str_eq(name, STR("email")) && email_unproved(claims)))
			continue;
		for (size_t i = 0; i < user.n; i++) {
			bool upper =
				user.p[i] >= 'A' && user.p[i] <= 'Z' && set->oauth_username_lower;

			buf_putc(&v->user, upper ? (char)(user.p[i] + ('a' - 'A')) : user.p[i]);
		}
		return true;
	}
	return false;
}

static const char *check(struct claims_verdict *v, const struct settings *set, const json_t *claims)
{
	struct str issuers = str_c(set->oauth_issuer), audiences = str_c(set->oauth_audience);

	if (issuers.n && !in_list(issuers, text_of(json_object_get(claims, "iss"))))
		return "its issuer is another";
	if (audiences.n && !names_audience(json_object_get(claims, "aud"), audiences))
		return "it is for another audience";
	if (!has_all_scopes(claims, str_c(set->oauth_scope))) {
		v->verdict = OAUTH_SCOPE;
		return "it lacks a scope";
	}
	if (!get_user(v, set, claims))
		return "it names no user";
	return NULL;
}

void claims_check(struct claims_verdict *v, const struct settings *set, const json_t *claims,
		  int64_t now, bool must_expire)
{
	*v = (struct claims_verdict){.verdict = OAUTH_INVALID};
	v->why = check_times(v, claims, now, (int64_t)set->oauth_leeway, must_expire);
	if (!v->why)
		v->why = check(v, set, claims);
	if (!v->why)
		v->verdict = OAUTH_VALID;
}
