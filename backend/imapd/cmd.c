/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/imapd/cmd.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include "backend/imapd/box/view.h"
#include "backend/imapd/cmdrun.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/imap/parser.h"
#include "common/imap/reply.h"

/* ---- results ---------------------------------------------------------------------------------- */

__attribute__((format(printf, 3, 0))) static enum cmd_next
reply(struct cmd *cmd, const char *status, const char *fmt, va_list ap)
{
	char text[1024];
	int n = snprintf(text, sizeof text, "%s ", status);

	vsnprintf(text + n, sizeof text - (size_t)n, fmt, ap);
	for (char *p = text; *p; p++) {
		if (*p < ' ' || *p > '~')
			*p = '?'; /* names come from clients */
	}
	cmd->reply = arena_cstr(&cmd->arena, str_c(text));
	return CMD_DONE;
}

enum cmd_next cmd_ok(struct cmd *cmd, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	reply(cmd, "OK", fmt, ap);
	va_end(ap);
	return CMD_DONE;
}

enum cmd_next cmd_ok_long(struct cmd *cmd, struct str text)
{
	cmd->reply = arena_printf(&cmd->arena, "OK %.*s", STR_ARG(text));
	return CMD_DONE;
}

enum cmd_next cmd_no_long(struct cmd *cmd, struct str text)
{
	cmd->reply = arena_printf(&cmd->arena, "NO %.*s", STR_ARG(text));
	return CMD_DONE;
}

enum cmd_next cmd_no(struct cmd *cmd, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	reply(cmd, "NO", fmt, ap);
	va_end(ap);
	return CMD_DONE;
}

enum cmd_next cmd_bad(struct cmd *cmd, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	reply(cmd, "BAD", fmt, ap);
	va_end(ap);
	cmd->bad = true;
	return CMD_DONE;
}

/* One place for what the store's faults are to the client. */
static const struct {
	const char *code, *text, *log;
	enum log_level level;
} faults[STORE_CODE_N] = {
	[STORE_OK] = {"", "", "ok", L_DEBUG},
	[STORE_NONEXISTENT] = {"[NONEXISTENT]", "No such mailbox", "nonexistent", L_DEBUG},
	[STORE_EXISTS] = {"[ALREADYEXISTS]", "Mailbox exists already", "exists", L_DEBUG},
	[STORE_BADNAME] = {"[CANNOT]", "Not a mailbox name that is possible here", "badname",
			   L_DEBUG},
	[STORE_NOPERM] = {"[NOPERM]", "Permission denied", "noperm", L_WARN},
	[STORE_OVERQUOTA] = {"[OVERQUOTA]", "No room for that", "overquota", L_WARN},
	[STORE_TOOBIG] = {"[TOOBIG]", "Message is too big", "toobig", L_INFO},
	[STORE_LIMIT] = {"[LIMIT]", "A limit is reached", "limit", L_WARN},
	[STORE_EXPUNGED] = {"[EXPUNGEISSUED]", "Some of the messages are gone", "expunged",
			    L_DEBUG},
	[STORE_HASCHILDREN] = {"[HASCHILDREN]", "Mailbox has children", "haschildren", L_DEBUG},
	[STORE_INUSE] = {"[INUSE]", "Mailbox is locked, try again", "inuse", L_WARN},
	[STORE_UNAVAILABLE] = {"[UNAVAILABLE]", "Storage fault, try again later", "unavailable",
			       L_ERROR},
};

enum cmd_next cmd_fault(struct cmd *cmd, const struct store_result *r)
{
	ASSERT(r->code != STORE_OK && r->code < STORE_CODE_N);
	if (cmd->c)
		LOG(faults[r->code].level, "command-failed", L_C("user", cmd->c->user),
		    L_C("session", cmd->c->session), L_C("command", cmd->row->name),
		    L_C("code", faults[r->code].log), L_C("cause", r->err.text));
	return cmd_no(cmd, "%s %s", faults[r->code].code, faults[r->code].text);
}

enum cmd_next cmd_result(struct cmd *cmd, const char *ok)
{
	return cmd->result.code == STORE_OK ? cmd_ok(cmd, "%s", ok) : cmd_fault(cmd, &cmd->result);
}

/* ---- going on --------------------------------------------------------------------------------- */

enum cmd_next cmd_then(struct cmd *cmd, cmd_run_fn *run, enum cmd_next next)
{
	cmd->run = run;
	return next;
}

void cmd_wait(struct cmd *cmd)
{
	cmd->waits++;
}

bool cmd_back(struct cmd *cmd)
{
	ASSERT(cmd->waits > 0);
	cmd->waits--;
	if (cmd->c)
		return true;
	if (cmd->waits == 0)
		cmd_free(cmd);
	return false;
}

void cmd_wake(struct cmd *cmd)
{
	if (cmd->in_run)
		cmd->woken = true;
	else if (cmd->c && cmd->next == CMD_WAIT)
		cmd_step(cmd);
}

void cmd_stored(void *ctx, const struct store_result *r)
{
	struct cmd *cmd = ctx;

	if (!cmd_back(cmd))
		return;
	cmd->result = *r;
	cmd_wake(cmd);
}

static void job_run(struct job *job)
{
	struct cmd_job *j = container_of(job, struct cmd_job, job);

	j->work(j->cmd);
}

static void job_done(struct job *job)
{
	struct cmd *cmd = container_of(job, struct cmd_job, job)->cmd;

	if (cmd_back(cmd))
		cmd_wake(cmd);
}

enum cmd_next cmd_submit(struct cmd *cmd, struct cmd_job *j, void (*work)(struct cmd *cmd),
			 cmd_run_fn *then)
{
	*j = (struct cmd_job){.job = {.run = job_run, .done = job_done}, .cmd = cmd, .work = work};
	cmd_wait(cmd);
	jobs_submit(cmd->im->jobs, &j->job);
	return cmd_then(cmd, then, CMD_WAIT);
}

bool cmd_full(const struct cmd *cmd)
{
	return conn_full(cmd->c->conn);
}

bool cmd_tired(struct cmd *cmd)
{
	return clock_us() - cmd->slice_us > CMD_SLICE_US;
}

struct buf *cmd_out(struct cmd *cmd)
{
	return conn_out(cmd->c->conn);
}

/* ---- running ---------------------------------------------------------------------------------- */

/* What is pending is told, then the command gets its answer. */
static enum cmd_next finish(struct cmd *cmd)
{
	bool expunge = !cmd->numbers && (cmd->uid || !(cmd->row->flags & CMD_NO_EXPUNGE));

	if (cmd->c->view && !cmd->bad) {
		if (!view_tell(cmd->c->view, expunge))
			return CMD_FULL;
		view_tell_highest(cmd->c->view);
	}
	struct buf *out = cmd_out(cmd);

	buf_str_put(out, cmd->tag);
	buf_putc(out, ' ');
	buf_puts(out, cmd->reply);
	buf_puts(out, "\r\n");
	return CMD_DONE;
}

struct cmd *cmd_new(struct client *c, const struct cmd_row *row, struct str tag)
{
	struct cmd *cmd = xcalloc(1, sizeof *cmd + tag.n);
	char *copy = (char *)(cmd + 1);

	memcpy(copy, tag.p, tag.n);
	*cmd = (struct cmd){.c = c, .im = c->im, .row = row, .arena = ARENA_INIT, .view = c->view};
	cmd->tag = str_mem(copy, tag.n);
	cmd->run = row->start;
	return cmd;
}

void cmd_free(struct cmd *cmd)
{
	if (cmd->on_free)
		cmd->on_free(cmd);
	if (cmd->orphan_view)
		view_close(&cmd->view);
	if (cmd->parser) {
		imap_parser_deinit(cmd->parser);
		free(cmd->parser);
	}
	arena_deinit(&cmd->arena);
	free(cmd);
}

/* The client's own memory that requests under way may still look at becomes the command's. */
void cmd_orphan(struct cmd *cmd)
{
	struct client *c = cmd->c;

	cmd->c = NULL;
	if (c->cmd == cmd)
		c->cmd = NULL;
	if (cmd->waits == 0) {
		cmd_free(cmd);
		return;
	}
	if (!cmd->refused) {
		cmd->parser = c->parser;
		c->parser = NULL;
	}
}

static void end(struct cmd *cmd)
{
	struct client *c = cmd->c;
	bool bad = cmd->bad;

	if (c->parser && !cmd->refused && cmd->waits == 0)
		imap_parser_done(c->parser);
	cmd_orphan(cmd);
	client_ended(c, bad);
}

void cmd_step(struct cmd *cmd)
{
	for (;;) {
		cmd->slice_us = clock_us();
		cmd->in_run = true;
		cmd->woken = false;
		cmd->next = cmd->run(cmd);
		cmd->in_run = false;
		switch (cmd->next) {
		case CMD_WAIT:
			if (!cmd->woken)
				return;
			break;
		case CMD_YIELD:
			loop_defer_set(cmd->c->turn);
			return;
		case CMD_FULL:
			if (conn_full(cmd->c->conn))
				return;
			break;
		case CMD_DONE:
			if (cmd->finishing) {
				end(cmd);
				return;
			}
			cmd->finishing = true;
			cmd->run = finish;
			break;
		}
	}
}
