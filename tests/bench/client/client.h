/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client of `make bench`: the same program against every server. In C, since a client that takes
 * longer than the server it measures would measure itself.
 */
#ifndef BENCH_CLIENT_H
#define BENCH_CLIENT_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLIENT_BUF 65536

/* One IMAP connection. buf holds what was read and not yet taken, NUL-terminated. */
struct conn {
	int fd;
	SSL *ssl;
	unsigned tag;
	size_t len;
	char buf[CLIENT_BUF + 1];
	uint64_t received;
};

/* How to reach the server, and as whom. */
struct target {
	int port;
	bool tls;
	const char *user_format; /* one %d, or none */
	const char *password;	 /* NULL: the same as the user */
};

/* Any fault ends the program with a line that says where it was. */
void die(const char *what) __attribute__((noreturn));

uint64_t now_ns(void);

/* Connects, reads the greeting. TLS 1.3 where t->tls is set. */
struct conn *conn_open(const struct target *t);
void conn_close(struct conn *c);

/* Sends all of it. */
void conn_send(struct conn *c, const void *data, size_t len);

/* Reads more, at least one byte. Returns false where a non-blocking connection has none. */
bool conn_read(struct conn *c);

/* Returns the next line without its CRLF (kept in line, cut to its size), waiting for it. */
void conn_line(struct conn *c, char *line, size_t size);

/* Sends a command and reads up to its tagged OK; literals are passed over. */
void conn_command(struct conn *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Sends a FETCH whose literals are thrown away as they come; returns when the tagged OK is there. */
void conn_drain(struct conn *c, const char *command);

/* Logs in as user number n. */
void conn_login(struct conn *c, const struct target *t, int n);

/* Sends IDLE and waits for the +. */
void conn_idle(struct conn *c);

/* Prints a "name value" line; of n times: median, p99 and max, in seconds. Sorts them. */
void result(const char *name, double value);
void results(uint64_t *ns, size_t n);

/* The workloads: arguments behind the name; results as "name value" lines on stdout. */
void work_login(const struct target *t, int argc, char **argv);
void work_handshake(const struct target *t, int argc, char **argv);
void work_memory(const struct target *t, int argc, char **argv);
void work_idle(const struct target *t, int argc, char **argv);
void work_news(const struct target *t, int argc, char **argv);
void work_fetch(const struct target *t, int argc, char **argv);
void work_fill(const struct target *t, int argc, char **argv);

#endif
