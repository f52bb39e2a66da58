/* SPDX-License-Identifier: Apache-2.0 */
/*
 * listmatch: LIST and LSUB patterns. '*' matches anything, '%' anything but the separator. Time is
 * at most pattern times name (B39); nothing is compiled to a regular expression.
 */
#pragma once
#include "common/base/buf.h"

enum imap_listmatch {
	IMAP_LISTMATCH_NO,
	IMAP_LISTMATCH_YES,	 /* the name itself */
	IMAP_LISTMATCH_CHILDREN, /* not the name, but a child of it could: look below ("a" for
				    "a.%") */
	IMAP_LISTMATCH_PARENT, /* not the name, but a parent of it does ("a.b" for "%": list "a") */
	IMAP_LISTMATCH_N
};

struct imap_pattern {
	struct buf text; /* canonical: INBOX in upper case, runs of wildcards as one */
	char sep;
};
/* reference and pattern as LIST gives them, joined. False: longer than IMAP_MAILBOX_MAX. */
bool imap_pattern_init(struct imap_pattern *p, struct str reference, struct str pattern, char sep);
void imap_pattern_deinit(struct imap_pattern *p);
/* name: a mailbox name, INBOX in upper case. INBOX is matched without regard to case. Where more
 * than one answer holds, YES wins, then PARENT, then CHILDREN. */
enum imap_listmatch imap_pattern_match(const struct imap_pattern *p, struct str name);
/* The longest proper parent of name that the pattern matches, or the empty slice. For PARENT and
 * for YES. */
struct str imap_pattern_parent(const struct imap_pattern *p, struct str name);
