/* SPDX-License-Identifier: Apache-2.0 */
/* limits: bounds of the IMAP protocol that are not settings, each with its reason. */
#pragma once
#include <stdint.h>

enum {
	IMAP_TAG_MAX = 128, /* clients use 1 to 20 bytes; a tag is echoed in every answer (B53) */
	IMAP_NAME_MAX = 32, /* the longest command name of any RFC has 16 */
	IMAP_ARGS_PRELOGIN = 80, /* ID: 30 pairs (RFC 2971 3.3) and the list around them (B23) */
	IMAP_DEPTH_PRELOGIN = 1, /* ID's list is the only one before login (B9) */
	IMAP_DEPTH_MAX = 32,	 /* parentheses after login: SEARCH is parsed by recursion (B35) */
	IMAP_ARGS_MAX = 16384,	 /* nodes of one command: 80 bytes each, 1.3 MB */
	IMAP_LITERAL_MINUS_MAX = 4096, /* RFC 7888 section 5 */
	IMAP_SEQSET_RANGES = 16384,    /* a 64 KB line can't hold many more */
	/* RFC 2971 3.3: pairs of one ID, bytes of a field's name and of its value (B23) */
	IMAP_ID_PAIRS = 30,
	IMAP_ID_FIELD_MAX = 30,
	IMAP_ID_VALUE_MAX = 1024,

	/* MIME nests no deeper with us (B54), so no longer part path names anything */
	IMAP_SECTION_DEPTH = 100,
	/* bytes of a mailbox name as it is sent; also keeps LIST's matching short (B39, B40) */
	IMAP_MAILBOX_MAX = 1000,
	/* longer strings are sent as literals: some clients' line buffers are small */
	IMAP_QUOTED_MAX = 1000,
	IMAP_CODE_TEXT_MAX = 400 /* human text in a response line */
};
#define IMAP_LITERAL_HARD_MAX ((uint64_t)INT64_MAX) /* larger announcements can't be meant (B5) */
