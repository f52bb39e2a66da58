/* SPDX-License-Identifier: Apache-2.0 */
/* LDAP's: digest(password), or digest(password, salt) with the salt behind it. */
#include <openssl/evp.h>
#include "common/base/secret.h"
#include "frontend/authd/pwhash_schemes.h"

static bool compute(const EVP_MD *md, struct str password, struct str salt, unsigned char *out)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok = ctx && EVP_DigestInit_ex(ctx, md, NULL) == 1 &&
		  EVP_DigestUpdate(ctx, password.p, password.n) == 1 &&
		  EVP_DigestUpdate(ctx, salt.p, salt.n) == 1 &&
		  EVP_DigestFinal_ex(ctx, out, NULL) == 1;

	EVP_MD_CTX_free(ctx);
	return ok;
}

enum pwhash_result pwhash_digest(const char *name, bool salted, enum pwhash_coding coding,
				 struct str text, struct str password)
{
	const EVP_MD *md = EVP_get_digestbyname(name);
	unsigned char made[EVP_MAX_MD_SIZE];
	struct buf have = BUF_INIT;
	struct str all;
	bool same = false;
	size_t n;

	if (!md)
		return PWHASH_UNKNOWN;
	n = (size_t)EVP_MD_get_size(md);
	if (coding == PWHASH_AS_IT_IS)
		coding = !salted && text.n == 2 * n ? PWHASH_HEX : PWHASH_BASE64;
	if (pwhash_decode(&have, coding, text) && (salted ? have.n > n : have.n == n)) {
		all = buf_str(&have);
		same = compute(md, password, str_from(all, n), made) &&
		       secret_equal(str_mem(made, n), str_sub(all, 0, n));
	}
	secret_zero(made, sizeof made);
	buf_wipe(&have);
	return same ? PWHASH_MATCH : PWHASH_MISMATCH;
}
