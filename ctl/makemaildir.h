/* SPDX-License-Identifier: Apache-2.0 */
/* makemaildir: the directories of a Maildir or folder. */
#pragma once
#include <stdbool.h>
#include <sys/types.h>
#include "common/base/err.h"

/* Makes at/name with tmp, new and cur in it, and as a folder its file maildirfolder; durable. */
int makemaildir_at(int at, const char *name, bool folder, mode_t mode, struct err *e);
/* Makes the Maildir, by who owns the directory around it. */
int makemaildir(const char *path, mode_t mode, struct err *e);
/* Makes it, and the directories above, where they are missing. */
int makemaildir_deep(const char *path, mode_t mode, struct err *e);
