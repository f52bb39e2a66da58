/* SPDX-License-Identifier: Apache-2.0 */
/* tlspolicy: what the settings say about a server's TLS, put into an SSL_CTX: versions, ciphers,
 * ALPN, tickets, client certificates. */
#pragma once
#include <openssl/ssl.h>
#include "common/base/err.h"
#include "common/base/str.h"
#include "common/config/settings.h"

enum tlspolicy_verify { TLSPOLICY_NONE, TLSPOLICY_PEER, TLSPOLICY_REQUIRE };

enum tlspolicy_verify tlspolicy_verify(const struct settings *set);
/* The lowest version by a word of TLS_PROTOCOL: never below TLS 1.2. *raised: the word means less. */
int tlspolicy_version(const char *word, bool *raised);
/* The lowest version for STARTTLS. */
int tlspolicy_starttls_version(const struct settings *set);

/* NULL: e names the setting that OpenSSL doesn't take. The settings must outlive the context. */
SSL_CTX *tlspolicy_new(const struct settings *set, struct err *e);

/* A store of the authorities in ca (PEM), with the revocation lists in crl (PEM; empty: revocation
 * isn't looked at). NULL: e. */
X509_STORE *tlspolicy_trust(struct str ca, struct str crl, struct err *e);
