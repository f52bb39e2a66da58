/* SPDX-License-Identifier: Apache-2.0 */
/* tree: the parser's arguments while they are being built; used by the parser alone. */
#pragma once
#include "common/imap/parser.h"

/* Appends at the open level, s copied. NULL: there are limits.args of them. */
struct imap_arg *imap_tree_add(struct imap_parser *p, enum imap_arg_type type, struct str s);
/* NULL, or why it can't be. */
const char *imap_tree_open(struct imap_parser *p);
const char *imap_tree_close(struct imap_parser *p);
/* The last argument is the list in "BODY[HEADER.FIELDS (A B)", which awaits its "]". */
bool imap_tree_awaits_bracket(const struct imap_parser *p);
/* Overwrites all strings. */
void imap_tree_wipe(struct imap_arg *a);
