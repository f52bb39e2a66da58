/* SPDX-License-Identifier: Apache-2.0 */
/* plan: what a FETCH asks for (RFC 3501 6.4.5), parsed once, read by the I/O threads. */
#pragma once
#include "backend/imapd/cmd.h"
#include "common/imap/section.h"

enum fetch_what {
	FETCH_ENVELOPE,
	FETCH_BODY,          /* BODY: structure without extension data */
	FETCH_BODYSTRUCTURE,
	FETCH_SECTION,       /* BODY[...], RFC822, RFC822.HEADER, RFC822.TEXT */
};

struct fetch_item {
	enum fetch_what what;
	struct str label; /* as it goes into the answer: "BODY[1]<0>" */
	struct imap_section section;
	const struct str *fields; /* names of HEADER.FIELDS */
	size_t nfields;
};

struct fetch_plan {
	bool uid, flags, internaldate, size; /* what is in memory (the size mostly) */
	bool modseq;
	bool changed;                        /* only those with a higher modseq than changed_since */
	uint64_t changed_since;
	bool vanished;                       /* VANISHED (EARLIER) comes first */
	bool seen;                           /* an item that sets \Seen */
	bool whole;                          /* needs the structure: the whole file is read */
	struct fetch_item *items;            /* what needs the file */
	size_t nitems;
};

/* Parses the arguments behind the sequence set, modifiers (RFC 4466) included. Memory in the command's arena. NULL: fine; else the
 * text for BAD. */
const char *fetch_plan_parse(struct cmd *cmd, const struct imap_arg *a, struct fetch_plan *p);
