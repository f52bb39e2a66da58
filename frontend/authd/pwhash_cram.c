/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HMAC-MD5 for CRAM-MD5 (RFC 2195), from the password or from the two states of MD5 after the padded
 * key: outer, then inner, four little-endian words each, in hex (Dovecot's {CRAM-MD5}, Courier's
 * hmac-md5pw). OpenSSL's newer interface can't start from a state, hence MD5_CTX.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/hmac.h>
#include <openssl/evp.h>
#include <openssl/md5.h>
#include "common/base/hex.h"
#include "common/base/secret.h"
#include "frontend/authd/pwhash_schemes.h"

struct states {
	MD5_CTX outer, inner;
};

static void begin(MD5_CTX *ctx, const unsigned char key[MD5_CBLOCK], unsigned char pad)
{
	unsigned char block[MD5_CBLOCK];

	for (int i = 0; i < MD5_CBLOCK; i++)
		block[i] = key[i] ^ pad;
	MD5_Init(ctx);
	MD5_Update(ctx, block, sizeof block);
	secret_zero(block, sizeof block);
}

static void states_of_password(struct states *s, struct str password)
{
	unsigned char key[MD5_CBLOCK] = {0};

	if (password.n > sizeof key)
		MD5((const unsigned char *)password.p, password.n, key);
	else if (password.n)
		memcpy(key, password.p, password.n);
	begin(&s->outer, key, 0x5c);
	begin(&s->inner, key, 0x36);
	secret_zero(key, sizeof key);
}

static uint32_t word(const unsigned char *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void resume(MD5_CTX *ctx, const unsigned char p[MD5_DIGEST_LENGTH])
{
	MD5_Init(ctx);
	ctx->A = word(p);
	ctx->B = word(p + 4);
	ctx->C = word(p + 8);
	ctx->D = word(p + 12);
	ctx->Nl = MD5_CBLOCK * 8; /* bits so far */
}

static bool states_of_text(struct states *s, struct str text)
{
	struct buf b = BUF_INIT;
	bool ok = text.n == 4 * MD5_DIGEST_LENGTH && hex_decode(&b, text) == 0;

	if (ok) {
		resume(&s->outer, (const unsigned char *)buf_str(&b).p);
		resume(&s->inner, (const unsigned char *)buf_str(&b).p + MD5_DIGEST_LENGTH);
	}
	buf_wipe(&b);
	return ok;
}

static uint32_t difference(const MD5_CTX *a, const MD5_CTX *b)
{
	return (a->A ^ b->A) | (a->B ^ b->B) | (a->C ^ b->C) | (a->D ^ b->D);
}

enum pwhash_result pwhash_cram_password(struct str text, struct str password)
{
	struct states have, made;
	bool same = false;

	if (states_of_text(&have, text)) {
		states_of_password(&made, password);
		same = (difference(&have.outer, &made.outer) |
			difference(&have.inner, &made.inner)) == 0;
		secret_zero(&made, sizeof made);
	}
	secret_zero(&have, sizeof have);
	return same ? PWHASH_MATCH : PWHASH_MISMATCH;
}

static enum pwhash_result answer(struct states *s, struct str challenge, struct str digest)
{
	unsigned char mac[MD5_DIGEST_LENGTH];
	struct buf want = BUF_INIT, got = BUF_INIT;
	bool same;

	MD5_Update(&s->inner, challenge.p, challenge.n);
	MD5_Final(mac, &s->inner);
	MD5_Update(&s->outer, mac, sizeof mac);
	MD5_Final(mac, &s->outer);
	buf_put(&want, mac, sizeof mac);
	same = hex_decode(&got, digest) == 0 && secret_equal(buf_str(&want), buf_str(&got));
	buf_wipe(&want);
	buf_wipe(&got);
	secret_zero(mac, sizeof mac);
	secret_zero(s, sizeof *s);
	return same ? PWHASH_MATCH : PWHASH_MISMATCH;
}

enum pwhash_result pwhash_cram_answer(struct str text, struct str challenge, struct str digest)
{
	struct states s;

	return states_of_text(&s, text) ? answer(&s, challenge, digest) : PWHASH_MISMATCH;
}

enum pwhash_result pwhash_cram_plain(struct str plain, struct str challenge, struct str digest)
{
	struct states s;

	states_of_password(&s, plain);
	return answer(&s, challenge, digest);
}
