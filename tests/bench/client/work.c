/* SPDX-License-Identifier: Apache-2.0 */
/* The workloads that one connection after the other, or one alone, does. */
#include "tests/bench/client/client.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void result(const char *name, double value)
{
	printf("%s %.9g\n", name, value);
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

void results(uint64_t *ns, size_t n)
{
	qsort(ns, n, sizeof(*ns), by_value);
	result("median", (double)ns[n / 2] / 1e9);
	result("p99", (double)ns[n * 99 / 100] / 1e9);
	result("max", (double)ns[n - 1] / 1e9);
}

void work_login(const struct target *t, int argc, char **argv)
{
	int logins = (int)strtol(argv[0], NULL, 10), users = (int)strtol(argv[1], NULL, 10);
	uint64_t *took = calloc((size_t)logins, sizeof(*took)), start = now_ns();

	for (int i = 0; i < logins; i++) {
		uint64_t begin = now_ns();
		struct conn *c = conn_open(t);

		conn_login(c, t, i % users);
		conn_command(c, "SELECT INBOX");
		conn_command(c, "LOGOUT");
		conn_close(c);
		took[i] = now_ns() - begin;
	}
	result("wall", (double)(now_ns() - start) / 1e9);
	results(took, (size_t)logins);
	free(took);
}

void work_handshake(const struct target *t, int argc, char **argv)
{
	int times = (int)strtol(argv[0], NULL, 10);
	uint64_t start = now_ns();

	for (int i = 0; i < times; i++)
		conn_close(conn_open(t));
	result("wall", (double)(now_ns() - start) / 1e9);
}

void work_idle(const struct target *t, int argc, char **argv)
{
	int users = (int)strtol(argv[0], NULL, 10), sessions = (int)strtol(argv[1], NULL, 10);
	uint64_t start = now_ns();
	char end;

	for (int s = 0; s < sessions; s++) {
		for (int u = 0; u < users; u++) {
			struct conn *c = conn_open(t);

			conn_login(c, t, u);
			conn_command(c, "SELECT INBOX");
			conn_idle(c);
		}
	}
	result("wall", (double)(now_ns() - start) / 1e9);
	printf("ready\n");
	fflush(stdout);
	while (read(0, &end, 1) > 0)
		continue;
}

void work_fetch(const struct target *t, int argc, char **argv)
{
	int times = (int)strtol(argv[0], NULL, 10);
	struct conn *c = conn_open(t);
	uint64_t start, before;

	conn_login(c, t, 0);
	conn_command(c, "SELECT INBOX");
	start = now_ns();
	before = c->received;
	for (int i = 0; i < times; i++)
		conn_drain(c, "FETCH 1:* BODY.PEEK[]");
	result("wall", (double)(now_ns() - start) / 1e9);
	result("bytes", (double)(c->received - before));
	conn_command(c, "LOGOUT");
	conn_close(c);
}

static int only_files(const struct dirent *d)
{
	return d->d_name[0] != '.';
}

/* One file as it goes over the wire: with CRLF. Returns its size there. */
static size_t read_crlf(const char *path, char *out, size_t size)
{
	FILE *f = fopen(path, "r");
	size_t n = 0;
	int ch;

	if (!f)
		die(path);
	while ((ch = getc(f)) != EOF && n + 2 < size) {
		if (ch == '\n')
			out[n++] = '\r';
		out[n++] = (char)ch;
	}
	fclose(f);
	return n;
}

static void append_one(struct conn *c, const char *message, size_t len)
{
	char line[4096], tag[16];
	int n = snprintf(line, sizeof(line), "b%u APPEND INBOX {%zu}\r\n", ++c->tag, len);

	snprintf(tag, sizeof(tag), "b%u OK", c->tag);
	conn_send(c, line, (size_t)n);
	do
		conn_line(c, line, sizeof(line));
	while (line[0] == '*');
	if (line[0] != '+')
		die(line);
	conn_send(c, message, len);
	conn_send(c, "\r\n", 2);
	do
		conn_line(c, line, sizeof(line));
	while (line[0] == '*');
	if (strncmp(line, tag, strlen(tag)))
		die(line);
}

void work_fill(const struct target *t, int argc, char **argv)
{
	static char message[1 << 20];
	struct dirent **names;
	int n = scandir(argv[0], &names, only_files, alphasort);
	struct conn *c = conn_open(t);

	if (n < 0)
		die(argv[0]);
	conn_login(c, t, 0);
	for (int i = 0; i < n; i++) {
		char path[4096];

		snprintf(path, sizeof(path), "%s/%s", argv[0], names[i]->d_name);
		append_one(c, message, read_crlf(path, message, sizeof(message)));
		free(names[i]);
	}
	free(names);
	conn_command(c, "LOGOUT");
	conn_close(c);
	result("messages", n);
}
