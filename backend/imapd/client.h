/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client: one IMAP connection in imapd: reads commands one at a time, writes replies. See imapd.h for
 * how it is made, cmd.h for commands, box/view.h for the selected folder.
 */
#pragma once
#include "backend/imapd/imapd.h"
#include "common/io/conn.h"
#include "common/ipc/record.h"

struct cmd;
struct view;
struct imap_parser;
struct loop_timer;
struct telemetry;
struct loop_defer;
struct debuglog;

enum client_state {
	CLIENT_AUTH,     /* authenticated, no folder */
	CLIENT_SELECTED, /* view is the folder */
	CLIENT_LOGOUT,   /* BYE was said, output drains */
};

struct client {
	struct list link; /* imapd.clients */
	struct imapd *im;
	struct conn *conn;
	uint32_t id; /* client_start.conn */
	enum client_state state;
	struct view *view;
	struct cmd *cmd;             /* under way, or NULL */
	struct imap_parser *parser;  /* NULL while nothing of a command has come */
	struct loop_timer *timer;    /* inactivity */
	struct loop_defer *turn;     /* a yielded command, pending changes in IDLE, or input to look at again */
	struct debuglog *debug;      /* IMAPDEBUGFILE, or NULL */
	char *bye;                   /* to be said after the command at hand */
	const char *ended;           /* event name of the log line at the end, once it is known */
	char *user, *session, *rip;
	uint16_t rport;
	uint64_t since_ms, input_ms;
	uint64_t headers, bodies;    /* bytes that FETCH answered from files, for the log */
	unsigned bad;                /* bad commands in a row */
	struct telemetry *telemetry; /* or NULL */
	bool tls, id_logged, poll_logged, idle, eof, running;
	bool condstore, qresync;     /* enabled, RFC 7162 */
};

/* Leaves the selected folder; state authenticated. */
void client_unselect(struct client *c);
/* v is the selected folder from now on, and the client's. */
void client_select(struct client *c, struct view *v);
/* A CONDSTORE enabling command was given, or, with qresync, ENABLE QRESYNC. */
void client_enable(struct client *c, bool qresync);
void client_idle(struct client *c, bool on); /* IDLE begins or ends */
/* No argument of the command at hand is needed any more: its memory goes (IDLE). */
void client_drop_parser(struct client *c);
/* Appends the capabilities, as CAPABILITY and the login reply name them. */
void client_capability(const struct client *c, struct buf *out);
