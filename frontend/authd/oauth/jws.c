/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/authd/oauth/jws.h"
#include "common/base/base64.h"
#include "common/base/ensure.h"

static const char *const names[JWS_ALG_N] = {"RS256", "RS384", "RS512", "PS256",
					     "ES256", "ES384", "EdDSA"};

enum jws_alg jws_alg_find(const char *name)
{
	enum jws_alg a = 0;

	while (a < JWS_ALG_N && strcmp(name, names[a]) != 0)
		a++;
	return a;
}

bool jws_base64url(struct buf *out, struct str text)
{
	struct buf plain = BUF_INIT;
	bool ok;

	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];
		int value = base64_value(c);

		/* The other alphabet's letters, and padding, are none of this one. */
		if (c == '-')
			buf_putc(&plain, '+');
		else if (c == '_')
			buf_putc(&plain, '/');
		else
			buf_putc(&plain, value >= 0 && value < 62 ? c : '!');
	}
	while (plain.n % 4 != 0)
		buf_putc(&plain, '=');
	ok = base64_decode(out, buf_str(&plain)) == 0;
	buf_wipe(&plain);
	return ok;
}

bool jws_looks_like(struct str token)
{
	struct str rest = token;
	size_t parts = 0;

	for (; rest.p; parts++)
		if (!str_split(&rest, '.').n && parts < 2)
			return false;
	return parts == 3 && str_starts(token, STR("ey")); /* {" in base64 */
}

static json_t *load_object(struct str text)
{
	struct buf b = BUF_INIT;
	json_t *j = NULL;

	if (jws_base64url(&b, text))
		j = json_loadb(buf_str(&b).p, b.n, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(j)) {
		json_decref(j);
		j = NULL;
	}
	buf_wipe(&b);
	return j;
}

static const char *read_header(struct jws *j)
{
	const json_t *alg = json_object_get(j->header, "alg");
	const json_t *kid = json_object_get(j->header, "kid");

	j->alg = json_is_string(alg) ? jws_alg_find(json_string_value(alg)) : JWS_ALG_N;
	if (j->alg == JWS_ALG_N)
		return "its algorithm is not one of ours";
	/* RFC 7515 4.1.11: extensions that must be understood. */
	if (json_object_get(j->header, "crit"))
		return "it has critical extensions";
	if (kid && !json_is_string(kid))
		return "its key id is no text";
	j->kid = kid ? str_mem(json_string_value(kid), json_string_length(kid)) : STR_NONE;
	return NULL;
}

static const char *parse(struct jws *j, struct str token)
{
	struct str rest = token, header = str_split(&rest, '.'), claims = str_split(&rest, '.');

	if (!rest.p || str_find(rest, '.') != rest.n)
		return "it has not three parts";
	j->input = str_sub(token, 0, header.n + 1 + claims.n);
	j->header = load_object(header);
	j->claims = load_object(claims);
	if (!j->header || !j->claims)
		return "it is not JSON";
	if (!jws_base64url(&j->signature, rest) || j->signature.n == 0)
		return "it has no signature";
	return read_header(j);
}

const char *jws_parse(struct jws *j, struct str token)
{
	const char *why;

	*j = (struct jws){.alg = JWS_ALG_N};
	why = parse(j, token);
	if (why)
		jws_free(j);
	return why;
}

void jws_free(struct jws *j)
{
	json_decref(j->header);
	json_decref(j->claims);
	buf_wipe(&j->signature);
	*j = (struct jws){.alg = JWS_ALG_N};
}
