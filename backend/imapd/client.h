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
struct idle;
struct imap_parser;
struct loop_timer;
struct loop_defer;

enum client_state {
	CLIENT_AUTH,     /* authenticated, no folder */
	CLIENT_SELECTED, /* view is the folder */
	CLIENT_LOGOUT,   /* BYE was said, output drains */
};

struct client {
	struct list link; /* imapd.clients */
	struct imapd *im;
	struct conn *conn;
	uint32_t id;      /* client_start.conn */
	enum client_state state;
	struct view *view;
	struct cmd *cmd;             /* under way, or NULL */
	struct imap_parser *parser;  /* NULL while nothing of a command has come */
	struct idle *idle;           /* in IDLE */
	struct loop_timer *timer;    /* inactivity */
	struct loop_defer *turn;     /* a yielded command, or input to look at again */
	const char *bye;             /* to be said after the command at hand */
	char *user, *session, *rip;
	uint64_t since_ms;
	unsigned bad;                /* bad commands in a row */
	bool tls, preauth, utf8;
	bool id_logged;
	bool told_idle;              /* what on_client_state was told */
};

/* Leaves the selected folder (the view goes), state authenticated. */
void client_unselect(struct client *c);
void client_select(struct client *c, struct view *v); /* takes v over */
/* Appends the capabilities, as CAPABILITY and the login reply name them. */
void client_capability(const struct client *c, struct buf *out);
/* Input waits for the running command (IDLE's DONE, APPEND's literal): it takes it by conn_in and
 * conn_consume in its input callback. NULL: back to commands. */
typedef void client_input_fn(struct client *c, void *ctx);
void client_take_input(struct client *c, client_input_fn *fn, void *ctx);
