/* SPDX-License-Identifier: Apache-2.0 */
/*
 * assign: a pool child becomes one store's imapd: the user's ids, an allow-list of descriptors,
 * Landlock on the Maildir alone (DESIGN.md P8).
 */
#pragma once
#include <stdbool.h>
#include "common/base/err.h"
#include "common/config/settings.h"

/* Waits for SESSION_ASSIGN on fd, then serves. gconv_fd: see assign_open_gconv; -1 is fine. */
_Noreturn void assign_wait(int fd, int gconv_fd, const struct settings *set);

/* The directory from which iconv loads its converters, or -1. */
int assign_open_gconv(void);
/* Landlock: read and write below the Maildir, read converters, nothing else. Where the kernel has no
 * Landlock: -1 if SANDBOX=on and the uid owns several stores (shared_uid), else a warning. */
int assign_sandbox(const struct settings *set, int maildir_fd, int gconv_fd, bool shared_uid, struct err *e);
