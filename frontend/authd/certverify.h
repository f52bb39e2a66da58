/* SPDX-License-Identifier: Apache-2.0 */
/* certverify: the signature of a client's CertificateVerify (RFC 8446 4.4.3, RFC 5246 7.4.8). */
#pragma once
#include <openssl/evp.h>
#include "common/sys/tlsproof.h"

/* True: whoever made this handshake had the key. Algorithms with SHA-1 are not believed. */
bool certverify(const struct tlsproof *p, EVP_PKEY *key);
