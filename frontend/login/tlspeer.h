/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tlspeer: what authd is told of a client's side of TLS: server name, certificate with the proof that
 * the client has its key, channel bindings. The proof is the handshake itself, from ClientHello to the
 * client's CertificateVerify; it is collected only where client certificates are asked for, and thrown
 * away as soon as it is clear that none comes.
 */
#pragma once
#include <openssl/ssl.h>
#include "common/base/arena.h"
#include "common/config/settings.h"
#include "common/imap/saslname.h"
#include "common/ipc/auth.h"

struct tlsconn;
struct tlsctx;
struct tlspeer;

struct tlspeer *tlspeer_new(void);
void tlspeer_free(struct tlspeer **p);
/* One handshake message with its header, in the order in which they went over the wire. */
void tlspeer_message(struct tlspeer *p, SSL *ssl, bool write, struct str message);

/* The TLS part of p, for a login by this mechanism; strings lie in a. */
void tlspeer_fill(const struct tlsconn *t, struct tlsctx *ctx, enum sasl_id mechanism,
		  struct auth_peer *p, struct arena *a);
/* True: this client's certificate was accepted and has TLS_EXTERNAL's field. authd looks again. */
bool tlspeer_external(const struct tlsconn *t, const struct settings *set);
