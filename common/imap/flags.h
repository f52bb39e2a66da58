/* SPDX-License-Identifier: Apache-2.0 */
/* flags: system flags as bits and keywords as names (RFC 3501 2.3.2). */
#pragma once
#include "common/imap/args.h"

enum imap_flag { /* the same bits as the store's MSG_* */
		 IMAP_FLAG_SEEN = 1,
		 IMAP_FLAG_ANSWERED = 2,
		 IMAP_FLAG_FLAGGED = 4,
		 IMAP_FLAG_DELETED = 8,
		 IMAP_FLAG_DRAFT = 16,
		 IMAP_FLAG_ALL = 31,
		 IMAP_FLAG_RECENT = 32 /* never set by clients, never stored */
};

struct imap_flag_list {
	unsigned flags;		    /* IMAP_FLAG_*, without RECENT */
	const struct str *keywords; /* without doubles (case ignored), in the command's arena */
	size_t nkeywords;
};
enum imap_flags_result {
	IMAP_FLAGS_OK,
	IMAP_FLAGS_BAD,	  /* not the grammar, an unknown \Flag, \Recent, \* : BAD */
	IMAP_FLAGS_LIMIT, /* a keyword longer than keyword_len, or more than max_keywords: NO
			     [LIMIT] */
	IMAP_FLAGS_RESULT_N
};
/* A parenthesised flag list, or (STORE allows it) flags to the end of the arguments. */
enum imap_flags_result imap_flags_take(const struct imap_arg **a, struct arena *arena,
				       size_t max_keywords, size_t keyword_len,
				       struct imap_flag_list *out);
/* "\Answered \Seen" and then "$Label1 kw", without parentheses; first: nothing was put before it, else a space
 * comes first. Returns whether still nothing was put. */
bool imap_flags_put(struct buf *out, unsigned flags, bool first);
bool imap_keyword_put(struct buf *out, struct str keyword, bool first);
