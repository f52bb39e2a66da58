/* SPDX-License-Identifier: Apache-2.0 */
/* maildirsum: what a Maildir holds, as its maildirsize says (R139): without Trash, and what is marked for it. */
#pragma once
#include "common/base/err.h"
#include "common/base/str.h"

/* Sets the quota: counts, and writes maildirsize anew. */
int maildirsum_write(int maildir_fd, struct str quota, struct err *e);
