/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/authd/sasl/scram_account.h"
#include "common/base/rand.h"
#include "frontend/authd/pwhash.h"
#include "frontend/authd/verify.h"

/* Deriving keys takes milliseconds: where some accounts need it, nobodies shall take as long. */
static bool some_need_deriving;

void scram_account_salt(struct scram_keys *k, const uint8_t secret[32], struct str user)
{
	uint8_t mac[SCRAM_KEY_MAX];
	struct buf text = BUF_INIT;

	buf_printf(&text, "salt %s ", scram_name(k->hash));
	buf_str_put(&text, user);
	scram_hmac(SCRAM_SHA_256, str_mem(secret, 32), buf_str(&text), mac);
	memcpy(k->salt, mac, SCRAM_SALT_LEN);
	k->salt_n = SCRAM_SALT_LEN;
	buf_deinit(&text);
}

static bool usable(const struct credential *cr, const struct check *c, enum scram_hash hash,
		   struct scram_keys *k)
{
	return verify_for_service(cr, c->facts.protocol) && scram_keys_parse(k, cr->hash) &&
	       k->hash == hash;
}

static void add_plain(struct scram_account *a, struct str password)
{
	struct scram_try *t = &a->tries[a->ntries++];

	t->keys = a->offer;
	secret_set(&t->plain, password);
	a->slow = true;
}

static void add_credential(struct scram_account *a, const struct credential *cr,
			   const struct check *c)
{
	struct scram_keys k;
	struct buf plain = BUF_INIT;

	if (a->ntries == SCRAM_TRIES_MAX)
		return;
	if (usable(cr, c, a->offer.hash, &k)) {
		if (scram_keys_same_offer(&k, &a->offer))
			a->tries[a->ntries++].keys = k;
	} else if (verify_for_service(cr, c->facts.protocol) && pwhash_plain(cr->hash, &plain)) {
		add_plain(a, buf_str(&plain));
	}
	buf_wipe(&plain);
}

bool scram_account_choose(struct scram_account *a, const struct check *c)
{
	uint8_t nothing[16];
	struct scram_keys k;

	for (size_t i = 0; c && i < c->credentials.n; i++)
		if (usable(&c->credentials.a[i], c, a->offer.hash, &k)) {
			a->offer = k;
			break;
		}
	for (size_t i = 0; c && i < c->credentials.n; i++)
		add_credential(a, &c->credentials.a[i], c);
	some_need_deriving |= a->slow;
	if (a->ntries > 0)
		return true;
	if (some_need_deriving) {
		rand_bytes(nothing, sizeof nothing);
		add_plain(a, str_mem(nothing, sizeof nothing));
	}
	return false;
}

static bool fits(const struct scram_keys *k, struct str auth_message, struct str proof)
{
	uint8_t signature[SCRAM_KEY_MAX], client[SCRAM_KEY_MAX], stored[SCRAM_KEY_MAX];
	size_t n = scram_size(k->hash);

	if (proof.n != n)
		return false;
	scram_hmac(k->hash, str_mem(k->stored, n), auth_message, signature);
	for (size_t i = 0; i < n; i++)
		client[i] = signature[i] ^ (uint8_t)proof.p[i];
	scram_digest(k->hash, str_mem(client, n), stored);
	secret_zero(client, sizeof client);
	return secret_equal(str_mem(stored, n), str_mem(k->stored, n));
}

bool scram_account_prove(struct scram_account *a, struct str auth_message, struct str proof)
{
	for (size_t i = 0; i < a->ntries; i++) {
		struct scram_try *t = &a->tries[i];

		if (t->plain.n)
			scram_keys_derive(&t->keys, secret_str(&t->plain));
		if (fits(&t->keys, auth_message, proof)) {
			a->offer = t->keys;
			return true;
		}
	}
	return false;
}

void scram_account_wipe(struct scram_account *a)
{
	for (size_t i = 0; i < a->ntries; i++)
		secret_wipe(&a->tries[i].plain);
	secret_zero(a, sizeof *a);
}
