/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tlsconn: the server's end of one TLS connection over a non-blocking socket. It reads the socket
 * itself and gives OpenSSL whole records; it collects what OpenSSL writes and sends it in one call.
 * An idle connection has no buffers. As a conn layer before the login, then in the hands of the pump.
 */
#pragma once
#include <openssl/ssl.h>
#include "common/io/conn.h"

struct tlspeer;

#define TLSCONN_BATCH 65536 /* plain bytes that one read or write moves at most */

typedef bool tlsconn_shaken_fn(void *ctx);

struct tlsconn {
	struct conn_layer layer;
	SSL *ssl;
	int fd;
	bool shaken;   /* the handshake is over */
	bool eof;      /* the socket has no more */
	bool released; /* tlsconn_release: the layer is an empty shell that owns nothing */
	bool held;     /* the handshake's end waits in out for the owner's first words */
	uint16_t recv_max;
	uint32_t owed;	 /* bytes that are encrypted in out, but not yet reported as written */
	struct buf rest; /* received, not yet given to OpenSSL: mostly the beginning of a record */
	struct buf out;	 /* records that the socket did not take yet */
	uint64_t records_in, records_out; /* under the keys in use (for handing them over) */
	const char *error;
	const char
		*local_ip; /* printable, of the server's side: the owner sets it, for tlsctx_find */
	struct tlspeer *peer; /* what is kept of the handshake for client certificates, or NULL */
	tlsconn_shaken_fn *on_shaken;
	void *ctx;
};

/*
 * fd stays the caller's. on_shaken is called once, within a read, when the handshake is over. It
 * says whether the owner writes something in this turn: then the handshake's last records (session
 * tickets) go out together with that.
 */
struct tlsconn *tlsconn_new(SSL_CTX *tls, int fd, tlsconn_shaken_fn *on_shaken, void *ctx);
void tlsconn_free(struct tlsconn **t);
struct conn_layer *tlsconn_layer(struct tlsconn *t); /* freed with its conn ... */
/* ... unless it is released: moves all state into a new tlsconn that works on fd without a conn. */
struct tlsconn *tlsconn_release(struct tlsconn *t, int fd);

/* Up to n plain bytes; 0 at the end of the stream, -1 with errno: EAGAIN, or EPROTO (t->error). */
ssize_t tlsconn_read(struct tlsconn *t, void *p, size_t n);
/* Encrypts all n bytes and sends what the socket takes. 1: all sent; 0: some wait in t->out (send
 * nothing more until tlsconn_flush has said 1); -1: broken. */
int tlsconn_send(struct tlsconn *t, const void *p, size_t n);
int tlsconn_flush(struct tlsconn *t); /* the same answers */
bool tlsconn_pending(const struct tlsconn *t);
void tlsconn_shutdown(struct tlsconn *t); /* close_notify, best effort */
/* "TLSv1.3 TLS_AES_128_GCM_SHA256" */
void tlsconn_describe(const struct tlsconn *t, struct buf *out);
