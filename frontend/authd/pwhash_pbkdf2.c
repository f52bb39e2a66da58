/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PBKDF2 in the forms that are around:
 *   $1$salt$rounds$hash     Dovecot: the salt as it stands there, the hash in hex
 *   rounds$salt$hash        OpenLDAP's pw-pbkdf2, and
 *   $pbkdf2..$rounds$salt$hash  passlib: both in base64 without padding and with . for +
 */
#include <openssl/evp.h>
#include "common/base/base64.h"
#include "common/base/hex.h"
#include "common/base/secret.h"
#include "frontend/authd/pwhash_schemes.h"

enum { SALT_MAX = 1024 };

struct form {
	uint64_t rounds;
	struct buf salt, hash;
};

static bool adapted_base64(struct buf *out, struct str text)
{
	struct buf padded = BUF_INIT;
	bool ok;

	for (size_t i = 0; i < text.n; i++)
		buf_putc(&padded, text.p[i] == '.' ? '+' : text.p[i]);
	while (padded.n % 4 != 0)
		buf_putc(&padded, '=');
	ok = base64_decode(out, buf_str(&padded)) == 0;
	buf_wipe(&padded);
	return ok;
}

static bool parse_dovecot(struct form *f, struct str rest)
{
	buf_str_put(&f->salt, str_split(&rest, '$'));
	return str_u64(str_split(&rest, '$'), &f->rounds) && rest.p &&
	       hex_decode(&f->hash, rest) == 0;
}

static bool parse(struct form *f, struct str text)
{
	struct str rest = text;

	if (str_starts(text, STR("$1$")))
		return parse_dovecot(f, str_from(text, 3));
	if (str_starts(text, STR("$pbkdf2"))) {
		rest = str_from(text, 1);
		str_split(&rest, '$');
	}
	return str_u64(str_split(&rest, '$'), &f->rounds) &&
	       adapted_base64(&f->salt, str_split(&rest, '$')) && rest.p &&
	       adapted_base64(&f->hash, rest);
}

static bool matches(const EVP_MD *md, const struct form *f, struct str password)
{
	unsigned char made[EVP_MAX_MD_SIZE];
	int n = (int)f->hash.n;
	bool same = PKCS5_PBKDF2_HMAC(password.n ? password.p : "", (int)password.n,
				      (const unsigned char *)buf_str(&f->salt).p, (int)f->salt.n,
				      (int)f->rounds, md, n, made) == 1 &&
		    secret_equal(str_mem(made, (size_t)n), buf_str(&f->hash));

	secret_zero(made, sizeof made);
	return same;
}

enum pwhash_result pwhash_pbkdf2(const char *name, struct str text, struct str password)
{
	const EVP_MD *md = EVP_get_digestbyname(name);
	struct form f = {0};
	enum pwhash_result r = PWHASH_MISMATCH;

	if (!md)
		return PWHASH_UNKNOWN;
	if (parse(&f, text) && f.rounds > 0 && f.salt.n <= SALT_MAX &&
	    f.hash.n == (size_t)EVP_MD_get_size(md) && password.n <= INT32_MAX) {
		if (f.rounds > pwhash_limits.rounds || f.rounds > INT32_MAX)
			r = PWHASH_COSTLY;
		else if (matches(md, &f, password))
			r = PWHASH_MATCH;
	}
	buf_wipe(&f.salt);
	buf_wipe(&f.hash);
	return r;
}
