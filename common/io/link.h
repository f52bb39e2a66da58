/* SPDX-License-Identifier: Apache-2.0 */
/*
 * link: a message channel between two of our processes: SOCK_SEQPACKET, one typed message per
 * packet, descriptors by SCM_RIGHTS. A queue with a bound on the sending side: nobody waits for a
 * slow peer. Bodies are made and read with ipc/wire.h. A malformed packet, a surprise descriptor
 * or an unknown type is the receiver's cue to end that link, and nothing else (B28).
 */
#pragma once
#include "common/base/buf.h"
#include "common/io/loop.h"

#define LINK_MSG_MAX 65536 /* bytes of one message with its header; larger ones are a fault */
#define LINK_FDS_MAX 4

struct link;
struct link_msg {
	uint16_t type;
	struct str body;       /* valid during the callback */
	int fds[LINK_FDS_MAX]; /* the receiver takes one by setting its place to -1; others are closed */
	unsigned nfds;
};
struct link_ops {
	/* Return -1 to have the link closed (malformed message): on_close follows. */
	int (*on_msg)(void *ctx, struct link_msg *m);
	void (*on_close)(void *ctx, const char *why); /* the owner frees the link, here or later */
	void (*on_drained)(void *ctx);                /* may be NULL; the queue is empty again */
};

/* Takes ownership of fd. max_queue: messages waiting in our memory before link_send refuses. */
struct link *link_new(struct loop *l, int fd, size_t max_queue, const struct link_ops *ops, void *ctx);
/* Sends or queues. fds stay the caller's (they are duplicated when queued). -1: the queue is full
 * or the link is closed; the caller decides what that means. */
int link_send(struct link *k, uint16_t type, struct str body, const int *fds, unsigned nfds);
bool link_open(const struct link *k);
size_t link_queued(const struct link *k);
void link_free(struct link **k); /* safe inside callbacks */

/* Blocking forms for processes without a loop (a pool child before its assignment, ctl). */
int link_send_blocking(int fd, uint16_t type, struct str body, const int *fds, unsigned nfds);
/* Returns 1, 0 at end of stream, -1 on error or timeout (errno ETIMEDOUT). body is in *store. */
int link_recv_blocking(int fd, struct buf *store, struct link_msg *m, int timeout_ms);

int link_pair(int out[2]);                           /* socketpair, SEQPACKET, CLOEXEC, non-blocking */
int link_listen(const char *path, unsigned mode);    /* removes a dead socket file; listens; -1 errno */
int link_connect(const char *path);                  /* non-blocking SEQPACKET; -1 errno */
int link_accept(int listen_fd, unsigned *uid, int *pid); /* with SO_PEERCRED; -1 errno */
