/* SPDX-License-Identifier: Apache-2.0 */
/* chars: the character classes of RFC 3501 section 9. */
#pragma once
#include <stdbool.h>

enum {
	IMAP_CH_ARG = 1,  /* printable, but no ( ) { " and space: what ends any atom */
	IMAP_CH_ATOM = 2, /* ATOM-CHAR */
	IMAP_CH_BRACKET = 4,
	IMAP_CH_PLUS = 8,
	IMAP_CH_QUOTED = 16 /* ends a run inside of a quoted string */
};
extern const unsigned char imap_chars[256];

static inline bool imap_is(char c, unsigned classes)
{
	return imap_chars[(unsigned char)c] & classes;
}
static inline bool imap_is_arg_char(char c)
{
	return imap_is(c, IMAP_CH_ARG);
}
static inline bool imap_is_atom_char(char c)
{
	return imap_is(c, IMAP_CH_ATOM);
}
static inline bool imap_is_astring_char(char c)
{
	return imap_is(c, IMAP_CH_ATOM | IMAP_CH_BRACKET);
}
static inline bool imap_is_tag_char(char c)
{
	return imap_is_astring_char(c) && !imap_is(c, IMAP_CH_PLUS);
}
static inline bool imap_is_quoted_special(char c)
{
	return imap_is(c, IMAP_CH_QUOTED);
}
