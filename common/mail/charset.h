/* SPDX-License-Identifier: Apache-2.0 */
/*
 * charset: any charset to UTF-8 in chunks. US-ASCII, UTF-8, ISO-8859-1 and WINDOWS-1252 are
 * converted here, the rest by iconv, whose modules glibc loads from its gconv directory: a sandbox
 * must leave that directory readable (CHARSET_GCONV_DIR) or call charset_preload() before.
 */
#pragma once
#include "common/base/buf.h"

#define CHARSET_NAME_MAX  64
#define CHARSET_GCONV_DIR "/usr/lib/x86_64-linux-gnu/gconv"


/* Opens the common converters once and keeps them for the life of the process; returns how many
 * could be opened. Not thread-safe: call it before threads and sandbox. */
int charset_preload(void);

struct charset; /* a conversion under way */
/* NULL where the charset is unknown (or its name not valid). The caller frees it. */
struct charset *charset_new(struct str name);
void charset_free(struct charset **c);
/* US-ASCII or UTF-8: such text may go to needle_push() or charset_fold() as it is. */
bool charset_is_utf8(const struct charset *c);
/* Output is always valid UTF-8: what can't be converted becomes U+FFFD, one per bad byte. */
void charset_push(struct charset *c, struct str chunk, struct buf *out);
void charset_end(struct charset *c, struct buf *out); /* an unfinished sequence at the end */

/*
 * For comparing: case folded and compatibility-decomposed (utf8proc CASEFOLD | COMPAT |
 * DECOMPOSE), code point by code point, which is close to i;unicode-casemap (RFC 5051). Accents
 * count: "e" doesn't find an e with acute, while both ways of writing the latter find each other.
 * Bad UTF-8 becomes U+FFFD.
 */
void charset_fold(struct buf *out, struct str utf8);
