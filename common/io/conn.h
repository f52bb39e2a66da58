/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conn: a buffered, non-blocking byte connection: input buffer, output queue, water marks, and a
 * stack of layers between the descriptor and the buffers (socket; TLS records in the login worker;
 * deflate, kTLS later), DESIGN.md P2.
 *
 * Input arrives in on_input (data is buffered, the caller consumes what it can use; it is called
 * again when more came). Reading stops by itself while in_max bytes lie unconsumed. Output: append
 * to conn_out(c), it is written at the end of the turn, or by conn_flush at once. While more than
 * out_high bytes wait, conn_full(c) is true: producers stop and wait for on_drained, which comes
 * when fewer than out_low wait.
 */
#pragma once
#include "common/base/buf.h"
#include "common/io/loop.h"

struct conn;
enum conn_end {
	CONN_EOF,     /* the peer closed its sending side; output still works until conn_finish */
	CONN_ERROR,   /* reset, TLS fault ...; conn_error_text says which */
	CONN_STUCK,   /* no output byte was taken for stuck_ms */
	CONN_END_N
};

struct conn_ops {
	void (*on_input)(void *ctx);
	void (*on_drained)(void *ctx);             /* may be NULL */
	void (*on_end)(void *ctx, enum conn_end e); /* nothing follows; the owner frees the conn */
};

struct conn_opts {
	size_t in_max;     /* bytes buffered before reading pauses */
	size_t out_high, out_low;
	uint64_t stuck_ms; /* 0 = never */
};

/*
 * A layer turns bytes below into bytes above. read/write return the count, 0 at end of stream,
 * -1 with errno EAGAIN (want says for which events to wait below) or a real error. The bottom
 * layer of every conn is its socket.
 */
struct conn_layer {
	ssize_t (*read)(struct conn_layer *l, void *p, size_t n);
	ssize_t (*write)(struct conn_layer *l, const void *p, size_t n);
	bool (*pending)(struct conn_layer *l);          /* bytes readable without the socket's word */
	void (*shutdown)(struct conn_layer *l);         /* say goodbye (close_notify); best effort */
	void (*free)(struct conn_layer *l);
	struct conn_layer *below; /* set by conn_push_layer */
	int want;                 /* LOOP_READ/LOOP_WRITE that an EAGAIN of this layer waits for; 0 = the natural one */
};

/* Takes ownership of the descriptors (in_fd may equal out_fd), which become non-blocking. */
struct conn *conn_new(struct loop *l, int in_fd, int out_fd, const struct conn_opts *o,
		      const struct conn_ops *ops, void *ctx);
/* Pushes a layer on top (STARTTLS). Unconsumed input must be empty: see conn_in_drop (B1). */
void conn_push_layer(struct conn *c, struct conn_layer *layer);

struct str conn_in(const struct conn *c);         /* unconsumed input; valid until the next conn call */
void conn_consume(struct conn *c, size_t n);
void conn_in_drop(struct conn *c);
/* Puts bytes in front of the input as if they had been received (hand-over of pipelined bytes).
 * on_input is called for them in a later turn. */
void conn_unread(struct conn *c, struct str bytes);
struct buf *conn_out(struct conn *c);             /* append here; goes out at the end of the turn */
void conn_flush(struct conn *c);                  /* try to write now */
bool conn_full(const struct conn *c);             /* more than out_high bytes wait */
size_t conn_queued(const struct conn *c);         /* bytes not yet taken by the kernel */
/* Stop or go on reading. When it goes on, on_input comes (later) for what is still unconsumed. The
 * end of a paused connection is not noticed. */
void conn_pause(struct conn *c, bool paused);
/* Reads nothing more, writes what is queued for at most linger_ms, then on_end(CONN_EOF). */
void conn_finish(struct conn *c, uint64_t linger_ms);
/* Shows the owner what was read (out false) and what was written, as it passes; NULL: no more. */
typedef void conn_tap_fn(void *ctx, bool out, struct str bytes);
void conn_set_tap(struct conn *c, conn_tap_fn *tap);
int conn_fd(const struct conn *c);
uint64_t conn_bytes_in(const struct conn *c);
uint64_t conn_bytes_out(const struct conn *c);
const char *conn_error_text(const struct conn *c);
/* Takes the descriptor out again (fd passing): watchers are deleted from epoll, buffered input goes
 * to *unread, the conn is freed. Only with no layers above the socket and no output waiting. */
int conn_detach(struct conn **c, struct buf *unread);
void conn_free(struct conn **c); /* closes the descriptor at once; safe inside callbacks */
