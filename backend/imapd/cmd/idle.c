/* SPDX-License-Identifier: Apache-2.0 */
/*
 * IDLE (RFC 2177). The continuation line tells the truth about how news come (X1). A look at the
 * folder follows right behind it, so that what happened before IDLE is told at once. While changes
 * don't come by themselves, the folder is looked at every IMAP_IDLE_TIMEOUT seconds.
 */
#include <stdlib.h>
#include "backend/imapd/box/view.h"
#include "backend/imapd/cmd/commands.h"
#include "common/base/log.h"
#include "common/imap/args.h"
#include "common/imap/parser.h"
#include "common/imap/reply.h"

#define DONE_LINE_MAX 1024
/* A folder that was selected just now is about to be watched: that takes a few milliseconds, and IDLE
 * waits for it so that its greeting says what the client will have. */
enum { SETTLE_STEP_MS = 3, SETTLE_MS = 500 };

struct idle {
	struct cmd *cmd;
	struct loop_timer *poll; /* there only while we poll, or wait for the watch */
	struct loop_timer *notify; /* IMAP_IDLE_NOTIFY */
	uint64_t settle_until;
	bool syncing;
};

static void on_free(struct cmd *cmd)
{
	struct idle *i = cmd->state;

	loop_timer_free(&i->poll);
	loop_timer_free(&i->notify);
	free(i);
}

/* ---- looking ---------------------------------------------------------------------------------- */

/* NULL, or what is missing for ENHANCED. */
static const char *missing(const struct cmd *cmd)
{
	const struct settings *set = cmd->im->set;

	if (!set->imap_enhancedidle)
		return "IMAP_ENHANCEDIDLE is off";
	if (!set->imap_uselocks)
		return "IMAP_USELOCKS is off";
	if (cmd->view && !folder_live(view_folder(cmd->view)))
		return "notifyd doesn't watch the folder";
	return NULL;
}

static void greet(struct cmd *cmd)
{
	const char *why = missing(cmd);

	imap_put_continue(cmd_out(cmd), why ? "entering idle mode" : "entering ENHANCED idle mode");
	if (!why || cmd->c->poll_logged)
		return;
	cmd->c->poll_logged = true;
	LOG(L_INFO, "idle-not-enhanced", L_C("user", cmd->c->user), L_C("session", cmd->c->session),
	    L_C("cause", why));
}

static void on_synced(void *ctx, const struct store_result *r)
{
	struct idle *i = ctx;
	struct cmd *cmd = i->cmd;

	if (!cmd_back(cmd))
		return;
	i->syncing = false;
	if (r->code != STORE_OK)
		LOG(L_WARN, "idle-sync-failed", L_C("user", cmd->c->user),
		    L_C("session", cmd->c->session), L_C("cause", r->err.text));
	cmd_wake(cmd);
}

static void look(struct idle *i)
{
	if (i->syncing)
		return;
	i->syncing = true;
	cmd_wait(i->cmd);
	folder_sync(view_folder(i->cmd->view), on_synced, i);
}

static void on_poll(void *ctx)
{
	struct idle *i = ctx;

	if (!i->cmd->c)
		return;
	loop_timer_set(i->poll, i->cmd->im->set->imap_idle_timeout * 1000);
	look(i);
}

/* A client that doesn't take its output needs no more of it. */
static void on_notify(void *ctx)
{
	struct idle *i = ctx;

	if (!i->cmd->c)
		return;
	if (!cmd_full(i->cmd))
		buf_puts(cmd_out(i->cmd), "* OK Still here\r\n");
	loop_timer_set(i->notify, i->cmd->im->set->imap_idle_notify * 1000);
}

/* Whether news come by themselves may change at any time; polling follows. */
static void poll_as_needed(struct idle *i)
{
	bool live = folder_live(view_folder(i->cmd->view));

	if (live) {
		loop_timer_free(&i->poll);
	} else if (!i->poll) {
		i->poll = loop_timer_new(i->cmd->im->loop, on_poll, i);
		loop_timer_set(i->poll, i->cmd->im->set->imap_idle_timeout * 1000);
	}
}

/* ---- IDLE ------------------------------------------------------------------------------------- */

static enum cmd_next leave(struct cmd *cmd)
{
	struct idle *i = cmd->state;

	cmd->wants_input = false;
	loop_timer_free(&i->poll);
	loop_timer_free(&i->notify);
	client_idle(cmd->c, false);
	if (cmd->view)
		view_push(cmd->view, false);
	return CMD_DONE;
}

/* 1: DONE, 0: nothing yet, -1: something else. */
static int take_done(struct cmd *cmd)
{
	struct conn *conn = cmd->c->conn;
	struct str line;
	size_t used;
	int r = imap_take_line(conn_in(conn), DONE_LINE_MAX, &line, &used);

	if (r > 0) {
		r = str_ieq(str_trim(line), STR("DONE")) ? 1 : -1;
		conn_consume(conn, used);
	} else if (r < 0) { /* no end of the line in sight: nothing after it can be told apart */
		client_bye(cmd->c, "Line too long.");
	}
	return r;
}

static enum cmd_next run(struct cmd *cmd)
{
	struct idle *i = cmd->state;
	int done = take_done(cmd);

	if (done > 0) {
		cmd_ok(cmd, "IDLE completed");
		return leave(cmd);
	}
	if (done < 0 || cmd->c->eof) {
		cmd_bad(cmd, "Expected DONE");
		return leave(cmd);
	}
	if (cmd->view) {
		poll_as_needed(i);
		if (!view_tell(cmd->view, true))
			return CMD_FULL;
		view_tell_highest(cmd->view);
	}
	return CMD_WAIT;
}

static enum cmd_next begin(struct cmd *cmd)
{
	struct idle *i = cmd->state;

	/* Something else woke it: settle()'s timer won't end its wait any more. */
	if (i->poll && loop_timer_active(i->poll))
		(void)cmd_back(cmd);
	loop_timer_free(&i->poll);
	greet(cmd);
	client_idle(cmd->c, true);
	if (cmd->im->set->imap_idle_notify) {
		i->notify = loop_timer_new(cmd->im->loop, on_notify, i);
		loop_timer_set(i->notify, cmd->im->set->imap_idle_notify * 1000);
	}
	if (cmd->view) {
		view_push(cmd->view, true);
		look(i);
	}
	cmd->run = run;
	return run(cmd);
}

static bool settling(const struct cmd *cmd)
{
	const struct settings *set = cmd->im->set;

	return cmd->view && set->imap_enhancedidle && set->imap_uselocks &&
	       folder_settling(view_folder(cmd->view));
}

static void settle_step(void *ctx)
{
	struct idle *i = ctx;

	if (cmd_back(i->cmd))
		cmd_wake(i->cmd);
}

static enum cmd_next settle(struct cmd *cmd)
{
	struct idle *i = cmd->state;
	uint64_t now = loop_now(cmd->im->loop);

	if (!settling(cmd) || now > i->settle_until || cmd->c->eof)
		return begin(cmd);
	if (!loop_timer_active(i->poll)) {
		cmd_wait(cmd);
		loop_timer_set(i->poll, SETTLE_STEP_MS);
	}
	return cmd_then(cmd, settle, CMD_WAIT);
}

enum cmd_next idle_start(struct cmd *cmd)
{
	struct idle *i;

	if (!imap_arg_end(cmd->args))
		return cmd_bad(cmd, "IDLE takes no arguments");
	i = cmd->state = xcalloc(1, sizeof *i); /* not a whole block of the arena for each idler */
	i->cmd = cmd;
	cmd->on_free = on_free;
	cmd->wants_input = true;
	client_drop_parser(cmd->c);
	if (!settling(cmd))
		return begin(cmd);
	i->poll = loop_timer_new(cmd->im->loop, settle_step, i);
	i->settle_until = loop_now(cmd->im->loop) + SETTLE_MS;
	return settle(cmd);
}
