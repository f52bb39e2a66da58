/* SPDX-License-Identifier: Apache-2.0 */
/* tlscert: a server's certificate chain with its private key, from PEM. */
#pragma once
#include <openssl/ssl.h>
#include "common/base/err.h"
#include "common/base/str.h"

#define TLSCERT_PEM_MAX (1 << 20) /* bytes of one file */

struct tlscert {
	X509 *leaf;
	STACK_OF(X509) * chain; /* without the leaf; may be empty */
	EVP_PKEY *key;
};

/*
 * key empty: it is in cert. Certificate and key must belong together, and the key needs no
 * passphrase: nobody is there to ask. -1: e says what is wrong; *c is then as after tlscert_deinit.
 */
int tlscert_parse(struct tlscert *c, struct str cert, struct str key, struct err *e);
void tlscert_deinit(struct tlscert *c);
/* False: the certificate is for other names than this one (a host name, or an address). */
bool tlscert_names(const struct tlscert *c, const char *name);
/* The reason of OpenSSL's last error as text; the queue is empty then. */
const char *tlscert_error(void);
