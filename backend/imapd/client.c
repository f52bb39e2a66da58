/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/imapd/client.h"
#include <stdlib.h>
#include "backend/imapd/box/view.h"
#include "backend/imapd/cmdrun.h"
#include "backend/imapd/debuglog.h"
#include "backend/imapd/telemetry.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/config/listener.h"
#include "common/imap/args.h"
#include "common/imap/caps.h"
#include "common/imap/parser.h"
#include "common/imap/reply.h"

#define COMMANDS_PER_TURN 32 /* of one client, before the others have their turn */
#define LINGER_MS 5000	     /* for the last bytes to a client after BYE */

void client_drop_parser(struct client *c)
{
	if (!c->parser)
		return;
	imap_parser_deinit(c->parser);
	free(c->parser);
	c->parser = NULL;
}

/* ---- the end ---------------------------------------------------------------------------------- */

/* Courier's forms, with starttls=1 where it is. */
static void log_begin(const struct client *c, struct str tls)
{
	const struct log_kv kv[] = {L_C("user", c->user),	L_B("ip", c->rip),
				    L_P("port", c->rport),	L_C("protocol", "IMAP"),
				    L_C("session", c->session), L_S("tls", tls),
				    L_C("starttls", "1")};

	log_courier(L_INFO, "LOGIN", kv, ARRAY_LEN(kv) - (c->tls ? 0 : 2));
}

static void log_end(struct client *c, const char *cause)
{
	const struct log_kv kv[] = {L_C("user", c->user),
				    L_B("ip", c->rip),
				    L_P("port", c->rport),
				    L_U("headers", c->headers),
				    L_U("body", c->bodies),
				    L_U("rcvd", conn_bytes_in(c->conn)),
				    L_U("sent", conn_bytes_out(c->conn)),
				    L_U("time", (clock_ms() - c->since_ms) / 1000),
				    L_C("session", c->session),
				    L_C("cause", cause),
				    L_C("starttls", "1")};

	log_courier(L_INFO, c->ended ? c->ended : "DISCONNECTED", kv,
		    ARRAY_LEN(kv) - (c->tls ? 0 : 1));
}

/* A command that waits for the store keeps the view that its requests are about. */
static void drop_cmd(struct client *c)
{
	struct cmd *cmd = c->cmd;

	if (!cmd)
		return;
	if (cmd->waits && cmd->view && cmd->view == c->view) {
		view_set_ops(c->view, NULL, NULL);
		cmd->orphan_view = true;
		c->view = NULL;
	}
	cmd_orphan(cmd);
}

static void client_free(struct client *c)
{
	struct imapd *im = c->im;
	uint32_t id = c->id;

	list_remove(&c->link);
	im->nclients--;
	drop_cmd(c);
	view_close(&c->view);
	client_drop_parser(c);
	loop_timer_free(&c->timer);
	loop_defer_free(&c->turn);
	conn_free(&c->conn);
	telemetry_free(&c->telemetry);
	free(c->user);
	free(c->session);
	free(c->rip);
	free(c->bye);
	debuglog_free(&c->debug);
	free(c);
	if (!im->leaving)
		store_purge(im->store);
	if (im->on_client_end)
		im->on_client_end(im, id);
}

/* Says BYE (where text is given) and closes when that is written. The command at hand is dropped. */
static void say_bye(struct client *c, const char *text)
{
	drop_cmd(c);
	view_close(&c->view);
	c->state = CLIENT_LOGOUT;
	if (text)
		imap_put_untagged(conn_out(c->conn), "BYE %s", text);
	conn_finish(c->conn, LINGER_MS);
}

void client_bye(struct client *c, const char *text)
{
	if (c->bye || c->state == CLIENT_LOGOUT)
		return;
	c->bye = xstrdup(text);
	loop_defer_set(c->turn);
}

void client_kick(struct client *c, const char *text)
{
	if (c->state == CLIENT_LOGOUT)
		return;
	c->ended = "KICKED";
	say_bye(c, text);
}

static void on_bytes(void *ctx, bool out, struct str bytes)
{
	telemetry_put(((struct client *)ctx)->telemetry, out, bytes);
}

void client_telemetry(struct client *c, int fd)
{
	telemetry_free(&c->telemetry);
	if (fd >= 0) {
		c->telemetry = telemetry_new(c->im->jobs, fd, c->user, c->im->set->telemetry_max);
		telemetry_put(c->telemetry, false, conn_in(c->conn)); /* nothing of it has been run */
	}
	conn_set_tap(c->conn, fd >= 0 ? on_bytes : NULL);
}

struct client *client_find(struct imapd *im, uint32_t conn)
{
	list_foreach(e, &im->clients) {
		struct client *c = list_entry(e, struct client, link);

		if (c->id == conn)
			return c;
	}
	return NULL;
}

void client_bye_all(struct imapd *im, const char *text)
{
	list_foreach(e, &im->clients)
		client_bye(list_entry(e, struct client, link), text);
}

/* ---- the selected folder ---------------------------------------------------------------------- */

static void tell_state(struct client *c)
{
	struct str folder = STR_NONE;

	if (c->view)
		folder = str_c(view_folder(c->view)->name);
	if (c->im->on_client_state)
		c->im->on_client_state(c->im, c->id, c->idle, folder);
}

static struct buf *view_out(void *ctx)
{
	return conn_out(((struct client *)ctx)->conn);
}

static bool view_full(void *ctx)
{
	return conn_full(((struct client *)ctx)->conn);
}

static void view_news(void *ctx)
{
	loop_defer_set(((struct client *)ctx)->turn);
}

static void view_gone(void *ctx)
{
	client_bye(ctx, "[UNAVAILABLE] The selected mailbox was deleted.");
}

/* In Courier's words. */
static void view_expunged(void *ctx, const struct msg *m)
{
	const struct client *c = ctx;
	const struct settings *set = c->im->set;
	struct str name = str_c(view_folder(c->view)->name);
	struct buf path = BUF_INIT;
	char file[256];

	if (!set->imap_log_deletions)
		return;
	msg_file_name(m, file);
	buf_printf(&path, ".%.*s%s/%s", STR_ARG(str_from(name, strlen("INBOX"))),
		   m->state & MSG_IN_NEW ? "/new" : "/cur", file);
	LOG_COURIER(L_INFO, "EXPUNGED", L_C("user", c->user), L_B("ip", c->rip), L_P("port", c->rport),
		    L_S("old_name", buf_str(&path)), L_C("session", c->session));
	buf_deinit(&path);
}

static const struct view_ops view_ops = {view_out, view_full, view_news, view_gone, view_news, view_expunged};

void client_unselect(struct client *c)
{
	view_close(&c->view);
	if (c->cmd)
		c->cmd->view = NULL;
	c->state = CLIENT_AUTH;
	tell_state(c);
}

void client_select(struct client *c, struct view *v)
{
	ASSERT(!c->view);
	c->view = v;
	c->state = CLIENT_SELECTED;
	view_set_ops(v, &view_ops, c);
	if (c->condstore)
		view_enable(v, c->qresync, false);
	tell_state(c);
}

void client_enable(struct client *c, bool qresync)
{
	bool first = !c->condstore;

	c->condstore = true;
	c->qresync = c->qresync || qresync;
	if (c->view)
		view_enable(c->view, c->qresync, first);
}

void client_idle(struct client *c, bool on)
{
	c->idle = on;
	if (on && c->bye)
		loop_defer_set(c->turn);
	if (!on && c->im->set->imap_idle_max)
		loop_timer_set(c->timer, 0); /* a shorter limit counts from here on */
	tell_state(c);
}

/* ---- commands --------------------------------------------------------------------------------- */

void client_capability(const struct client *c, struct buf *out)
{
	const struct settings *set = c->im->set;
	struct imap_caps caps = {.state = IMAP_CAPS_SESSION,
				 .literal_minus = str_eq(str_c(set->imap_literal), STR("minus")),
				 .idle = true,
				 .outbox = str_c(set->outbox),
				 .magic_trash = set->imap_move_expunge_to_trash,
				 .append_max = set->imap_append_max,
				 .filter = listener_capability(
					 set, c->tls ? LISTENER_STARTTLS : LISTENER_CLEAR)};

	imap_caps_put(out, &caps);
}

static void run(struct client *c);

void client_ended(struct client *c, bool bad)
{
	c->bad = bad ? c->bad + 1 : 0;
	if (c->bad >= c->im->set->imap_bad_max)
		client_bye(c, "[ALERT] Too many consecutive protocol violations.");
	if (!c->running)
		run(c);
}

static cmd_run_fn refuse_unknown, refuse_state, refuse_disabled;
static const struct cmd_row unknown_row = {"unknown", ST_BOTH, 0, refuse_unknown};
static const struct cmd_row disabled_row = {"disabled", ST_SELECTED, CMD_UID, refuse_disabled};

/* The row, behind UID where that stands in front; *args is what follows. */
static const struct cmd_row *find_row(const struct client *c, const struct imap_arg **args,
				      bool *uid)
{
	const struct cmd_row *row;
	struct str name = c->parser->name;

	*args = c->parser->args;
	*uid = str_ieq(name, STR("UID"));
	if (*uid && !imap_arg_atom(args, &name))
		return NULL;
	if (c->im->set->imap_disablethreadsort &&
	    (str_ieq(name, STR("SORT")) || str_ieq(name, STR("THREAD"))))
		return &disabled_row;
	row = cmdtable_find(name);
	return row && *uid && !(row->flags & CMD_UID) ? NULL : row;
}

static enum cmd_next refuse_unknown(struct cmd *cmd)
{
	return cmd_bad(cmd, "Invalid command");
}

static enum cmd_next refuse_disabled(struct cmd *cmd)
{
	return cmd_no(cmd, "This command is disabled by the system administrator.");
}

static enum cmd_next refuse_state(struct cmd *cmd)
{
	return cmd_bad(cmd, cmd->row->states == ST_SELECTED ? "No mailbox is selected"
							    : "Not now: logged in already");
}

static void begin(struct client *c, bool at_literal)
{
	const struct imap_arg *args;
	bool uid;
	const struct cmd_row *row = find_row(c, &args, &uid);
	struct cmd *cmd = cmd_new(c, row ? row : &unknown_row, c->parser->tag);

	debuglog_command(c->debug, c->parser);
	cmd->uid = uid;
	cmd->args = args;
	cmd->at_literal = at_literal;
	if (row && !(row->states & (c->state == CLIENT_SELECTED ? ST_SELECTED : ST_AUTH)))
		cmd->run = refuse_state;
	if (c->view && row && (row->flags & CMD_NO_EXPUNGE))
		view_tell_keywords(c->view); /* FETCH is going to show them */
	c->cmd = cmd;
	cmd_step(cmd);
}

/* A literal is announced: APPEND's message goes to the command, everything else into memory. False: it
 * is refused, and the client may wait for the parser to say so. */
static bool on_literal(struct client *c)
{
	struct imap_parser *p = c->parser;
	const struct cmd_row *row = cmdtable_find(p->name);

	if (row && (row->flags & CMD_STREAM) && p->count > 0 && p->depth == 0)
		begin(c, true);
	else if (!imap_parser_take(p))
		return false;
	else if (p->literal.sync)
		imap_put_continue(conn_out(c->conn), "OK");
	return true;
}

static struct imap_parser *parser(struct client *c)
{
	const struct settings *set = c->im->set;

	if (!c->parser) {
		c->parser = xmalloc(sizeof *c->parser);
		imap_parser_init(c->parser, &IMAP_LIMITS_SESSION(set->imap_line_max,
								 str_eq(str_c(set->imap_literal),
									STR("minus"))));
	}
	return c->parser;
}

static void parse(struct client *c)
{
	struct imap_parser *p = parser(c);
	size_t used;
	enum imap_parse r = imap_parse_step(p, conn_in(c->conn), &used);

	conn_consume(c->conn, used);
	switch (r) {
	case IMAP_PARSE_MORE:
		break;
	case IMAP_PARSE_LITERAL:
		if (!on_literal(c))
			parse(c);
		break;
	case IMAP_PARSE_COMMAND:
		begin(c, false);
		break;
	case IMAP_PARSE_BAD:
		debuglog_bad(c->debug, p);
		imap_parser_put_bad(p, conn_out(c->conn));
		imap_parser_done(p);
		client_ended(c, true);
		break;
	case IMAP_PARSE_BYE:
		say_bye(c, p->text);
		break;
	case IMAP_PARSE_N:
		UNREACHED();
	}
}

/* Runs what has come, until a command must wait. */
static void run(struct client *c)
{
	c->running = true;
	for (unsigned i = 0; !c->cmd && c->state != CLIENT_LOGOUT; i++) {
		if (c->bye || c->ended) {
			say_bye(c, c->bye);
			break;
		}
		if (conn_in(c->conn).n == 0) {
			if (c->parser && imap_parser_idle(c->parser))
				client_drop_parser(c);
			if (c->eof)
				say_bye(c, NULL);
			break;
		}
		if (conn_full(c->conn))
			break;
		if (i == COMMANDS_PER_TURN) {
			loop_defer_set(c->turn);
			break;
		}
		parse(c);
	}
	c->running = false;
}

static void turn(void *ctx)
{
	struct client *c = ctx;

	if (c->state == CLIENT_LOGOUT)
		return;
	if (!c->cmd)
		run(c);
	else if (c->cmd->next == CMD_YIELD)
		cmd_step(c->cmd);
	else if (c->bye && c->idle)
		say_bye(c, c->bye); /* IDLE has nothing to finish */
	else if (c->cmd->wants_input)
		cmd_wake(c->cmd);
}

/* ---- the connection --------------------------------------------------------------------------- */

static void on_input(void *ctx)
{
	struct client *c = ctx;

	c->input_ms = loop_now(c->im->loop);
	if (c->state == CLIENT_LOGOUT)
		conn_in_drop(c->conn);
	else if (!c->cmd)
		run(c);
	else if (c->cmd->wants_input)
		cmd_wake(c->cmd);
}

static void on_drained(void *ctx)
{
	struct client *c = ctx;

	if (c->state == CLIENT_LOGOUT)
		return;
	if (!c->cmd)
		run(c);
	else if (c->cmd->next == CMD_FULL)
		cmd_step(c->cmd);
}

static bool busy(const struct client *c)
{
	if (conn_in(c->conn).n)
		return true;
	return c->cmd && (!c->cmd->wants_input || c->cmd->waits);
}

static void on_end(void *ctx, enum conn_end e)
{
	struct client *c = ctx;

	/* The client may have closed its side only: what it has sent is answered first. */
	if (e == CONN_EOF && c->state != CLIENT_LOGOUT && !c->eof && busy(c)) {
		c->eof = true;
		loop_defer_set(c->turn);
		return;
	}
	log_end(c, e == CONN_ERROR   ? conn_error_text(c->conn)
		   : e == CONN_STUCK ? "stuck output"
		   : c->bye	     ? c->bye
				     : "");
	client_free(c);
}

static const struct conn_ops conn_ops = {on_input, on_drained, on_end};

static uint64_t quiet_limit(const struct settings *set, bool idle)
{
	return idle && set->imap_idle_max > set->imap_timeout ? set->imap_idle_max : set->imap_timeout;
}

/* The timer is not moved by each input; when it fires, the rest is waited for. */
static void on_timer(void *ctx)
{
	struct client *c = ctx;
	uint64_t limit = quiet_limit(c->im->set, c->idle) * 1000,
		 idle = loop_now(c->im->loop) - c->input_ms;

	if (c->state == CLIENT_LOGOUT)
		return;
	if (c->cmd && !c->cmd->wants_input)
		idle = 0; /* it waits for us, not we for it */
	if (idle < limit) {
		loop_timer_set(c->timer, limit - idle);
		return;
	}
	c->ended = "TIMEOUT";
	say_bye(c, "Disconnected for inactivity.");
}

static void greet(struct client *c, const struct client_start *s)
{
	struct buf *out = conn_out(c->conn);

	if (s->preauth) {
		buf_puts(out, "* PREAUTH [CAPABILITY ");
		client_capability(c, out);
		buf_puts(out, "] Ready.\r\n");
		return;
	}
	buf_str_put(out, s->tag);
	buf_puts(out, " OK [CAPABILITY ");
	client_capability(c, out);
	buf_puts(out, "] ");
	buf_str_put(out, s->verb);
	buf_puts(out, " Ok.\r\n");
}

struct client *client_new(struct imapd *im, const struct client_start *s)
{
	const struct settings *set = im->set;
	struct client *c = xcalloc(1, sizeof *c);
	struct conn_opts opts = {.in_max = set->imap_pipeline_max,
				 .out_high = set->imap_out_max,
				 .out_low = set->imap_out_max / 4,
				 .stuck_ms = set->imap_stuck_timeout * 1000};

	c->im = im;
	c->id = s->conn;
	c->user = str_dup(s->user);
	c->session = str_dup(s->facts->session);
	c->rip = str_dup(s->facts->rip);
	c->rport = s->facts->rport;
	c->tls = s->facts->tls;
	c->since_ms = clock_ms();
	c->input_ms = loop_now(im->loop);
	c->conn = conn_new(im->loop, s->in_fd, s->out_fd, &opts, &conn_ops, c);
	c->turn = loop_defer_new(im->loop, turn, c);
	c->timer = loop_timer_new(im->loop, on_timer, c);
	loop_timer_set(c->timer, set->imap_timeout * 1000);
	c->debug = debuglog_new(im->jobs, set, im->maildir_fd, c->session);
	list_append(&im->clients, &c->link);
	im->nclients++;
	log_begin(c, s->facts->tls_info);
	greet(c, s);
	conn_unread(c->conn, s->unread);
	store_purge(im->store);
	return c;
}
