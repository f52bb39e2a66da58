/* SPDX-License-Identifier: Apache-2.0 */
/*
 * maildirsize: the text of a Maildir++ quota file (FEATURES.md R139), which maildrop, deliverquota and Courier write
 * too: the quota in the first line, then one line of signed bytes and messages for each change. Pure.
 */
#pragma once
#include "common/base/buf.h"

enum {
	MAILDIRSIZE_MAX = 5120, /* bytes: a file so long is counted anew */
	MAILDIRSIZE_AGE_S =
		900, /* so old, or of several lines, it is not believed when it says "full" */
};

struct quota_limit {
	int64_t bytes, count; /* 0: none */
};
struct maildirsize {
	struct quota_limit limit;
	int64_t bytes, count; /* in use */
	size_t lines;	      /* behind the first */
};

/* "10000000S,1000C", in any order, also without the comma; a bare number is bytes; numbers too large to hold are no limit that could be
 * reached. False: anything else. Empty: no limit. */
bool quota_limit_parse(struct str text, struct quota_limit *l);
void quota_limit_put(struct buf *out, const struct quota_limit *l);
static inline bool quota_limit_any(const struct quota_limit *l)
{
	return l->bytes || l->count;
}
/* Whether that much is more than is allowed. */
bool quota_limit_over(const struct quota_limit *l, int64_t bytes, int64_t count);

/* False: damaged (m->limit holds what the first line says, if that is whole). */
bool maildirsize_parse(struct str text, struct maildirsize *m);
void maildirsize_put_line(struct buf *out, int64_t bytes, int64_t count);
