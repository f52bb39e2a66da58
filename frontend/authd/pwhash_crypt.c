/* SPDX-License-Identifier: Apache-2.0 */
/* crypt(3), after a look at what the hash would cost; and passlib's bcrypt behind a SHA-256. */
#include <crypt.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include "common/base/base64.h"
#include "common/base/ensure.h"
#include "common/base/secret.h"
#include "frontend/authd/pwhash_schemes.h"

/* ---- cost ---------------------------------------------------------------------------------------- */

/* crypt(3)'s own order of letters; -1: none of them. */
static int letter(char c)
{
	static const char letters[] =
		"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
	const char *at = c ? strchr(letters, c) : NULL;

	return at ? (int)(at - letters) : -1;
}

/* yescrypt's numbers: the first letter tells how many follow. False: it is none. */
static bool take_yescrypt(struct str *s, uint64_t *out, uint64_t min)
{
	uint32_t start = 0, end = 47, bits = 0;
	int c = s->n ? letter(s->p[0]) : -1;

	if (c < 0)
		return false;
	*out = min;
	for (; (uint32_t)c > end; bits += 6) {
		*out += (uint64_t)(end + 1 - start) << bits;
		start = end + 1;
		end = start + (62 - end) / 2;
	}
	*out += (uint64_t)((uint32_t)c - start) << bits;
	for (*s = str_from(*s, 1); bits > 0; *s = str_from(*s, 1)) {
		c = s->n ? letter(s->p[0]) : -1;
		if (c < 0)
			return false;
		bits -= 6;
		*out += (uint64_t)c << bits;
	}
	return true;
}

/* 128 * r * N bytes; time goes with it. */
static bool memory_fits(uint64_t log2_n, uint64_t r)
{
	return log2_n < 32 && r < 1 << 20 && (r << log2_n) / 8 <= pwhash_limits.memory_kib;
}

static bool yescrypt_fits(struct str params)
{
	uint64_t flavour, log2_n, r;

	if (!take_yescrypt(&params, &flavour, 0) || !take_yescrypt(&params, &log2_n, 1) ||
	    !take_yescrypt(&params, &r, 1))
		return true; /* crypt(3) refuses it itself */
	/* Further numbers multiply the time (p, t) or ask for a ROM (g): nobody's tools write them. */
	return params.n == 0 && memory_fits(log2_n, r);
}

static bool scrypt_fits(struct str params)
{
	uint64_t r = 0, p = 0;

	if (params.n < 11 || letter(params.p[0]) < 0)
		return true;
	for (size_t i = 0; i < 5; i++) {
		r |= (uint64_t)(letter(params.p[1 + i]) & 63) << (6 * i);
		p |= (uint64_t)(letter(params.p[6 + i]) & 63) << (6 * i);
	}
	return p <= 16 && memory_fits((uint64_t)letter(params.p[0]), r);
}

static bool rounds_fit(struct str number)
{
	uint64_t n;

	/* What overflows is more than any limit; what is no number is refused by crypt(3) itself. */
	if (number.n > 19)
		return false;
	return !str_u64(number, &n) || n <= pwhash_limits.rounds;
}

static bool bsdi_fits(struct str count)
{
	uint64_t n = 0;

	for (size_t i = 0; i < 4 && i < count.n; i++)
		n |= (uint64_t)(letter(count.p[i]) & 63) << (6 * i);
	return n <= pwhash_limits.rounds;
}

static bool bcrypt_fits(struct str cost)
{
	uint64_t n;

	return !str_u64(cost, &n) || (n < 32 && (uint64_t)64 << n <= pwhash_limits.rounds);
}

static bool cost_fits(struct str hash)
{
	struct str rest = str_from(hash, 1), method, params;

	if (hash.p[0] == '_')
		return bsdi_fits(rest);
	if (hash.p[0] != '$')
		return true;
	method = str_split(&rest, '$');
	params = str_split(&rest, '$');
	if (str_eq(method, STR("y")) || str_eq(method, STR("gy")))
		return yescrypt_fits(params);
	if (str_eq(method, STR("7")))
		return scrypt_fits(params);
	if (str_starts(method, STR("2")))
		return bcrypt_fits(params);
	if (str_eq(method, STR("sha1")))
		return rounds_fit(params);
	if (str_starts(method, STR("md5,rounds=")))
		return rounds_fit(str_from(method, 11));
	return !str_starts(params, STR("rounds=")) || rounds_fit(str_from(params, 7));
}

/* ---- the hash itself ------------------------------------------------------------------------------- */

enum pwhash_result pwhash_crypt(struct str hash, struct str password)
{
	struct crypt_data *work;
	char *setting, *phrase;
	const char *got;
	bool same;

	if (!hash.n || str_has_nul(hash) || str_has_nul(password))
		return PWHASH_MISMATCH;
	if (!cost_fits(hash))
		return PWHASH_COSTLY;
	work = xcalloc(1, sizeof(*work));
	setting = str_dup(hash);
	phrase = str_dup(password);
	got = crypt_r(phrase, setting, work);
	/* crypt_r answers faults with "*0" or "*1", which no stored hash may equal. */
	same = got && got[0] != '*' && secret_equal(str_c(got), hash);
	secret_zero(work, sizeof(*work));
	secret_zero(phrase, password.n);
	free(work);
	free(phrase);
	free(setting);
	return same ? PWHASH_MATCH : PWHASH_MISMATCH;
}

/* "v=2,t=2b,r=12" or, before that was invented, "2b,12". */
static bool parse_head(struct str head, bool *v2, struct str *ident, struct str *rounds)
{
	*v2 = str_starts(head, STR("v=2,t="));
	if (*v2)
		head = str_from(head, 6);
	*ident = str_split(&head, ',');
	if (*v2 && !str_starts(head, STR("r=")))
		return false;
	*rounds = str_from(head, *v2 ? 2 : 0);
	return ident->n == 2 && rounds->n >= 1 && rounds->n <= 2;
}

/* What bcrypt gets for a password: base64 of its SHA-256, keyed by the salt since version 2. */
static void digest_password(struct buf *out, bool v2, struct str salt, struct str password)
{
	unsigned char digest[32];
	unsigned n = 0;

	if (v2)
		ASSERT(HMAC(EVP_sha256(), salt.p, (int)salt.n, (const unsigned char *)password.p,
			    password.n, digest, &n));
	else
		ASSERT(EVP_Digest(password.p, password.n, digest, &n, EVP_sha256(), NULL) == 1);
	base64_encode(out, str_mem(digest, sizeof digest));
	secret_zero(digest, sizeof digest);
}

enum pwhash_result pwhash_bcrypt_sha256(struct str hash, struct str password)
{
	struct str rest = str_from(hash, sizeof "$bcrypt-sha256$" - 1);
	struct str head = str_split(&rest, '$'), salt = str_split(&rest, '$'), ident, rounds;
	struct buf inner = BUF_INIT, key = BUF_INIT;
	enum pwhash_result r;
	bool v2;

	if (!parse_head(head, &v2, &ident, &rounds) || salt.n != 22 || rest.n != 31)
		return PWHASH_MISMATCH;
	digest_password(&key, v2, salt, password);
	buf_printf(&inner, "$%.*s$%s%.*s$%.*s%.*s", STR_ARG(ident), rounds.n == 1 ? "0" : "",
		   STR_ARG(rounds), STR_ARG(salt), STR_ARG(rest));
	r = pwhash_crypt(buf_str(&inner), buf_str(&key));
	buf_wipe(&inner);
	buf_wipe(&key);
	return r;
}
