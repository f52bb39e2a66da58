/* SPDX-License-Identifier: Apache-2.0 */
#include "common/imap/chars.h"

#define A IMAP_CH_ARG
#define B (IMAP_CH_ARG | IMAP_CH_ATOM)
#define Q IMAP_CH_QUOTED

const unsigned char imap_chars[256] = {
	[0] = Q,
	['\r'] = Q,
	['\n'] = Q,
	['!'] = B,
	['"'] = Q,
	['#' ... '$'] = B,
	['%'] = A,
	['&' ... '\''] = B,
	['*'] = A,
	['+'] = B | IMAP_CH_PLUS,
	[',' ... '['] = B,
	['\\'] = A | Q,
	[']'] = A | IMAP_CH_BRACKET,
	['^' ... 'z'] = B,
	['|' ... '~'] = B,
};
