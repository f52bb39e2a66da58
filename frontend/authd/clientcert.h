/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clientcert: client certificates. The login worker only carries them (DESIGN.md P3): here the chain is
 * checked against TLS_TRUSTCERTS and TLS_CRLFILE, and the client's signature over its own handshake
 * (auth_peer.cert_proof: see sys/tlsproof.h) against the certificate's key. The handshake must be one
 * with a certificate of ours, so that what a client signed for another server is worth nothing here. What
 * remains to a worker that was taken over is to show again a handshake that it has seen itself.
 */
#pragma once
#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/ipc/auth.h"

struct clientcert;

struct clientcert *clientcert_new(void);
void clientcert_free(struct clientcert **c);
/* PEM; the lists may be empty. -1: e; what was there before stays. */
int clientcert_trust(struct clientcert *c, struct str ca, struct str crl, struct err *e);
/* SHA-256 of our own certificates, one behind the other; those of the last time are good too, for
 * connections that began before. */
void clientcert_servers(struct clientcert *c, struct str digests);

/* 0: this client has the key of this certificate, and an authority that we trust made it. */
int clientcert_check(const struct clientcert *c, const struct auth_peer *p, struct err *why);
/* Appends the value of a field of the subject; only after clientcert_check. -1: why there is none. */
int clientcert_user(const struct auth_peer *p, const char *field, struct buf *out, struct err *why);

/* As nginx has them in $ssl_client_...; all are empty but verify where there is no certificate. */
struct clientcert_facts {
	struct str verify;	    /* "SUCCESS", "FAILED:reason", "NONE" */
	struct str subject, issuer; /* RFC 2253 */
	struct str serial;	    /* hex, upper case */
	struct str fingerprint;	    /* SHA-1, hex, lower case */
	struct str pem; /* as it is, several lines */
};
void clientcert_describe(const struct clientcert *c, const struct auth_peer *p,
			 struct clientcert_facts *f, struct arena *a);
