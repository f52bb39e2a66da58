/* SPDX-License-Identifier: Apache-2.0 */
#include "common/io/sock.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <unistd.h>

static void set_int(int fd, int level, int option, int value)
{
	setsockopt(fd, level, option, &value, sizeof value);
}

static int listen_on(const struct sockaddr *sa, socklen_t len, int backlog)
{
	int fd = socket(sa->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int saved;

	if (fd < 0)
		return -1;
	set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	set_int(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	if (sa->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)sa;

		set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, !IN6_IS_ADDR_UNSPECIFIED(&in6->sin6_addr));
	}
	if (bind(fd, sa, len) == 0 && listen(fd, backlog) == 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

static int listen_everywhere(uint16_t port, int backlog)
{
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	struct sockaddr_in in4 = {.sin_family = AF_INET, .sin_port = htons(port)};
	int fd = listen_on((struct sockaddr *)&in6, sizeof in6, backlog);

	if (fd < 0 && (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL))
		fd = listen_on((struct sockaddr *)&in4, sizeof in4, backlog);
	return fd;
}

int sock_listen(const char *host, uint16_t port, int backlog, struct err *e)
{
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_PASSIVE, .ai_socktype = SOCK_STREAM};
	struct addrinfo *ai;
	int fd;

	if (*host == '\0' || strcmp(host, "0") == 0 || strcmp(host, "*") == 0) {
		fd = listen_everywhere(port, backlog);
		return fd >= 0 ? fd : err_sys(e, "can't listen on port %u (all addresses)", port);
	}
	if (getaddrinfo(host, NULL, &hints, &ai) != 0)
		return err_set(e, EINVAL, "can't listen on \"%s\" port %u: not an IP address", host, port);
	if (ai->ai_family == AF_INET6)
		((struct sockaddr_in6 *)ai->ai_addr)->sin6_port = htons(port);
	else
		((struct sockaddr_in *)ai->ai_addr)->sin_port = htons(port);
	fd = listen_on(ai->ai_addr, ai->ai_addrlen, backlog);
	freeaddrinfo(ai);
	return fd >= 0 ? fd : err_sys(e, "can't listen on %s port %u", host, port);
}

int sock_accept(int listen_fd, struct sock_addr *peer)
{
	int fd;

	peer->len = sizeof peer->ss;
	fd = accept4(listen_fd, (struct sockaddr *)&peer->ss, &peer->len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd >= 0)
		set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	return fd;
}

void sock_local(int fd, struct sock_addr *a)
{
	a->len = sizeof a->ss;
	if (getsockname(fd, (struct sockaddr *)&a->ss, &a->len) != 0)
		*a = (struct sock_addr){.len = 0};
}

static const struct in6_addr *in6_of(const struct sock_addr *a)
{
	return &((const struct sockaddr_in6 *)&a->ss)->sin6_addr;
}

void sock_ip(const struct sock_addr *a, char out[64])
{
	const void *from = NULL;
	int family = a->len ? a->ss.ss_family : AF_UNSPEC;

	if (family == AF_INET) {
		from = &((const struct sockaddr_in *)&a->ss)->sin_addr;
	} else if (family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(in6_of(a))) {
		from = (const char *)in6_of(a) + 12;
		family = AF_INET;
	} else if (family == AF_INET6) {
		from = in6_of(a);
	}
	if (from == NULL || inet_ntop(family, from, out, 64) == NULL)
		snprintf(out, 64, "unknown");
}

uint16_t sock_port(const struct sock_addr *a)
{
	if (a->len && a->ss.ss_family == AF_INET)
		return ntohs(((const struct sockaddr_in *)&a->ss)->sin_port);
	if (a->len && a->ss.ss_family == AF_INET6)
		return ntohs(((const struct sockaddr_in6 *)&a->ss)->sin6_port);
	return 0;
}

bool sock_loopback(const struct sock_addr *a)
{
	if (a->len && a->ss.ss_family == AF_INET)
		return ntohl(((const struct sockaddr_in *)&a->ss)->sin_addr.s_addr) >> 24 == 127;
	if (a->len == 0 || a->ss.ss_family != AF_INET6)
		return false;
	if (IN6_IS_ADDR_V4MAPPED(in6_of(a)))
		return in6_of(a)->s6_addr[12] == 127;
	return IN6_IS_ADDR_LOOPBACK(in6_of(a));
}

int sock_nonblock(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0)
		return -1;
	return flags & O_NONBLOCK ? 0 : fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

void sock_keepalive(int fd, unsigned idle_s)
{
	int every = idle_s / 4 ? (int)(idle_s / 4) : 1;

	set_int(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	set_int(fd, IPPROTO_TCP, TCP_KEEPIDLE, (int)idle_s);
	set_int(fd, IPPROTO_TCP, TCP_KEEPINTVL, every);
	set_int(fd, IPPROTO_TCP, TCP_KEEPCNT, 4);
}
