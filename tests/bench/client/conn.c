/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/client/client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

void die(const char *what)
{
	fprintf(stderr, "bench client: %s (%s)\n", what, strerror(errno));
	exit(1);
}

uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* One context for all: no session is ever resumed, every handshake is a full one. */
static SSL_CTX *tls_context(void)
{
	static SSL_CTX *ctx;

	if (ctx)
		return ctx;
	ctx = SSL_CTX_new(TLS_client_method());
	if (!ctx || !SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION))
		die("no TLS 1.3");
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	return ctx;
}

static void tls_start(struct conn *c)
{
	c->ssl = SSL_new(tls_context());
	if (!c->ssl || !SSL_set_fd(c->ssl, c->fd) || SSL_connect(c->ssl) != 1)
		die("TLS handshake");
}

struct conn *conn_open(const struct target *t)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_port = htons((uint16_t)t->port)};
	struct conn *c = calloc(1, sizeof(*c));
	char line[512];
	int on = 1;

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&sin, sizeof(sin)) < 0)
		die("connect");
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (t->tls)
		tls_start(c);
	conn_line(c, line, sizeof(line));
	if (strncmp(line, "* OK", 4))
		die(line);
	return c;
}

void conn_close(struct conn *c)
{
	if (c->ssl)
		SSL_free(c->ssl);
	close(c->fd);
	free(c);
}

void conn_send(struct conn *c, const void *data, size_t len)
{
	const char *p = data;

	while (len) {
		ssize_t n = c->ssl ? SSL_write(c->ssl, p, (int)len) : write(c->fd, p, len);

		if (n <= 0)
			die("write");
		p += n;
		len -= (size_t)n;
	}
}

bool conn_read(struct conn *c)
{
	ssize_t n;

	if (c->len == CLIENT_BUF)
		die("line too long");
	ERR_clear_error();
	if (c->ssl)
		n = SSL_read(c->ssl, c->buf + c->len, (int)(CLIENT_BUF - c->len));
	else
		n = read(c->fd, c->buf + c->len, CLIENT_BUF - c->len);
	if (n <= 0) {
		bool again = c->ssl ? SSL_get_error(c->ssl, (int)n) == SSL_ERROR_WANT_READ
				    : n < 0 && errno == EAGAIN;

		if (again)
			return false;
		c->buf[c->len] = '\0';
		fprintf(stderr, "unread: %s\n", c->buf);
		die("the server closed the connection");
	}
	c->len += (size_t)n;
	c->received += (uint64_t)n;
	c->buf[c->len] = '\0';
	return true;
}

void conn_line(struct conn *c, char *line, size_t size)
{
	char *lf;
	size_t len;

	while (!(lf = memchr(c->buf, '\n', c->len)))
		conn_read(c);
	len = (size_t)(lf - c->buf);
	snprintf(line, size, "%.*s", (int)(len && lf[-1] == '\r' ? len - 1 : len), c->buf);
	c->len -= len + 1;
	memmove(c->buf, lf + 1, c->len + 1);
}

static void check_ok(const char *line, const char *tag)
{
	if (strncmp(line + strlen(tag), "OK", 2))
		die(line);
}

void conn_command(struct conn *c, const char *format, ...)
{
	char text[1024], line[4096], tag[16];
	va_list ap;
	int n = snprintf(text, sizeof(text), "b%u ", ++c->tag);

	snprintf(tag, sizeof(tag), "b%u ", c->tag);
	va_start(ap, format);
	n += vsnprintf(text + n, sizeof(text) - (size_t)n - 2, format, ap);
	va_end(ap);
	n += snprintf(text + n, sizeof(text) - (size_t)n, "\r\n");
	conn_send(c, text, (size_t)n);
	do
		conn_line(c, line, sizeof(line));
	while (strncmp(line, tag, strlen(tag)));
	check_ok(line, tag);
}

/* Whether what was read ends with the tagged line; messages can't hold it, since they were made so. */
static bool drained(struct conn *c, const char *tag)
{
	char *line;

	if (c->len < 2 || c->buf[c->len - 1] != '\n')
		return false;
	line = memrchr(c->buf, '\n', c->len - 1);
	if (!line || strncmp(line + 1, tag, strlen(tag)))
		return false;
	check_ok(line + 1, tag);
	return true;
}

void conn_drain(struct conn *c, const char *command)
{
	char text[1024], tag[32];
	int n;

	snprintf(tag, sizeof(tag), "drain%u ", ++c->tag);
	n = snprintf(text, sizeof(text), "%s%s\r\n", tag, command);
	conn_send(c, text, (size_t)n);
	c->len = 0;
	for (;;) {
		conn_read(c);
		if (drained(c, tag))
			break;
		/* only the last line matters: it may come in two reads */
		if (c->len > CLIENT_BUF / 2) {
			memmove(c->buf, c->buf + c->len - 1024, 1024);
			c->len = 1024;
		}
	}
	c->len = 0;
}

void conn_login(struct conn *c, const struct target *t, int n)
{
	char user[64];
	const char *percent = strstr(t->user_format, "%d");

	if (percent)
		snprintf(user, sizeof(user), "%.*s%d%s", (int)(percent - t->user_format),
			 t->user_format, n, percent + 2);
	else
		snprintf(user, sizeof(user), "%s", t->user_format);
	conn_command(c, "LOGIN %s %s", user, t->password ? t->password : user);
}

void conn_idle(struct conn *c)
{
	char line[4096];

	snprintf(line, sizeof(line), "b%u IDLE\r\n", ++c->tag);
	conn_send(c, line, strlen(line));
	do
		conn_line(c, line, sizeof(line));
	while (line[0] != '+');
}
