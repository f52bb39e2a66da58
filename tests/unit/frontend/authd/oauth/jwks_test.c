/* SPDX-License-Identifier: Apache-2.0 */
/* jws and jwks: tokens of every algorithm by the right key, and by no other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "frontend/authd/oauth/jwks.h"
#include "tests/unit/frontend/authd/oauth/vectors.h"

static struct jwks *load(void)
{
	struct err e;
	struct jwks *s = jwks_parse(str_c(vector_jwks), &e);

	assert_non_null(s);
	return s;
}

static bool genuine(const struct jwks *s, struct str token, size_t *nkeys)
{
	EVP_PKEY *keys[JWKS_TRIES_MAX];
	struct jws j;
	bool ok = false;

	*nkeys = 0;
	if (jws_parse(&j, token))
		return false;
	*nkeys = jwks_find(s, &j, keys);
	for (size_t i = 0; i < *nkeys; i++) {
		ok |= jwks_verify(keys[i], &j);
		EVP_PKEY_free(keys[i]);
	}
	jws_free(&j);
	return ok;
}

static const char *const good[] = {vector_rs256, vector_rs384, vector_rs512, vector_ps256,
				   vector_es256, vector_es384, vector_eddsa};

static void test_good(void **state)
{
	struct jwks *s = load();
	size_t n;

	/* Five are of no use: too short, not of a public kind, for encryption, off the curve, for HS256. */
	assert_int_equal(s->keys.n, 4);
	assert_int_equal(s->skipped, 5);
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		assert_true(jws_looks_like(str_c(good[i])));
		assert_true(genuine(s, str_c(good[i]), &n));
		assert_int_equal(n, 1);
	}
	assert_true(genuine(s, str_c(vector_no_kid), &n));
	assert_false(genuine(s, str_c(vector_other_kid), &n));
	assert_int_equal(n, 0);
	jwks_free(&s);
}

/* One letter changed, anywhere: a look at every 7th of them. */
static void test_changed(void **state)
{
	struct jwks *s = load();
	size_t n;

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		char *copy = xstrdup(good[i]);
		size_t size = strlen(copy);

		for (size_t at = i; at < size; at += 7) {
			char was = copy[at];

			/* The last letter's unused bits must be zero, so that no two texts are one signature. */
			copy[at] = was == 'A' ? 'B' : 'A';
			assert_false(genuine(s, str_c(copy), &n));
			copy[at] = was;
		}
		for (size_t cut = 0; cut < size; cut += 13)
			assert_false(genuine(s, str_mem(copy, cut), &n));
		free(copy);
	}
	jwks_free(&s);
}

static void test_refused_algorithms(void **state)
{
	static const char *const bad[] = {vector_none, vector_none_signed, vector_hs256,
					  vector_crit};
	struct jws j;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_non_null(jws_parse(&j, str_c(bad[i])));
	assert_int_equal(jws_alg_find("HS256"), JWS_ALG_N);
	assert_int_equal(jws_alg_find("none"), JWS_ALG_N);
	assert_int_equal(jws_alg_find("rs256"), JWS_ALG_N);
}

static void test_not_tokens(void **state)
{
	static const char *const bad[] = {"",
					  ".",
					  "..",
					  "...",
					  "ey",
					  "ey.ey.",
					  "a.b.c",
					  "eyJ9.eyJ9.AA",
					  "e30.e30.AA",
					  "eyJhbGciOiJSUzI1NiJ9.W10.AA",
					  "eyJhbGciOiJSUzI1NiJ9.e30=.AA",
					  "eyJhbGciOjF9.e30.AA",
					  "eyJhbGciOiJSUzI1NiJ9.e30.AA.AA.AA",
					  "eyJhbGciOiJSUzI1NiIsImtpZCI6MX0.e30.AA"};
	struct jws j;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_non_null(jws_parse(&j, str_c(bad[i])));
	assert_false(jws_looks_like(STR("opaque-token")));
	assert_false(jws_looks_like(STR("ya29.a0.x")));
}

static void test_not_key_sets(void **state)
{
	static const char *const bad[] = {
		"",
		"{",
		"[]",
		"{}",
		"{\"keys\":{}}",
		"{\"keys\":[]}",
		"{\"keys\":[1,null,\"x\"]}",
		"{\"keys\":[{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}]}",
		"{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AA\"}]}",
		"{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-521\",\"x\":\"AA\",\"y\":\"AA\"}]}"};
	struct err e;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_null(jwks_parse(str_c(bad[i]), &e));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_changed),
		cmocka_unit_test(test_refused_algorithms),
		cmocka_unit_test(test_not_tokens),
		cmocka_unit_test(test_not_key_sets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
