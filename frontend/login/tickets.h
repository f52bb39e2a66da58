/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tickets: the keys under which session tickets are made and read (RFC 5077, RFC 8446 4.6.1): the same
 * in all workers, and on all hosts that have the same TLS_TICKET_KEYFILE.
 */
#pragma once
#include <openssl/ssl.h>
#include "common/base/str.h"
#include "common/ipc/supervise.h"

struct tickets {
	uint8_t keys[SUP_TICKET_KEYS_MAX][SUP_TICKET_KEY_LEN];
	size_t n; /* 0: no ticket is made and none is taken */
	EVP_CIPHER *cipher;
};

void tickets_init(struct tickets *t);
void tickets_deinit(struct tickets *t); /* wipes */
/* The first key encrypts, all decrypt. -1: that is no list of keys. */
int tickets_set(struct tickets *t, struct str keys);
/* Connections of c use t, which must outlive them. */
void tickets_use(struct tickets *t, SSL_CTX *c);
