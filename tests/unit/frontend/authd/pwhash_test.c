/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/ensure.h"
#include "common/imap/saslname.h"
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
	assert_int_equal(check("{PLAIN.b64}", "c2VjcmV0", right), PWHASH_MATCH);
	assert_int_equal(check("{PLAIN.hex}", "736563726574", right), PWHASH_MATCH);
	assert_int_equal(check("{cleartext}", "secret", right), PWHASH_MATCH);
	assert_int_equal(check("{NTLM}", "xyz", right), PWHASH_UNKNOWN);
	assert_int_equal(check("{SSHA.b65}", "xyz", right), PWHASH_UNKNOWN);
	assert_int_equal(check("{", "", right), PWHASH_UNKNOWN);
}

/* One password, as doveadm pw (Dovecot 2.3.19) and passlib 1.7.4 hash it. */
#define PASSWORD "T\xc3\xa4st 1"
static const char *const foreign[] = {
	"{SSHA}7enxMFbuZjEUJsSxaVvvQzPZ+ITofHso",
	"{SSHA256}Cu2B6bL+50bHnzz03PGVS6wrJMuV7PSCUHlHVHdsSoM09eyC",
	"{SSHA512}jbs3z5HthU5l98Ph188zxGFTYqAHDi2xMtJr6yYwttZwD51QeSNzg0YyrVzrs/oREkmsX+cB50ad7yB4oRMYEyWOtps=",
	"{SHA}iQZbL/0aW8/daGs/OPS8Cy5sfTA=",
	"{SHA256}+Kvqo1biklRfynOfjVd8oXRe4SR9JMHNzdtDpKCRLT0=",
	"{SHA512}VhmG+89NmtRMRJYty+sruoPbO2p2FH5rZVSAAAF+9fbST+gJUJqVLWTTXU2/ECSNg3GPP2Vq6fiepUkaOWNYTw==",
	"{SMD5}TlO70gHgmkzLONpw3KblmUkpg7Y=",
	"{LDAP-MD5}smI7d0eKVkQNRghbGuWVdA==",
	"{PLAIN-MD5}b2623b77478a56440d46085b1ae59574",
	"{SHA256.HEX}f8abeaa356e292545fca739f8d577ca1745ee1247d24c1cdcddb43a4a0912d3d",
	"{SHA256}f8abeaa356e292545fca739f8d577ca1745ee1247d24c1cdcddb43a4a0912d3d",
	"{SSHA.HEX}09220ea847b70ec2f8f4e3b3d46cc81c6292fd9a0cc785d8",
	"{PLAIN.B64}VMOkc3QgMQ==",
	"{PBKDF2}$1$88r0ATv.zn/zWfZK$5000$ca9999afc32457d05ca1452c61fe6f16f0b184bb",
	"{PBKDF2}1000$EyJkTMk5pxSilHKO0RoDoA$nQZzciADKzYBsbB3DoDsS8aBN1A",
	"{PBKDF2-SHA256}1000$m1MqxTjHOGesVcp5L6V0jg$jgdskv.trKdbyT6BAQnCyz69daVLOyleb.I8H0FyMjg",
	"{PBKDF2-SHA512}1000$mZNyrpUSQsjZuzcmRAjh3A$8yBMMMGny.jP/gk0ZI9ADq5wN1Jmi5UicAFSXnoea7HXnn2."
	"tGO/VgcNBeFoRnd2XIYX5pa4aNf6ijdGKryHmQ",
	"$pbkdf2$1000$lLK29j7nnNMaY2xtrXUu5Q$56PkBnvRTTqbifRJxQE4ce5j78w",
	"$pbkdf2-sha256$1000$YKw15ry3VkrJmfNey5lTCg$QN4UTgukfns92rRTkhPgK34DfHnLhC0rkoRtroSI73w",
	"{CRYPT}$pbkdf2-sha512$1000$HuPc.x/jPEdorfW.994bow$PdCLBgMUdsr2Zz2r6p.Jr/"
	"WWKBEmFrYXTgzzORLf1NtUDTogSIuJA/PzvKIy3C0dmN1QJBh3MPnfzfibx4vq9g",
	"$bcrypt-sha256$v=2,t=2b,r=5$51Qjcy1kXwRgc80zwdjeXu$aL9DFaEjmgeBTDKGDA./BUGqRXFXKQG",
	"$bcrypt-sha256$2b,5$TdSBgust40iUX.P2cxbL0O$t..OsFY4GihxR4uB.3DbE7amUrh0.a6",
	"{BLF-CRYPT}$bcrypt-sha256$2b,5$TdSBgust40iUX.P2cxbL0O$t..OsFY4GihxR4uB.3DbE7amUrh0.a6",
	"{SCRAM-SHA-1}4096,HC0qkN0JD7Em9Juba86Maw==,ZNTL6qq1R8rQXbWU1kZjgVgTL9g=,cV9XaVAdTAlJ6tscA8Q9uh82U80=",
	"{SCRAM-SHA-256}4096,8QkC1ovCJj344mu3ZyhiLQ==,+Rwsv6qdCGAOwGbknOqfV5ktq4fShqyIYSS8BpLZQKQ=,"
	"n/Yg5l0px0YNkyoqDijX39O0qUv8z+LAfErLywaPH2Q=",
	"SCRAM-SHA-256$4096:8QkC1ovCJj344mu3ZyhiLQ==$+Rwsv6qdCGAOwGbknOqfV5ktq4fShqyIYSS8BpLZQKQ=:"
	"n/Yg5l0px0YNkyoqDijX39O0qUv8z+LAfErLywaPH2Q=",
	"{CRAM-MD5}27b358f926cc7af3f39622b98d78569dfd69d156158d03a8b4bc25de77caed1d",
	"{HMAC-MD5}27b358f926cc7af3f39622b98d78569dfd69d156158d03a8b4bc25de77caed1d",
#ifdef HAVE_ARGON2
	"{ARGON2ID}$argon2id$v=19$m=65536,t=3,p=1$d6BPGfW7FHtXkzdHwf+mdQ$b1uTqVGTZgy2rppDwrjA8dC+D7apI3N7jPwzEHl+afA",
	"$argon2i$v=19$m=32768,t=4,p=1$pXzYTHIvWReVZraRngUcUA$PJeBS9QWdvwYOaTbwldKV5FJQvzpG1LY+0wIMXiXHpc",
#endif
};

static void test_foreign(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(foreign); i++) {
		assert_int_equal(pwhash_check(str_c(foreign[i]), STR(PASSWORD)), PWHASH_MATCH);
		assert_int_equal(pwhash_check(str_c(foreign[i]), STR(PASSWORD " ")),
				 PWHASH_MISMATCH);
		assert_int_equal(pwhash_check(str_c(foreign[i]), STR("")), PWHASH_MISMATCH);
		assert_int_equal(pwhash_check(str_c(foreign[i]), str_mem(PASSWORD "\0", 8)),
				 PWHASH_MISMATCH);
	}
}

/* Cut anywhere, or one letter changed: never a match, and nothing worse. */
static void test_foreign_damaged(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(foreign); i++) {
		struct str whole = str_c(foreign[i]);
		size_t from = whole.n > 60 ? whole.n - 60 : str_find(whole, '}') + 1;

		if (str_starts(whole, STR("{ARGON2")) || str_starts(whole, STR("$argon2")))
			from = whole.n - 3; /* each try costs 50 ms */
		for (size_t n = from; n < whole.n; n++)
			assert_int_not_equal(pwhash_check(str_sub(whole, 0, n), STR(PASSWORD)),
					     PWHASH_MATCH);
	}
}

/* What would take hours or all memory is told at once. */
static void test_costly(void **state)
{
	static const char *const hashes[] = {
		"{PBKDF2}$1$88r0ATv.zn/zWfZK$1000000000$ca9999afc32457d05ca1452c61fe6f16f0b184bb",
		"$pbkdf2-sha256$999999999$YKw15ry3VkrJmfNey5lTCg$QN4UTgukfns92rRTkhPgK34DfHnLhC0rkoRtroSI73w",
		"$6$rounds=999999999$abcdefgh$ltjgWl6579NluT/Vi1nwEvcil.G5Nbc4NiXZaNGStk8PSwGfQv72N2CKPPrVACt",
		"$5$rounds=99999999999999999999999$abcdefgh$ltjgWl6579NluT",
		"$2b$31$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW",
		"$bcrypt-sha256$v=2,t=2b,r=31$51Qjcy1kXwRgc80zwdjeXu$aL9DFaEjmgeBTDKGDA./BUGqRXFXKQG",
		"$y$jLT$abcdefgh$x",
		"$y$j9T.5$abcdefgh$x",
		"$7$N6..../....abcdefgh$x",
		"$sha1$4000000000$abcdefgh$x",
		"$md5,rounds=4000000000$abcdefgh$x",
		"{SCRAM-SHA-1}9999999,HC0qkN0JD7Em9Juba86Maw==,ZNTL6qq1R8rQXbWU1kZjgVgTL9g=,cV9XaVAdTAlJ6tscA8Q9uh82U80=",
#ifdef HAVE_ARGON2
		"$argon2id$v=19$m=4194304,t=3,p=1$d6BPGfW7FHtXkzdHwf+mdQ$b1uTqVGTZgy2rppDwrjA8dC+D7apI3N7jPwzEHl+afA",
		"$argon2id$v=19$m=65536,t=4000000,p=1$d6BPGfW7FHtXkzdHwf+mdQ$b1uTqVGTZgy2rppDwrjA8dC+D7apI3N7jPwzEHl+afA",
		"{ARGON2I}$argon2i$m=8192,t=1,p=60000$pXzYTHIvWReVZraRngUcUA$PJeBS9QWdvwYOaTbwldKV5FJQvzpG1LY",
#endif
	};

	for (size_t i = 0; i < ARRAY_LEN(hashes); i++)
		assert_int_equal(pwhash_check(str_c(hashes[i]), STR("x")), PWHASH_COSTLY);
	/* libcrypt's own choices are none of these. */
	assert_int_equal(pwhash_check(STR("$y$j9T$abcdefgh$x"), STR("x")), PWHASH_MISMATCH);
}

static void test_unsuited(void **state)
{
	const unsigned cram = SASL_BIT(SASL_CRAM_MD5), all = cram | SASL_BITS_SCRAM;

	assert_int_equal(pwhash_unsuited(STR("{PLAIN}x")), 0);
	assert_int_equal(pwhash_unsuited(STR("{SCRAM-SHA-1}x")), cram | SASL_BITS_SCRAM_256);
	assert_int_equal(pwhash_unsuited(STR("SCRAM-SHA-256$x")), cram | SASL_BITS_SCRAM_1);
	assert_int_equal(pwhash_unsuited(STR("{CRAM-MD5}x")), SASL_BITS_SCRAM);
	assert_int_equal(pwhash_unsuited(str_c(sha512)), all);
	assert_int_equal(pwhash_unsuited(STR("{NTLM}x")), all);
	assert_int_equal(pwhash_unsuited(STR("")), 0);
	assert_int_equal(pwhash_unsuited(STR("*")), 0);
	assert_int_equal(pwhash_unsuited(STR("!$6$x")), 0);
	assert_int_equal(pwhash_unsuited(STR("{CRYPT}!")), 0);
}

/* RFC 2195 2. */
static void test_cram(void **state)
{
	struct str challenge = STR("<1896.697170952@postoffice.reston.mci.net>");
	struct str digest = STR("b913a602c7eda7a495b4e6e7334d3890");
	/* "tanstaaftanstaaf" by doveadm pw -s CRAM-MD5 */
	struct str states =
		STR("{CRAM-MD5}d06d4e1b26fccaa4b0b61801132340a354b21152711fb604ca3e035e7015116b");

	assert_int_equal(pwhash_check_cram(STR("{PLAIN}tanstaaftanstaaf"), challenge, digest),
			 PWHASH_MATCH);
	assert_int_equal(pwhash_check_cram(states, challenge, digest), PWHASH_MATCH);
	assert_int_equal(pwhash_check_cram(states, STR("<x>"), digest), PWHASH_MISMATCH);
	assert_int_equal(pwhash_check_cram(STR("{PLAIN}tanstaaf"), challenge, digest),
			 PWHASH_MISMATCH);
	assert_int_equal(pwhash_check_cram(states, challenge, STR("")), PWHASH_MISMATCH);
	assert_int_equal(pwhash_check_cram(str_c(sha512), challenge, digest), PWHASH_UNKNOWN);
	assert_int_equal(pwhash_check_cram(STR("{PLAIN}"), challenge, digest), PWHASH_MISMATCH);
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
					     "$6$abcdefgh",
					     "{SSHA}",
					     "{SHA}",
					     "{SSHA}2jmj7l5rSw0yVb/vlWAYkK/YBwk=",
					     "{PBKDF2}$1$$1$",
					     "{PBKDF2}$1$x$0$00000000000000000000000000000000",
					     "{CRAM-MD5}",
					     "{PLAIN.b64}",
					     "{PLAIN.b64}!",
					     "{PLAIN.hex}7",
					     "{SHA.hex}zz",
					     "$bcrypt-sha256$",
					     "$pbkdf2-sha256$1000$$",
					     "$argon2id$",
					     "SCRAM-SHA-1$",
					     "{SCRAM-SHA-256}4096,,,"};
	struct str tries[] = {STR(""), STR("*0"), STR("*"), STR("x"), STR("secret")};

	for (size_t i = 0; i < ARRAY_LEN(hashes); i++)
		for (size_t k = 0; k < ARRAY_LEN(tries); k++)
			assert_int_not_equal(pwhash_check(str_c(hashes[i]), tries[k]),
					     PWHASH_MATCH);
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
		cmocka_unit_test(test_schemes),		cmocka_unit_test(test_foreign),
		cmocka_unit_test(test_foreign_damaged), cmocka_unit_test(test_costly),
		cmocka_unit_test(test_unsuited),	cmocka_unit_test(test_cram),
		cmocka_unit_test(test_nothing_matches), cmocka_unit_test(test_odd_passwords),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
