/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/login/tlsconn.h"
#include <openssl/err.h>
#include <sys/socket.h>
#include "common/base/ensure.h"
#include "common/sys/tlscert.h"
#include "frontend/login/tlspeer.h"
#include "frontend/login/tlsrec.h"

/*
 * One connection is worked on at a time, so one window each way serves them all. in holds received
 * bytes of the connection at hand: [pos, whole) are whole records for OpenSSL, [whole, end) is the
 * beginning of one. out collects records until they are sent.
 */
static struct {
	struct tlsconn *of;
	size_t pos, whole, end;
	bool drained; /* the socket gave less than it was asked for: no use in asking again */
	uint8_t bytes[TLSREC_MAX + TLSCONN_BATCH];
} in;
static struct {
	struct tlsconn *of;
	size_t n;
	uint8_t bytes[TLSCONN_BATCH + 8 * 1024];
} out;

static int bio_read(BIO *b, char *p, int n)
{
	struct tlsconn *t = BIO_get_data(b);
	size_t have = in.of == t ? in.whole - in.pos : 0;

	BIO_clear_retry_flags(b);
	if (have == 0) {
		BIO_set_retry_read(b);
		return -1;
	}
	if ((size_t)n < have)
		have = (size_t)n;
	memcpy(p, in.bytes + in.pos, have);
	in.pos += have;
	return (int)have;
}

/* Takes everything: the bound is that callers stop at t->out, and one call makes one batch. */
static int bio_write(BIO *b, const char *p, int n)
{
	struct tlsconn *t = BIO_get_data(b);

	BIO_clear_retry_flags(b);
	ASSERT(!out.n || out.of == t);
	if (t->out.n == 0 && out.n + (size_t)n <= sizeof(out.bytes)) {
		out.of = t;
		memcpy(out.bytes + out.n, p, (size_t)n);
		out.n += (size_t)n;
		return n;
	}
	if (out.n) {
		buf_put(&t->out, out.bytes, out.n);
		out.n = 0;
	}
	buf_put(&t->out, p, (size_t)n);
	return n;
}

static long bio_ctrl(BIO *b, int cmd, long num, void *ptr)
{
	return cmd == BIO_CTRL_FLUSH;
}

static const BIO_METHOD *bio_method(void)
{
	static BIO_METHOD *m;

	if (!m) {
		m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "records");
		ASSERT(m);
		BIO_meth_set_read(m, bio_read);
		BIO_meth_set_write(m, bio_write);
		BIO_meth_set_ctrl(m, bio_ctrl);
	}
	return m;
}

/*
 * Each record under TLS 1.3 keys shows its inner type once. Behind Finished and KeyUpdate (RFC 8446
 * 4.4.4, 4.6.3) that direction goes on under new keys, from record 0.
 */
static void on_message(int write, int version, int type, const void *p, size_t n, SSL *ssl,
		       void *arg)
{
	struct tlsconn *t = arg;
	uint64_t *count = write ? &t->records_out : &t->records_in;
	const uint8_t *message = p;

	if (type == SSL3_RT_INNER_CONTENT_TYPE)
		++*count;
	else if (type == SSL3_RT_HANDSHAKE && n &&
		 (message[0] == SSL3_MT_FINISHED || message[0] == SSL3_MT_KEY_UPDATE))
		*count = 0;
	if (t->peer && type == SSL3_RT_HANDSHAKE && !t->shaken)
		tlspeer_message(t->peer, ssl, write, str_mem(p, n));
}

static ssize_t layer_read(struct conn_layer *l, void *p, size_t n)
{
	struct tlsconn *t = container_of(l, struct tlsconn, layer);

	ssize_t r = tlsconn_read(t, p, n);

	l->want = t->out.n && !t->held ? LOOP_READ | LOOP_WRITE : 0;
	return r;
}

/*
 * Reports bytes as written only when their records are with the kernel: until then the caller holds
 * them, comes back with the same bytes, and waits for the socket meanwhile.
 */
static ssize_t layer_write(struct conn_layer *l, const void *p, size_t n)
{
	struct tlsconn *t = container_of(l, struct tlsconn, layer);
	int r;

	l->want = 0;
	if (!t->shaken && !t->released) {
		l->want = LOOP_READ;
		errno = EAGAIN;
		return -1;
	}
	if (t->owed) {
		r = tlsconn_flush(t);
	} else {
		t->owed = (uint32_t)(n < TLSCONN_BATCH ? n : TLSCONN_BATCH);
		r = tlsconn_send(t, p, t->owed);
	}
	if (r == 1) {
		n = t->owed;
		t->owed = 0;
		return (ssize_t)n;
	}
	if (r == 0)
		errno = EAGAIN;
	return -1;
}

static bool layer_pending(struct conn_layer *l)
{
	return tlsconn_pending(container_of(l, struct tlsconn, layer));
}

static void layer_shutdown(struct conn_layer *l)
{
	struct tlsconn *t = container_of(l, struct tlsconn, layer);

	if (!t->released)
		tlsconn_shutdown(t);
}

static void layer_free(struct conn_layer *l)
{
	struct tlsconn *t = container_of(l, struct tlsconn, layer);

	tlsconn_free(&t);
}

struct tlsconn *tlsconn_new(SSL_CTX *tls, int fd, tlsconn_shaken_fn *on_shaken, void *ctx)
{
	struct tlsconn *t = xcalloc(1, sizeof(*t));
	BIO *b = BIO_new(bio_method());

	t->layer = (struct conn_layer){.read = layer_read,
				       .write = layer_write,
				       .pending = layer_pending,
				       .shutdown = layer_shutdown,
				       .free = layer_free};
	t->fd = fd;
	t->recv_max = 16384;
	t->on_shaken = on_shaken;
	t->ctx = ctx;
	t->ssl = SSL_new(tls);
	ASSERT(b && t->ssl);
	if (SSL_get_verify_mode(t->ssl) != SSL_VERIFY_NONE)
		t->peer = tlspeer_new();
	BIO_set_data(b, t);
	BIO_set_init(b, 1);
	SSL_set_bio(t->ssl, b, b);
	SSL_set_accept_state(t->ssl);
	SSL_set_msg_callback(t->ssl, on_message);
	SSL_set_app_data(t->ssl, t);
	SSL_set_msg_callback_arg(t->ssl, t);
	return t;
}

void tlsconn_free(struct tlsconn **tp)
{
	struct tlsconn *t = *tp;

	if (!t)
		return;
	if (in.of == t)
		in.of = NULL;
	if (out.of == t)
		out.n = 0;
	SSL_free(t->ssl);
	tlspeer_free(&t->peer);
	buf_deinit(&t->rest);
	buf_deinit(&t->out);
	free(t);
	*tp = NULL;
}

struct conn_layer *tlsconn_layer(struct tlsconn *t)
{
	return &t->layer;
}

struct tlsconn *tlsconn_release(struct tlsconn *old, int fd)
{
	struct tlsconn *t = xmalloc(sizeof(*t));

	*t = *old;
	old->released = true;
	old->ssl = NULL;
	old->rest = old->out = BUF_INIT;
	old->peer = NULL;
	tlspeer_free(&t->peer);
	t->local_ip = NULL;
	t->fd = fd;
	t->owed = 0;
	t->recv_max = UINT16_MAX;
	t->on_shaken = NULL;
	BIO_set_data(SSL_get_rbio(t->ssl), t);
	SSL_set_msg_callback_arg(t->ssl, t);
	SSL_set_app_data(t->ssl, t);
	return t;
}

/*
 * What the handshake, an alert or a key update had to say goes out, unless the owner is about to
 * write anyway.
 */
static int say(struct tlsconn *t)
{
	if (!t->held)
		return tlsconn_flush(t);
	if (out.of == t && out.n) {
		buf_put(&t->out, out.bytes, out.n);
		out.n = 0;
	}
	return 0;
}

/* What OpenSSL did not take stays with the connection; an idle one keeps nothing. */
static void window_close(struct tlsconn *t)
{
	if (in.of != t)
		return;
	in.of = NULL;
	if (in.pos == in.end)
		return;
	buf_put(&t->rest, in.bytes + in.pos, in.end - in.pos);
}

/* Puts what was kept before into the window. */
static void window_open(struct tlsconn *t)
{
	unsigned records;
	bool bad;

	in.of = t;
	in.pos = in.whole = 0;
	in.drained = false;
	in.end = t->rest.n;
	if (!t->rest.n)
		return;
	ASSERT(t->rest.n <= sizeof(in.bytes));
	memcpy(in.bytes, t->rest.p + t->rest.off, t->rest.n);
	buf_deinit(&t->rest);
	in.whole = tlsrec_whole(in.bytes, in.end, &records, &bad);
}

/* Receives behind what the window holds. 1: there are whole records; 0: end; -1: errno. */
static int window_fill(struct tlsconn *t)
{
	unsigned records;
	bool bad = false;
	ssize_t n;

	memmove(in.bytes, in.bytes + in.pos, in.end - in.pos);
	in.end -= in.pos;
	in.pos = in.whole = 0;
	while (in.whole == 0) {
		size_t room = sizeof(in.bytes) - in.end;

		if (room > t->recv_max)
			room = t->recv_max;
		n = -1;
		errno = EAGAIN;
		if (!in.drained)
			n = recv(t->fd, in.bytes + in.end, room, 0);
		if (n < 0)
			return -1;
		in.drained = n > 0 && (size_t)n < room;
		if (n == 0) {
			t->eof = true;
			return 0;
		}
		in.end += (size_t)n;
		in.whole = tlsrec_whole(in.bytes, in.end, &records, &bad);
		if (in.whole == 0 && bad) {
			t->error = "not a TLS record";
			errno = EPROTO;
			return -1;
		}
	}
	return 1;
}

static int shake(struct tlsconn *t)
{
	int r = SSL_do_handshake(t->ssl);

	if (r != 1)
		return r;
	t->shaken = true;
	t->held = t->on_shaken && t->on_shaken(t->ctx);
	return 1;
}

/* One step of OpenSSL over what the window holds. As tlsconn_read; EAGAIN: wants more records. */
static ssize_t step(struct tlsconn *t, void *p, size_t n)
{
	int r;

	ERR_clear_error();
	errno = 0;
	r = t->shaken ? 1 : shake(t);
	if (r == 1)
		r = SSL_read(t->ssl, p, n > 1 << 30 ? 1 << 30 : (int)n);
	if (r > 0)
		return r;
	switch (SSL_get_error(t->ssl, r)) {
	case SSL_ERROR_WANT_READ:
		errno = EAGAIN;
		return -1;
	case SSL_ERROR_ZERO_RETURN:
		t->eof = true;
		return 0;
	default:
		t->error = tlscert_error();
		errno = EPROTO;
		return -1;
	}
}

static ssize_t read_window(struct tlsconn *t, uint8_t *p, size_t n)
{
	size_t got = 0;
	int f = 1;

	/* OpenSSL makes its buffers when it is asked: not before there is something whole for it. */
	if (in.pos == in.whole && SSL_pending(t->ssl) == 0)
		f = window_fill(t);
	while (f > 0 && got < n) {
		ssize_t r = step(t, p + got, n - got);

		if (r > 0) {
			got += (size_t)r;
			continue;
		}
		if (r == 0 || errno != EAGAIN)
			return got ? (ssize_t)got : r;
		if (got)
			break; /* the socket's next bytes are for the next turn */
		f = window_fill(t);
	}
	return f > 0 ? (ssize_t)got : f;
}

ssize_t tlsconn_read(struct tlsconn *t, void *p, size_t n)
{
	ssize_t r;
	int saved;

	if (t->released || t->eof)
		return 0;
	if (t->error) {
		errno = EPROTO;
		return -1;
	}
	window_open(t);
	r = read_window(t, p, n);
	saved = errno;
	window_close(t);
	if (((out.n && out.of == t) || t->out.n) && say(t) < 0 && r < 0)
		saved = errno;
	errno = saved;
	return r;
}

bool tlsconn_pending(const struct tlsconn *t)
{
	unsigned records;
	bool bad;

	if (t->released || !t->ssl)
		return false;
	if (SSL_pending(t->ssl) > 0)
		return true;
	return t->rest.n && tlsrec_whole((const uint8_t *)t->rest.p + t->rest.off, t->rest.n,
					 &records, &bad) > 0;
}

static int flush_window(struct tlsconn *t)
{
	ssize_t n = send(t->fd, out.bytes, out.n, MSG_NOSIGNAL);
	size_t had = out.n;

	ASSERT(!t->out.n);
	out.n = 0;
	if (n < 0 && errno != EAGAIN)
		return -1;
	if (n < 0)
		n = 0;
	if ((size_t)n < had)
		buf_put(&t->out, out.bytes + n, had - (size_t)n);
	return t->out.n == 0;
}

int tlsconn_flush(struct tlsconn *t)
{
	ssize_t n;

	t->held = false;
	if (out.n && out.of == t)
		return flush_window(t);
	if (!t->out.n)
		return 1;
	n = send(t->fd, t->out.p + t->out.off, t->out.n, MSG_NOSIGNAL);
	if (n < 0)
		return errno == EAGAIN ? 0 : -1;
	buf_consume(&t->out, (size_t)n);
	if (t->out.n)
		return 0;
	buf_deinit(&t->out);
	return 1;
}

int tlsconn_send(struct tlsconn *t, const void *p, size_t n)
{
	const uint8_t *at = p;

	if (t->error) {
		errno = EPROTO;
		return -1;
	}
	ERR_clear_error();
	while (n) {
		int r = SSL_write(t->ssl, at, n > TLSCONN_BATCH ? TLSCONN_BATCH : (int)n);

		if (r <= 0) {
			t->error = tlscert_error();
			if (out.of == t)
				out.n = 0;
			errno = EPROTO;
			return -1;
		}
		at += r;
		n -= (size_t)r;
	}
	return tlsconn_flush(t);
}

void tlsconn_shutdown(struct tlsconn *t)
{
	if (!t->shaken || t->error)
		return;
	ERR_clear_error();
	SSL_shutdown(t->ssl);
	ERR_clear_error();
	tlsconn_flush(t);
}

void tlsconn_describe(const struct tlsconn *t, struct buf *b)
{
	buf_printf(b, "%s %s", SSL_get_version(t->ssl), SSL_get_cipher_name(t->ssl));
}
