/* SPDX-License-Identifier: Apache-2.0 */
#include "common/auth/scram_keys.h"
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include "common/auth/saslprep.h"
#include "common/base/base64.h"
#include "common/base/ensure.h"
#include "common/base/rand.h"
#include "common/base/secret.h"

static const struct {
	const char *name;
	size_t size;
	const EVP_MD *(*md)(void);
} hashes[SCRAM_HASH_N] = {
	[SCRAM_SHA_1] = {"SCRAM-SHA-1", 20, EVP_sha1},
	[SCRAM_SHA_256] = {"SCRAM-SHA-256", 32, EVP_sha256},
};

size_t scram_size(enum scram_hash h)
{
	return hashes[h].size;
}

const char *scram_name(enum scram_hash h)
{
	return hashes[h].name;
}

void scram_hmac(enum scram_hash h, struct str key, struct str text, uint8_t out[SCRAM_KEY_MAX])
{
	unsigned n = 0;

	ASSERT(HMAC(hashes[h].md(), key.p, (int)key.n, (const unsigned char *)text.p, text.n, out,
		    &n));
	ASSERT(n == hashes[h].size);
}

void scram_digest(enum scram_hash h, struct str text, uint8_t out[SCRAM_KEY_MAX])
{
	unsigned n = 0;

	ASSERT(EVP_Digest(text.p, text.n, out, &n, hashes[h].md(), NULL) == 1);
	ASSERT(n == hashes[h].size);
}

/* ---- from a password ----------------------------------------------------------------------------- */

void scram_keys_derive(struct scram_keys *k, struct str password)
{
	uint8_t salted[SCRAM_KEY_MAX], client[SCRAM_KEY_MAX];
	int n = (int)hashes[k->hash].size;
	struct buf prepared = BUF_INIT;

	if (!saslprep(&prepared, password))
		buf_str_put(&prepared, password);
	ASSERT(PKCS5_PBKDF2_HMAC(buf_str(&prepared).p, (int)prepared.n, k->salt, (int)k->salt_n,
				 (int)k->iterations, hashes[k->hash].md(), n, salted) == 1);
	scram_hmac(k->hash, str_mem(salted, (size_t)n), STR("Client Key"), client);
	scram_digest(k->hash, str_mem(client, (size_t)n), k->stored);
	scram_hmac(k->hash, str_mem(salted, (size_t)n), STR("Server Key"), k->server);
	secret_zero(salted, sizeof salted);
	secret_zero(client, sizeof client);
	buf_wipe(&prepared);
}

void scram_keys_make(struct scram_keys *k, enum scram_hash h, uint32_t iterations,
		     struct str password)
{
	*k = (struct scram_keys){.hash = h, .iterations = iterations, .salt_n = SCRAM_SALT_LEN};
	rand_bytes(k->salt, k->salt_n);
	scram_keys_derive(k, password);
}

bool scram_keys_match(const struct scram_keys *k, struct str password)
{
	struct scram_keys made = *k;
	size_t n = hashes[k->hash].size;
	bool same;

	scram_keys_derive(&made, password);
	same = secret_equal(str_mem(made.stored, n), str_mem(k->stored, n));
	secret_zero(&made, sizeof made);
	return same;
}

bool scram_keys_same_offer(const struct scram_keys *a, const struct scram_keys *b)
{
	return a->hash == b->hash && a->iterations == b->iterations && a->salt_n == b->salt_n &&
	       memcmp(a->salt, b->salt, a->salt_n) == 0;
}

/* ---- as text --------------------------------------------------------------------------------------- */

/* What is behind the scheme's name; *rfc: with $ around. p == NULL: it is no SCRAM form. */
static struct str behind_name(struct str text, enum scram_hash *h, bool *rfc)
{
	for (int i = 0; i < SCRAM_HASH_N; i++) {
		struct str name = str_c(hashes[i].name);
		size_t open = text.n && text.p[0] == '{';

		*h = (enum scram_hash)i;
		*rfc = !open;
		if (str_istarts(str_from(text, open), name) && text.n > open + name.n &&
		    text.p[open + name.n] == (open ? '}' : '$'))
			return str_from(text, open + name.n + 1);
	}
	return STR_NONE;
}

bool scram_keys_is(struct str text, enum scram_hash *h)
{
	bool rfc;

	return behind_name(text, h, &rfc).p != NULL;
}

/* Decodes exactly between min and max bytes; *n is their number. */
static bool get_bytes(struct str text, uint8_t *out, size_t min, size_t max, size_t *n)
{
	struct buf b = BUF_INIT;
	bool ok = text.n <= max * 4 / 3 + 4 && base64_decode(&b, text) == 0 && b.n >= min &&
		  b.n <= max;

	if (ok) {
		memcpy(out, buf_str(&b).p, b.n);
		*n = b.n;
	}
	buf_wipe(&b);
	return ok;
}

bool scram_keys_parse(struct scram_keys *k, struct str text)
{
	bool rfc;
	struct str rest = behind_name(text, &k->hash, &rfc);
	struct str iterations, salt, stored;
	size_t size, n;

	if (!rest.p)
		return false;
	size = hashes[k->hash].size;
	iterations = str_split(&rest, rfc ? ':' : ',');
	salt = str_split(&rest, rfc ? '$' : ',');
	stored = str_split(&rest, rfc ? ':' : ',');
	return rest.p && str_u32(iterations, &k->iterations) && k->iterations >= 1 &&
	       k->iterations <= SCRAM_ITERATIONS_MAX &&
	       get_bytes(salt, k->salt, 1, SCRAM_SALT_MAX, &k->salt_n) &&
	       get_bytes(stored, k->stored, size, size, &n) &&
	       get_bytes(rest, k->server, size, size, &n);
}

void scram_keys_print(struct buf *out, const struct scram_keys *k)
{
	size_t n = hashes[k->hash].size;

	buf_printf(out, "{%s}%u,", hashes[k->hash].name, k->iterations);
	base64_encode(out, str_mem(k->salt, k->salt_n));
	buf_putc(out, ',');
	base64_encode(out, str_mem(k->stored, n));
	buf_putc(out, ',');
	base64_encode(out, str_mem(k->server, n));
}
