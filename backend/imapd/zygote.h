/* SPDX-License-Identifier: Apache-2.0 */
/*
 * zygote: exec'd once without any secret, it forks the pool. Its children begin in assign.c.
 */
#pragma once
#include "common/config/settings.h"

/* Forks as the master says (ipc/spawn.h) until the master's link closes. */
_Noreturn void zygote_run(const struct settings *set);
