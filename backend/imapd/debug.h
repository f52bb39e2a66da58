/* SPDX-License-Identifier: Apache-2.0 */
/* debug: imapd -D. */
#pragma once
#include "common/config/settings.h"

/* Runs DEBUG_COMMAND and waits for it; ends the process with a line on stderr where that must not be
 * done: no command is set, or we are root. */
void debug_run(const struct settings *set);
