/* SPDX-License-Identifier: Apache-2.0 */
/*
 * boxquota: the Maildir++ quota of a Maildir that is delivered to, in its maildirsize, which others append to
 * at the same time. A folder's is that of the Maildir around it; Trash doesn't count.
 */
#pragma once
#include <stdbool.h>
#include "common/base/err.h"
#include "common/mail/maildirsize.h"

struct boxquota {
	int root; /* the Maildir whose quota it is */
	bool counts, known;
	struct maildirsize m; /* as it was last read */
};

/* dir: the Maildir or folder. quota: to be set; NULL, empty or zero: that of the file. -1: *e. A file that can't be used is said on stderr, and
 * is no quota. */
int boxquota_open(struct boxquota *q, int dir, const char *quota, struct err *e);
/* Whether so many bytes more are too many; where that might be a mistake, it is counted first. */
bool boxquota_full(struct boxquota *q, int64_t bytes);
/* A message of so many bytes is there. */
void boxquota_add(struct boxquota *q, int64_t bytes);
/* How full it is in percent, by bytes or messages, whichever is more. */
int boxquota_percent(const struct boxquota *q);
void boxquota_close(struct boxquota *q);
