/* SPDX-License-Identifier: Apache-2.0 */
/* maildirnames: the form of folder names on disk (X13), looked at and changed for a whole Maildir. */
#pragma once
#include "common/config/settings.h"

/* Whether a new folder's name is to be modified UTF-7: by MAILDIR_NAMES, or by the names that are there. */
bool maildirnames_mutf7(const struct settings *set, int maildir_fd);
/* --checkutf8, --convutf8, --convutf7; the exit status. */
int maildirnames_run(const char *option, const char *maildir);
