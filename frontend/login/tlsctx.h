/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tlsctx: what a login worker's TLS connections are made from: the settings, the certificates by
 * server name and by local address, the keys of session tickets, the authorities of client
 * certificates. All of it comes from frontend main and may come anew at any time: handshakes that
 * begin later use it, and no connection ends.
 */
#pragma once
#include <openssl/ssl.h>
#include "common/config/settings.h"
#include "common/sys/tlscert.h"

struct tlsctx;

struct tlsctx *tlsctx_new(const struct settings *set);
void tlsctx_free(struct tlsctx **t);

/* Connections hold a reference to it. NULL: there is no default certificate yet. */
SSL_CTX *tlsctx_get(const struct tlsctx *t);
/* Records of ipc/certs.h. What can't be used is logged, and the one before stays. -1: malformed. */
int tlsctx_take_certs(struct tlsctx *t, struct str records);
/* -1: malformed. */
int tlsctx_take_keys(struct tlsctx *t, struct str keys);
/* PEM. */
void tlsctx_take_trust(struct tlsctx *t, struct str ca, struct str crl);

/* By the server name that the client asked for (NULL: none), else by the local address, else the
 * default. Nothing is allocated. NULL: there is none at all. */
const struct tlscert *tlsctx_find(struct tlsctx *t, const char *name, const char *address);
