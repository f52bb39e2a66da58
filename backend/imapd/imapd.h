/* SPDX-License-Identifier: Apache-2.0 */
/*
 * imapd: what the whole process shares. One process serves one mail store: all connections to it,
 * in one event loop (DESIGN.md P5). main.c and process.c make it, client.c and the commands use it.
 */
#pragma once
#include "common/base/list.h"
#include "common/config/settings.h"
#include "common/io/jobs.h"
#include "common/io/loop.h"
#include "common/ipc/record.h"

struct store;
struct client;
struct outbox;

struct imapd {
	struct loop *loop;
	const struct settings *set;
	struct jobs *jobs;
	struct store *store;
	int maildir_fd;                   /* the store's: lives as long as the process */
	const struct user_record *record; /* lives as long as the process */
	struct list clients;              /* struct client.link */
	unsigned nclients;
	struct outbox *outbox;            /* NULL: there is none */
	/* process.c: asks the master for a link to the mailer; -1: there is no master. */
	int (*want_mailer)(struct imapd *im, uint32_t conn);
	bool leaving;                     /* no new connections; clients end after the command at hand */
	/* process.c hears of a connection's end (conn as in client_start) and of its state. */
	void (*on_client_end)(struct imapd *im, uint32_t conn);
	void (*on_client_state)(struct imapd *im, uint32_t conn, bool idle, struct str folder);
};

struct client_start {
	int in_fd, out_fd; /* owned by the client from here on */
	uint32_t conn;
	const struct session_facts *facts; /* copied */
	struct str user;
	struct str tag, verb; /* of the login command: "LOGIN" gives "tag OK [CAPABILITY ...] LOGIN Ok." */
	bool preauth;         /* from a shell: "* PREAUTH Ready." */
	struct str unread;    /* what the client pipelined: runs once, after the OK */
};

/* client.c */
struct client *client_new(struct imapd *im, const struct client_start *s);
/* The command at hand is finished, then "* BYE text" and the connection is closed. */
void client_bye(struct client *c, const char *text);
/* The command at hand is dropped, "* BYE text" and the connection is closed, at once. */
void client_kick(struct client *c, const char *text);
/* The connection's protocol goes into this file from now on; -1: no more. Owned by the callee. */
void client_telemetry(struct client *c, int fd);
struct client *client_find(struct imapd *im, uint32_t conn); /* or NULL */
void client_bye_all(struct imapd *im, const char *text);
