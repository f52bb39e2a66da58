/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/authd/pwhash.h"
#include <crypt.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include "common/base/ensure.h"
#include "common/base/secret.h"

static bool crypt_matches(struct str hash, struct str password)
{
	struct crypt_data *work = xcalloc(1, sizeof(*work));
	char *setting = str_dup(hash), *phrase = str_dup(password);
	const char *got = crypt_r(phrase, setting, work);
	/* crypt_r answers faults with "*0" or "*1", which no stored hash may equal. */
	bool same = got && got[0] != '*' && secret_equal(str_c(got), hash);

	secret_zero(work, sizeof(*work));
	secret_zero(phrase, password.n);
	free(work);
	free(phrase);
	free(setting);
	return same;
}

enum pwhash_result pwhash_check(struct str hash, struct str password)
{
	static const char *const crypts[] = {"{CRYPT}", "{SHA512-CRYPT}", "{SHA256-CRYPT}",
					     "{BLF-CRYPT}", "{MD5-CRYPT}"};

	if (str_istarts(hash, STR("{PLAIN}"))) {
		hash = str_from(hash, sizeof("{PLAIN}") - 1);
		return hash.n && secret_equal(hash, password) ? PWHASH_MATCH : PWHASH_MISMATCH;
	}
	for (size_t i = 0; i < ARRAY_LEN(crypts); i++)
		if (str_istarts(hash, str_c(crypts[i]))) {
			hash = str_from(hash, strlen(crypts[i]));
			break;
		}
	if (hash.n && hash.p[0] == '{')
		return PWHASH_UNKNOWN;
	if (!hash.n || str_has_nul(hash) || str_has_nul(password))
		return PWHASH_MISMATCH;
	return crypt_matches(hash, password) ? PWHASH_MATCH : PWHASH_MISMATCH;
}

enum pwhash_result pwhash_check_cram(struct str hash, struct str challenge, struct str digest)
{
	uint8_t mac[EVP_MAX_MD_SIZE];
	char hex[33];
	unsigned n = 0;

	if (!str_istarts(hash, STR("{PLAIN}")))
		return PWHASH_UNKNOWN;
	hash = str_from(hash, sizeof("{PLAIN}") - 1);
	if (!hash.n ||
	    !HMAC(EVP_md5(), hash.p, (int)hash.n, (const uint8_t *)challenge.p, challenge.n, mac,
		  &n) ||
	    n != 16)
		return PWHASH_MISMATCH;
	for (size_t i = 0; i < n; i++)
		snprintf(hex + 2 * i, 3, "%02x", mac[i]);
	return secret_equal(str_c(hex), digest) ? PWHASH_MATCH : PWHASH_MISMATCH;
}
