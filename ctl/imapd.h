/* SPDX-License-Identifier: Apache-2.0 */
/* imapd: what a verb has the imapd beside us do, as the Maildir's owner. */
#pragma once
#include "ctl/ctl.h"

/* Becomes imapd, with the settings of c, and what and its arguments behind them. user: for its log; NULL: the
 * Maildir's owner. Returns only where it can't, an exit status: it was said. */
int imapd_exec(const struct ctl *c, const char *what, const char *const *args, const char *user);
