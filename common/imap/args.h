/* SPDX-License-Identifier: Apache-2.0 */
/*
 * args: what one argument is, by the productions of RFC 3501 section 9. Each takes the argument
 * that *a points to and, when it fits, stores it, moves *a to the next one and returns true;
 * otherwise (also when there is no further argument) nothing changes and the answer is BAD. Slices
 * live as long as the command. So a command reads:
 *
 *     const struct imap_arg *a = p->args;
 *     if (!imap_arg_mailbox(&a, &box) || !imap_arg_end(a))
 *             return bad(...);
 */
#pragma once
#include "common/imap/parser.h"

static inline bool imap_arg_end(const struct imap_arg *a)
{
	return a == NULL;
}
bool imap_arg_word(const struct imap_arg **a, const char *word); /* an atom, case ignored */
bool imap_arg_atom(const struct imap_arg **a, struct str *out); /* any atom as it stands */
bool imap_arg_astring(const struct imap_arg **a,
		      struct str *out); /* atom, quoted or literal, no NUL */
bool imap_arg_nstring(const struct imap_arg **a, struct str *out); /* NIL: out->p == NULL */
bool imap_arg_string(const struct imap_arg **a, struct str *out);  /* quoted or literal only */
/* astring of at most IMAP_MAILBOX_MAX bytes; INBOX in any case becomes "INBOX" (its children's
 * first level too). Still modified UTF-7. */
bool imap_arg_mailbox(const struct imap_arg **a, struct str *out);
/* list-mailbox: like astring, wildcards included. Not cut to a length: see IMAP_MAILBOX_MAX. */
bool imap_arg_pattern(const struct imap_arg **a, struct str *out);
bool imap_arg_number64(const struct imap_arg **a, uint64_t *out);	      /* at most 2^63 - 1 */
bool imap_arg_list(const struct imap_arg **a, const struct imap_arg **first); /* () gives NULL */
