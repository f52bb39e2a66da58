/* SPDX-License-Identifier: Apache-2.0 */
/* Access tokens: the SASL messages around them, JWTs, key sets, claims, introspection answers. */
#include "common/base/ensure.h"
#include "frontend/authd/oauth/introspect.h"
#include "frontend/authd/oauth/jwks.h"
#include "frontend/authd/sasl/oauth_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct settings set = {.oauth_username_field = "email sub",
				    .oauth_issuer = "",
				    .oauth_audience = "a",
				    .oauth_scope = "s",
				    .oauth_introspection_mode = "post"};

static void message(struct str in)
{
	struct arena a = ARENA_INIT;
	struct oauth_message o;

	if (oauth_message_bearer(&o, &a, in))
		ASSERT(o.token.n);
	if (oauth_message_xoauth2(&o, &a, in))
		ASSERT(o.token.n && o.user.n);
	arena_deinit(&a);
}

static void answer(struct str in)
{
	struct claims_verdict v;

	introspect_judge(&v, &set, 200, in, 1700000000);
	ASSERT((v.verdict == OAUTH_VALID) == (v.why == NULL));
	ASSERT(v.verdict != OAUTH_VALID || v.user.n);
	buf_deinit(&v.user);
}

/* A key set, a NUL, and a token. */
static void keys(struct str in)
{
	struct str rest = in, text = str_split(&rest, '\0');
	struct err e;
	struct jwks *s = jwks_parse(text, &e);
	EVP_PKEY *found[JWKS_TRIES_MAX];
	struct jws j;

	if (rest.p && !jws_parse(&j, rest)) {
		size_t n = jwks_find(s, &j, found);

		for (size_t i = 0; i < n; i++) {
			(void)jwks_verify(found[i], &j);
			EVP_PKEY_free(found[i]);
		}
		jws_free(&j);
	}
	jwks_free(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_mem(data, size);

	message(in);
	answer(in);
	keys(in);
	return 0;
}
