/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tlspeer: what authd is told of a client's side of TLS: server name, certificate with the proof that
 * the client has its key, channel bindings. The proof is the handshake itself, from ClientHello to the
 * client's CertificateVerify; it is collected only where client certificates are asked for, and thrown
 * away as soon as it is clear that none comes.
 */
#pragma once
#include <openssl/ssl.h>
#include "common/base/str.h"

#define TLSPEER_PROOF_MAX 24576 /* bytes of the handshake's messages; a longer one proves nothing */

struct tlspeer;

struct tlspeer *tlspeer_new(void);
void tlspeer_free(struct tlspeer **p);
/* One handshake message with its header, in the order in which they went over the wire. */
void tlspeer_message(struct tlspeer *p, SSL *ssl, bool write, struct str message);
