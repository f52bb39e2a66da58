/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/ensure.h"
#include "frontend/authd/pwhash.h"

static const char sha512[] =
	"$6$abcdefgh$ltjgWl6579NluT/Vi1nwEvcil.G5Nbc4NiXZaNGStk8PSwGfQv72N2CKPPrVACtLtip/cZ/1GM/O6IND4WQhG.";
static const char bcrypt[] = "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW";

static enum pwhash_result check(const char *prefix, const char *hash, struct str password)
{
	char all[256];

	snprintf(all, sizeof(all), "%s%s", prefix, hash);
	return pwhash_check(str_c(all), password);
}

static void test_schemes(void **state)
{
	static const char *const prefixes[] = {"", "{CRYPT}", "{crypt}"};
	struct str right = STR("secret"), wrong = STR("secreT");

	for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
		assert_int_equal(check(prefixes[i], sha512, right), PWHASH_MATCH);
		assert_int_equal(check(prefixes[i], sha512, wrong), PWHASH_MISMATCH);
		assert_int_equal(check(prefixes[i], bcrypt, right), PWHASH_MATCH);
		assert_int_equal(check(prefixes[i], bcrypt, wrong), PWHASH_MISMATCH);
	}
	assert_int_equal(check("{SHA512-CRYPT}", sha512, right), PWHASH_MATCH);
	assert_int_equal(check("{BLF-CRYPT}", bcrypt, right), PWHASH_MATCH);
	assert_int_equal(check("{PLAIN}", "secret", right), PWHASH_MATCH);
	assert_int_equal(check("{PLAIN}", "secret", wrong), PWHASH_MISMATCH);
	assert_int_equal(check("{SSHA}", "xyz", right), PWHASH_UNKNOWN);
	assert_int_equal(check("{", "", right), PWHASH_UNKNOWN);
}

/* None of these may ever let anybody in. */
static void test_nothing_matches(void **state)
{
	static const char *const hashes[] = {"",
					     "*",
					     "!",
					     "*0",
					     "*1",
					     "x",
					     "$6$",
					     "$9$a$b",
					     "{CRYPT}",
					     "{PLAIN}",
					     "!$6$abcdefgh$x",
					     "$6$abcdefgh"};
	struct str tries[] = {STR(""), STR("*0"), STR("*"), STR("x"), STR("secret")};

	for (size_t i = 0; i < ARRAY_LEN(hashes); i++)
		for (size_t k = 0; k < ARRAY_LEN(tries); k++)
			assert_int_equal(pwhash_check(str_c(hashes[i]), tries[k]), PWHASH_MISMATCH);
}

static void test_odd_passwords(void **state)
{
	char *long_one = xmalloc(20000);

	memset(long_one, 'a', 20000);
	assert_int_equal(check("", sha512, str_mem("secret\0more", 11)), PWHASH_MISMATCH);
	assert_int_equal(check("", sha512, str_mem("secret\0", 7)), PWHASH_MISMATCH);
	assert_int_equal(check("", sha512, str_mem(long_one, 20000)), PWHASH_MISMATCH);
	assert_int_equal(check("", sha512, STR("")), PWHASH_MISMATCH);
	free(long_one);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_schemes),
		cmocka_unit_test(test_nothing_matches),
		cmocka_unit_test(test_odd_passwords),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
