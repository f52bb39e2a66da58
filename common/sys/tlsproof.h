/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tlsproof: how a client proved that it has its certificate's key: the handshake's messages as they went
 * over the wire, from ClientHello to the client's CertificateVerify (auth_peer.cert_proof). Pure: this
 * takes them apart, authd/clientcert.c looks at signature and certificates.
 */
#pragma once
#include "common/base/str.h"

struct tlsproof {
	bool v13;		/* TLS 1.3, else 1.2 */
	uint16_t cipher;	/* that the server chose */
	struct str first_hello; /* the ClientHello before a HelloRetryRequest, else empty */
	struct str messages;	/* behind that, up to the CertificateVerify */
	struct str server_cert, client_cert; /* leaf certificates in DER */
	uint16_t algorithm;		     /* SignatureScheme of the CertificateVerify */
	struct str signature;
};

/* False: that is no whole handshake in which the server asked for a certificate and got one. Slices
 * point into proof. */
bool tlsproof_parse(struct str proof, struct tlsproof *p);
