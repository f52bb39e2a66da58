/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/authd/pwhash.h"
#include "common/auth/scram_keys.h"
#include "common/base/base64.h"
#include "common/base/ensure.h"
#include "common/base/hex.h"
#include "common/base/secret.h"
#include "common/imap/saslname.h"
#include "frontend/authd/pwhash_schemes.h"

struct pwhash_limits pwhash_limits = {.rounds = 5000000, .memory_kib = 262144};

void pwhash_limit(const struct pwhash_limits *l)
{
	pwhash_limits = *l;
}

enum family { PLAIN, CRYPT, DIGEST, SALTED, PBKDF2, ARGON2, SCRAM, CRAM };

static const struct scheme {
	const char *name;
	enum family family;
	const char *md;
} schemes[] = {
	{"PLAIN", PLAIN, NULL},
	{"CLEARTEXT", PLAIN, NULL},
	{"CRYPT", CRYPT, NULL},
	{"SHA512-CRYPT", CRYPT, NULL},
	{"SHA256-CRYPT", CRYPT, NULL},
	{"BLF-CRYPT", CRYPT, NULL},
	{"MD5-CRYPT", CRYPT, NULL},
	{"DES-CRYPT", CRYPT, NULL},
	{"SHA", DIGEST, "SHA1"},
	{"SHA1", DIGEST, "SHA1"},
	{"SHA256", DIGEST, "SHA256"},
	{"SHA512", DIGEST, "SHA512"},
	{"SSHA", SALTED, "SHA1"},
	{"SSHA256", SALTED, "SHA256"},
	{"SSHA512", SALTED, "SHA512"},
	{"SMD5", SALTED, "MD5"},
	{"LDAP-MD5", DIGEST, "MD5"},
	{"PLAIN-MD5", DIGEST, "MD5"},
	{"PBKDF2", PBKDF2, "SHA1"},
	{"PBKDF2-SHA1", PBKDF2, "SHA1"},
	{"PBKDF2-SHA256", PBKDF2, "SHA256"},
	{"PBKDF2-SHA512", PBKDF2, "SHA512"},
#ifdef HAVE_ARGON2
	{"ARGON2I", ARGON2, NULL},
	{"ARGON2ID", ARGON2, NULL},
#endif
	{"SCRAM-SHA-1", SCRAM, NULL},
	{"SCRAM-SHA-256", SCRAM, NULL},
	{"CRAM-MD5", CRAM, NULL},
	{"HMAC-MD5", CRAM, NULL},
};

static const struct scheme *find_scheme(struct str name)
{
	for (size_t i = 0; i < ARRAY_LEN(schemes); i++)
		if (str_ieq(name, str_c(schemes[i].name)))
			return &schemes[i];
	return NULL;
}

/* Bare hashes that are not crypt(3)'s. */
static const struct {
	const char *start, *scheme;
} bare[] = {
	{"$argon2id$", "ARGON2ID"},
	{"$argon2i$", "ARGON2I"},
	{"$pbkdf2$", "PBKDF2"},
	{"$pbkdf2-sha256$", "PBKDF2-SHA256"},
	{"$pbkdf2-sha512$", "PBKDF2-SHA512"},
	{"SCRAM-SHA-1$", "SCRAM-SHA-1"},
	{"SCRAM-SHA-256$", "SCRAM-SHA-256"},
};

struct parsed {
	const struct scheme *scheme; /* NULL: unknown */
	enum pwhash_coding coding;
	struct str text;
};

static bool parse_coding(struct str name, enum pwhash_coding *c)
{
	if (str_ieq(name, STR("b64")) || str_ieq(name, STR("base64")))
		*c = PWHASH_BASE64;
	else if (str_ieq(name, STR("hex")))
		*c = PWHASH_HEX;
	else
		return false;
	return true;
}

static struct parsed parse(struct str hash)
{
	struct parsed p = {find_scheme(STR("CRYPT")), PWHASH_AS_IT_IS, hash};
	struct str name, rest = hash;

	if (hash.n && hash.p[0] == '{') {
		rest = str_from(hash, 1);
		name = str_split(&rest, '}');
		p.text = rest;
		p.scheme = NULL;
		if (rest.p) {
			size_t dot = str_find(name, '.');

			p.scheme = find_scheme(str_sub(name, 0, dot));
			if (dot < name.n && !parse_coding(str_from(name, dot + 1), &p.coding))
				p.scheme = NULL;
		}
	}
	/* {CRYPT}$argon2id$.. and the like: Dovecot's schemes hand such on to what they are, too. */
	for (size_t i = 0; i < ARRAY_LEN(bare); i++)
		if (p.scheme && p.scheme->family == CRYPT &&
		    str_starts(p.text, str_c(bare[i].start)))
			p.scheme = find_scheme(str_c(bare[i].scheme));
	return p;
}

bool pwhash_decode(struct buf *out, enum pwhash_coding c, struct str text)
{
	switch (c) {
	case PWHASH_BASE64:
		return base64_decode(out, text) == 0;
	case PWHASH_HEX:
		return hex_decode(out, text) == 0;
	case PWHASH_AS_IT_IS:
		buf_str_put(out, text);
		return true;
	}
	return false;
}

static enum pwhash_result check_scram(struct str hash, struct str password)
{
	struct scram_keys k;
	enum pwhash_result r = PWHASH_MISMATCH;

	if (!scram_keys_parse(&k, hash))
		return PWHASH_MISMATCH;
	if (k.iterations > pwhash_limits.rounds)
		r = PWHASH_COSTLY;
	else if (scram_keys_match(&k, password))
		r = PWHASH_MATCH;
	secret_zero(&k, sizeof k);
	return r;
}

static enum pwhash_result check_text(const struct parsed *p, struct str hash, struct str text,
				     struct str password)
{
	switch (p->scheme->family) {
	case PLAIN:
		return text.n && secret_equal(text, password) ? PWHASH_MATCH : PWHASH_MISMATCH;
	case CRYPT:
		return str_starts(text, STR("$bcrypt-sha256$"))
			       ? pwhash_bcrypt_sha256(text, password)
			       : pwhash_crypt(text, password);
	case PBKDF2:
		return pwhash_pbkdf2(p->scheme->md, text, password);
	case ARGON2:
		return pwhash_argon2(text, password);
	case SCRAM:
		return check_scram(hash, password);
	case CRAM:
		return pwhash_cram_password(text, password);
	case DIGEST:
	case SALTED:
		return pwhash_digest(p->scheme->md, p->scheme->family == SALTED, p->coding, p->text,
				     password);
	}
	return PWHASH_UNKNOWN;
}

enum pwhash_result pwhash_check(struct str hash, struct str password)
{
	struct parsed p = parse(hash);
	struct buf text = BUF_INIT;
	enum pwhash_result r = PWHASH_MISMATCH;
	bool binary = p.scheme && (p.scheme->family == DIGEST || p.scheme->family == SALTED);

	if (!p.scheme)
		return PWHASH_UNKNOWN;
	if (!p.text.n || str_has_nul(password))
		return PWHASH_MISMATCH;
	if (binary || pwhash_decode(&text, p.coding, p.text))
		r = check_text(&p, hash, buf_str(&text), password);
	buf_wipe(&text);
	return r;
}

enum pwhash_result pwhash_check_cram(struct str hash, struct str challenge, struct str digest)
{
	struct parsed p = parse(hash);
	struct buf text = BUF_INIT;
	enum pwhash_result r = PWHASH_UNKNOWN;

	if (p.scheme && (p.scheme->family == PLAIN || p.scheme->family == CRAM)) {
		r = PWHASH_MISMATCH;
		if (!p.text.n || !pwhash_decode(&text, p.coding, p.text) || !text.n)
			r = PWHASH_MISMATCH;
		else if (p.scheme->family == CRAM)
			r = pwhash_cram_answer(buf_str(&text), challenge, digest);
		else
			r = pwhash_cram_plain(buf_str(&text), challenge, digest);
	}
	buf_wipe(&text);
	return r;
}

bool pwhash_plain(struct str hash, struct buf *out)
{
	struct parsed p = parse(hash);

	return p.scheme && p.scheme->family == PLAIN && p.text.n &&
	       pwhash_decode(out, p.coding, p.text);
}

unsigned pwhash_unsuited(struct str hash)
{
	const unsigned all = SASL_BITS_SCRAM | SASL_BIT(SASL_CRAM_MD5);
	struct parsed p = parse(hash);
	enum scram_hash h;

	if (!p.text.n || p.text.p[0] == '!' || p.text.p[0] == '*')
		return 0;
	if (!p.scheme)
		return all;
	switch (p.scheme->family) {
	case PLAIN:
		return 0;
	case SCRAM:
		scram_keys_is(hash, &h);
		return all & ~(h == SCRAM_SHA_1 ? SASL_BITS_SCRAM_1 : SASL_BITS_SCRAM_256);
	case CRAM:
		return all & ~SASL_BIT(SASL_CRAM_MD5);
	default:
		return all;
	}
}
