/* SPDX-License-Identifier: Apache-2.0 */
/* cmdrun: the side of commands that the client drives. See cmd.h. */
#pragma once
#include "backend/imapd/cmd.h"

struct cmd *cmd_new(struct client *c, const struct cmd_row *row, struct str tag);
/* Calls run until it waits for something; the command may be freed afterwards. */
void cmd_step(struct cmd *cmd);
/* The client goes (or the command has ended): it is freed, at the latest by its last completion. */
void cmd_orphan(struct cmd *cmd);
void cmd_free(struct cmd *cmd);
/* client.c: a command has ended; c->cmd is NULL. */
void client_ended(struct client *c, bool bad);
