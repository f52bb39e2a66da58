/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd: one IMAP command under way. Each command is a file with a row in cmdtable.c; its `start` is
 * called once when the command has been read whole (APPEND: up to its literal), and returns what it
 * waits for. It is then continued by calling cmd->run, which cmd_then() sets.
 *
 *   CMD_DONE   cmd_ok/cmd_no/cmd_bad... were called. Pending changes are told, then the tagged reply
 *              goes out, then the command is freed.
 *   CMD_YIELD  run is called again in the next turn of the loop (other clients have theirs first).
 *   CMD_FULL   run is called again when the client has taken its output (cmd_full was true).
 *   CMD_WAIT   run is called again when a completion calls cmd_wake.
 *
 * Completions and the client's end. Before each request whose completion gets the cmd as context
 * (store requests, jobs): cmd_wait(cmd). First thing in the completion: if (!cmd_back(cmd)) return;
 * false means that the client has gone (cmd->c is NULL), and the cmd with its arena is freed as soon
 * as the last completion is back: touch neither. Then keep the result (the cmd's arena lives on),
 * and call cmd_wake(cmd). A cmd may end (CMD_DONE) while completions are outstanding (read-ahead):
 * they come back with cmd_back false. What a command holds beside its arena is let go in on_free.
 *
 * The view (cmd->view) and the arguments stay until the cmd is freed, even where the client has gone.
 */
#pragma once
#include "backend/imapd/client.h"
#include "backend/store/store.h"
#include "common/base/arena.h"
#include "common/io/jobs.h"

struct view;
struct imap_arg;
struct imap_parser;
struct imap_seqset;

enum cmd_next { CMD_DONE, CMD_YIELD, CMD_FULL, CMD_WAIT };
typedef enum cmd_next cmd_run_fn(struct cmd *cmd);

enum { /* cmd_row.states: where the command is legal */
	ST_AUTH = 1,
	ST_SELECTED = 2,
	ST_BOTH = 3,
};
enum { /* cmd_row.flags */
	CMD_UID = 1,        /* legal with UID in front */
	CMD_NO_EXPUNGE = 2, /* without UID: no EXPUNGE may be told before the tagged reply (RFC 3501 7.4.1) */
	CMD_STREAM = 4,     /* starts when its message literal is announced (APPEND) */
};

struct cmd_row {
	const char *name;
	unsigned states, flags;
	cmd_run_fn *start;
};
const struct cmd_row *cmdtable_find(struct str name);

struct cmd {
	struct client *c;          /* NULL: the client has gone */
	struct imapd *im;
	const struct cmd_row *row;
	struct str tag;
	bool uid;                  /* UID FETCH, UID STORE ... */
	const struct imap_arg *args; /* common/imap/args.h; they live as long as the cmd */
	struct arena arena;        /* freed after the tagged reply */
	struct view *view;         /* selected folder, or NULL */
	cmd_run_fn *run;
	void *state;               /* the command's own, mostly in the arena */
	void (*on_free)(struct cmd *cmd);
	struct store_result result; /* of the last cmd_stored */

	bool numbers;              /* its answer has message numbers: no EXPUNGE, though it is a UID command */
	bool wants_input;          /* run is called for input too, and takes it by conn_in (IDLE, APPEND) */
	bool at_literal;           /* CMD_STREAM: the message literal has been announced */

	/* cmd.c and client.c */
	struct imap_parser *parser; /* the cmd's own now, where the client went or the cmd ended early */
	enum cmd_next next;
	unsigned waits;
	bool in_run, woken, finishing, bad, refused, orphan_view;
	uint64_t slice_us;
	char *reply;               /* tagged reply without its tag */
};

/* ---- results: each returns CMD_DONE ----------------------------------------------------------- */
enum cmd_next cmd_ok(struct cmd *cmd, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
enum cmd_next cmd_no(struct cmd *cmd, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
enum cmd_next cmd_bad(struct cmd *cmd, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The same for a text of any length (COPYUID's sets). */
enum cmd_next cmd_ok_long(struct cmd *cmd, struct str text);
enum cmd_next cmd_no_long(struct cmd *cmd, struct str text);
/* NO [CODE] text for a fault of the store, and one log line with user, command and cause. */
enum cmd_next cmd_fault(struct cmd *cmd, const struct store_result *r);
/* ok text where cmd->result is STORE_OK, else cmd_fault. */
enum cmd_next cmd_result(struct cmd *cmd, const char *ok);

/* ---- going on --------------------------------------------------------------------------------- */
enum cmd_next cmd_then(struct cmd *cmd, cmd_run_fn *run, enum cmd_next next); /* sets run, returns next */
void cmd_wait(struct cmd *cmd);
bool cmd_back(struct cmd *cmd);
void cmd_wake(struct cmd *cmd);
void cmd_stored(void *cmd, const struct store_result *r); /* store_done_fn: keeps r in cmd->result, wakes */
/* Work on an I/O thread, which touches nothing but the command's own state: returns CMD_WAIT; the
 * command goes on with then. j lives in that state, until the work is back. */
struct cmd_job {
	struct job job;
	struct cmd *cmd;
	void (*work)(struct cmd *cmd);
};
enum cmd_next cmd_submit(struct cmd *cmd, struct cmd_job *j, void (*work)(struct cmd *cmd), cmd_run_fn *then);
bool cmd_full(const struct cmd *cmd);  /* the client's output buffer is full: return CMD_FULL */
/* More than CMD_SLICE_US of this slice are used up: return CMD_YIELD. Cheap enough for each message. */
bool cmd_tired(struct cmd *cmd);
#define CMD_SLICE_US 5000
struct buf *cmd_out(struct cmd *cmd);  /* untagged output: whole lines only before returning */

/* ---- arguments -------------------------------------------------------------------------------- */
struct uids { /* ascending, each once */
	uint32_t *a;
	size_t n;
};
/*
 * Takes a sequence set (message numbers, or UIDs where cmd->uid) and resolves it against the view:
 * the messages that the client knows, untold tombstones (msg.state & MSG_EXPUNGED) among them.
 * Memory in the command's arena. False: not the grammar, or a number beyond the view's messages
 * (RFC 3501 section 9); cmd_bad was called, return CMD_DONE.
 */
bool cmd_take_set(struct cmd *cmd, const struct imap_arg **a, struct uids *out);
/*
 * The same in two steps, for sets with something behind them that says what to do with them. The set is the
 * caller's to free; it isn't resolved yet. changed: only messages with a modseq above since, at the cost of these.
 */
bool cmd_parse_set(struct cmd *cmd, const struct imap_arg **a, struct imap_seqset *set);
bool cmd_resolve_set(struct cmd *cmd, struct imap_seqset *set, struct uids *out);
bool cmd_resolve_changed(struct cmd *cmd, struct imap_seqset *set, uint64_t since, struct uids *out);
/* Takes a mailbox name; *name is UTF-8 in the arena. False: BAD or NO was said, return CMD_DONE. */
bool cmd_take_mailbox(struct cmd *cmd, const struct imap_arg **a, struct str *name);
/* The name as it goes on the wire (modified UTF-7, quoted). */
void cmd_put_mailbox(struct buf *out, struct str name);

/* Commands of other directories (rows in cmdtable.c): FETCH, SEARCH; with UID too (cmd->uid). */
cmd_run_fn fetch_start, search_start;
