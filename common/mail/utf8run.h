/* SPDX-License-Identifier: Apache-2.0 */
/* utf8run: UTF-8 in chunks, for charset and needle. */
#pragma once
#include "common/base/buf.h"

#define UTF8_BAD "\xef\xbf\xbd" /* U+FFFD */

/* How many bytes s begins with that are ASCII. */
size_t utf8run_ascii(struct str s);
/* The same, and appends them to out in lower case. */
size_t utf8run_ascii_lower(struct str s, struct buf *out);
/* How many bytes at the end (0 to 3) may be the beginning of a character that goes on. */
size_t utf8run_unfinished(struct str s);
/* Completes the character in part (npart bytes) from *chunk. True when part holds a whole character
 * or a bad one (then npart may be less than what its first byte promised); false: needs more. */
bool utf8run_complete(char part[4], unsigned *npart, struct str *chunk);
