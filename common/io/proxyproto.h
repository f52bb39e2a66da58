/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proxyproto: the header of the PROXY protocol, versions 1 and 2, with which a load balancer says
 * who its client is. A pure parser, resumable at any byte; it never takes a byte behind the header.
 */
#pragma once
#include <stdint.h>
#include "common/base/str.h"
#include "common/io/sock.h"

#define PROXYPROTO_V1_MAX 107 /* with CR LF; the protocol's own bound */
#define PROXYPROTO_MAX 4096   /* a version 2 header with all its TLVs; ours */

enum proxyproto_result {
	PROXYPROTO_MORE,
	PROXYPROTO_DONE,
	PROXYPROTO_BAD, /* error says why; the connection is of no use any more */
};

struct proxyproto {
	/* When done. Slices point into bytes. */
	uint8_t version;
	bool own; /* LOCAL, UNKNOWN, or not TCP: the connection's own addresses are meant */
	struct sock_addr src, dst; /* the client's, and the one that it connected to; unless own */
	struct str alpn, authority, unique_id;
	bool tls; /* the client talks TLS with the balancer */
	bool tls_cert; /* it showed a certificate, on this connection or before the resumed session ... */
	uint32_t tls_verify; /* ... and this is 0 where the balancer accepted it */
	struct str tls_version, tls_cipher, tls_cn; /* version and cipher: [A-Za-z0-9_.:-] only */

	const char *error;
	size_t have;
	uint8_t bytes[PROXYPROTO_MAX];
};

void proxyproto_init(struct proxyproto *p);
/* *used: how many of these bytes belong to the header. After DONE or BAD it isn't called again. */
enum proxyproto_result proxyproto_feed(struct proxyproto *p, struct str in, size_t *used);
