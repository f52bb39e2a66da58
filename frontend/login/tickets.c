/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/login/tickets.h"
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include "common/base/ensure.h"
#include "common/base/secret.h"

enum { NAME_LEN = 16, MAC_AT = 16, AES_AT = 48, KEY_LEN = 32, IV_LEN = 16 };

static int set_mac(EVP_MAC_CTX *m, uint8_t *key)
{
	OSSL_PARAM p[] = {
		OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key, KEY_LEN),
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)"SHA256", 0),
		OSSL_PARAM_construct_end(),
	};

	return EVP_MAC_CTX_set_params(m, p);
}

/*
 * No ticket for a client that showed a certificate: a resumed session has no signature of the
 * client's, and authd wants to see one (authd/clientcert.h). In TLS 1.2 the ticket was promised before
 * that was known, and an empty one is sent.
 */
static int encrypt(struct tickets *t, SSL *ssl, uint8_t *name, uint8_t *iv, EVP_CIPHER_CTX *c,
		   EVP_MAC_CTX *m)
{
	uint8_t *key = t->keys[0];

	if (!t->n || SSL_get0_peer_certificate(ssl))
		return 0;
	memcpy(name, key, NAME_LEN);
	if (RAND_bytes(iv, IV_LEN) != 1 ||
	    EVP_EncryptInit_ex2(c, t->cipher, key + AES_AT, iv, NULL) != 1 ||
	    set_mac(m, key + MAC_AT) != 1)
		return -1;
	return 1;
}

static int decrypt(struct tickets *t, const uint8_t *name, uint8_t *iv, EVP_CIPHER_CTX *c,
		   EVP_MAC_CTX *m)
{
	for (size_t i = 0; i < t->n; i++) {
		uint8_t *key = t->keys[i];

		if (memcmp(key, name, NAME_LEN) != 0)
			continue;
		if (EVP_DecryptInit_ex2(c, t->cipher, key + AES_AT, iv, NULL) != 1 ||
		    set_mac(m, key + MAC_AT) != 1)
			return -1;
		return i == 0 ? 1 : 2; /* 2: and give the client a new one */
	}
	return 0;
}

static int on_ticket(SSL *ssl, uint8_t *name, uint8_t *iv, EVP_CIPHER_CTX *c, EVP_MAC_CTX *m,
		     int enc)
{
	struct tickets *t = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

	return enc ? encrypt(t, ssl, name, iv, c, m) : decrypt(t, name, iv, c, m);
}

void tickets_init(struct tickets *t)
{
	*t = (struct tickets){.n = 0};
	t->cipher = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
	ASSERT(t->cipher);
}

void tickets_deinit(struct tickets *t)
{
	EVP_CIPHER_free(t->cipher);
	secret_zero(t->keys, sizeof(t->keys));
	t->n = 0;
}

int tickets_set(struct tickets *t, struct str keys)
{
	if (keys.n == 0 || keys.n > sizeof(t->keys) || keys.n % SUP_TICKET_KEY_LEN)
		return -1;
	secret_zero(t->keys, sizeof(t->keys));
	memcpy(t->keys, keys.p, keys.n);
	t->n = keys.n / SUP_TICKET_KEY_LEN;
	return 0;
}

void tickets_use(struct tickets *t, SSL_CTX *c)
{
	SSL_CTX_set_app_data(c, t);
	SSL_CTX_set_tlsext_ticket_key_evp_cb(c, on_ticket);
}
