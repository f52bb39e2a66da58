/* SPDX-License-Identifier: Apache-2.0 */
/* sock: TCP listeners, accept, and printable addresses. */
#pragma once
#include <stdint.h>
#include <stdbool.h>
#include <sys/socket.h>
#include "common/base/err.h"
#include "common/base/str.h"

struct sock_addr {
	struct sockaddr_storage ss;
	socklen_t len;
};

/* host: "0" or "" = every address (IPv6 socket that takes IPv4 too, else IPv4); otherwise a literal
 * or "ip.port" part already split. SO_REUSEPORT is set. Returns the descriptor or -1 with *e
 * naming address and port (R48). */
int sock_listen(const char *host, uint16_t port, int backlog, struct err *e);
int sock_accept(int listen_fd, struct sock_addr *peer); /* non-blocking, CLOEXEC, NODELAY; -1 errno */
void sock_local(int fd, struct sock_addr *a);
/* Address without port ("127.0.0.1", "::1"; IPv4-mapped shown as IPv4), into out[64]. */
void sock_ip(const struct sock_addr *a, char out[64]);
uint16_t sock_port(const struct sock_addr *a);
bool sock_loopback(const struct sock_addr *a);
int sock_nonblock(int fd);
void sock_keepalive(int fd, unsigned idle_s);
