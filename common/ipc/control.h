/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control: posthousectl <-> a daemon's main, over RUNDIR/{frontend,backend,notifyd}.ctl. A request
 * is a verb and arguments; the answer is any number of rows (each a list of name=value fields) and
 * one end. Allowed for root and the daemon's own uid (SO_PEERCRED). Later verbs need no new message.
 */
#pragma once
#include "common/base/err.h"
#include "common/ipc/proto.h"
#include "common/ipc/wire.h"

enum control_msg {
	CONTROL_REQUEST = 1, /* struct control_request */
	CONTROL_ROW = 2,     /* struct control_row */
	CONTROL_END = 3,     /* u8 ok, text */
};
#define CONTROL_ARGS_MAX 16
#define CONTROL_FIELDS_MAX 32

struct control_request {
	struct str verb;
	struct str arg[CONTROL_ARGS_MAX];
	uint32_t nargs;
};
struct control_row {
	struct str name[CONTROL_FIELDS_MAX];
	struct str value[CONTROL_FIELDS_MAX];
	uint32_t n;
};

void control_request_put(struct buf *b, const struct control_request *r);
bool control_request_get(struct str body, struct control_request *r);
void control_row_put(struct buf *b, const struct control_row *r);
bool control_row_get(struct str body, struct control_row *r);

/*
 * Server side: listens on RUNDIR/NAME.ctl (mode 0600). on_request answers by control_answer_row
 * any number of times and control_answer_end once, now or later; who is valid until then or until
 * the client has gone (then answers are dropped).
 */
struct loop;
struct control_server;
struct control_client;
typedef void control_request_fn(void *ctx, struct control_client *who, const struct control_request *r);
struct control_server *control_server_new(struct loop *l, const char *rundir, const char *name,
					  control_request_fn *fn, void *ctx, struct err *e);
void control_server_free(struct control_server **s);
void control_answer_row(struct control_client *who, const struct control_row *row);
void control_answer_end(struct control_client *who, bool ok, const char *text);
