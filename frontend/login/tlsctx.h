/* SPDX-License-Identifier: Apache-2.0 */
/* tlsctx: the server's side of TLS: protocols, ciphers, certificate. One per certificate in use. */
#pragma once
#include <openssl/ssl.h>
#include "common/base/err.h"
#include "common/base/str.h"

/*
 * A context with this certificate chain and key (PEM; an empty key: it lies in cert). Connections
 * hold a reference, so it may be freed (SSL_CTX_free) as soon as there is a newer one. NULL: e says
 * what is wrong.
 */
SSL_CTX *tlsctx_new(struct str cert, struct str key, unsigned tickets, struct err *e);
/* The reason of OpenSSL's last error as text; the queue is empty then. */
const char *tlsctx_error(void);
