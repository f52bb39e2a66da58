/* SPDX-License-Identifier: Apache-2.0 */
/*
 * NOOP and CHECK: the client asks for news, so the folder is looked at first. A volume that stalls
 * must not stall those who merely ask (P6): after SYNC_WAIT_MS the answer goes out without, and what
 * the look finds is told later; while looks are slow, nobody waits for one that long again.
 */
#include "backend/imapd/box/view.h"
#include "backend/imapd/cmd/commands.h"
#include "common/base/clock.h"
#include "common/imap/args.h"

#define SYNC_WAIT_MS 500
#define SYNC_WAIT_SLOW_MS 10
#define SLOW_FOR_MS 60000

static uint64_t slow_until;

struct noop {
	struct cmd *cmd;
	struct loop_timer *timer;
	bool synced, late;
};

static void on_free(struct cmd *cmd)
{
	loop_timer_free(&((struct noop *)cmd->state)->timer);
}

static void on_synced(void *ctx, const struct store_result *r)
{
	struct noop *n = ctx;

	if (!cmd_back(n->cmd))
		return;
	n->synced = true;
	n->cmd->result = *r;
	cmd_wake(n->cmd);
}

static void on_late(void *ctx)
{
	struct noop *n = ctx;

	slow_until = clock_ms() + SLOW_FOR_MS;
	n->late = true;
	if (n->cmd->c)
		cmd_wake(n->cmd);
}

static enum cmd_next answer(struct cmd *cmd)
{
	struct noop *n = cmd->state;

	if (!n->synced && !n->late)
		return CMD_WAIT;
	loop_timer_stop(n->timer);
	if (n->synced && cmd->result.code != STORE_OK)
		return cmd_fault(cmd, &cmd->result);
	return cmd_ok(cmd, "%s completed", cmd->row->name);
}

enum cmd_next noop_start(struct cmd *cmd)
{
	struct noop *n;

	if (!imap_arg_end(cmd->args))
		return cmd_bad(cmd, "%s takes no arguments", cmd->row->name);
	if (!cmd->view)
		return cmd_ok(cmd, "%s completed", cmd->row->name);
	n = cmd->state = arena_new(&cmd->arena, struct noop);
	n->cmd = cmd;
	n->timer = loop_timer_new(cmd->im->loop, on_late, n);
	cmd->on_free = on_free;
	loop_timer_set(n->timer, clock_ms() < slow_until ? SYNC_WAIT_SLOW_MS : SYNC_WAIT_MS);
	cmd_wait(cmd);
	folder_sync(view_folder(cmd->view), on_synced, n);
	return cmd_then(cmd, answer, CMD_WAIT);
}

enum cmd_next check_start(struct cmd *cmd)
{
	return noop_start(cmd);
}
