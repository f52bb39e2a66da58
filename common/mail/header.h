/* SPDX-License-Identifier: Apache-2.0 */
/*
 * header: the fields of a raw header block (RFC 5322 2.2), with LF or CRLF, cut anywhere. A line
 * that is neither a field nor a continuation (no colon) is part of no field: it is passed on by
 * header_fields_put's NOT form and skipped elsewhere.
 */
#pragma once
#include "common/base/arena.h"
#include "common/base/buf.h"

struct header_field {
	struct str name;  /* without blanks before the colon; empty for a line without colon */
	struct str value; /* raw, behind the colon to before the last line end; still folded */
	struct str raw;	  /* the whole field with its line ends */
};
/* The next field; *rest moves behind it. False at the blank line (which is skipped) or the end. */
bool header_next(struct str *rest, struct header_field *f);
/* Line ends that fold are taken out (the blanks after them stay), blanks around are trimmed. In
 * the arena only where something had to be taken out. */
struct str header_unfold(struct arena *a, struct str value);
/* Raw value of the first field of that name; false where there is none. */
bool header_find(struct str header, struct str name, struct str *value);

/*
 * BODY[HEADER.FIELDS (names)], or .NOT with invert: the fields in the order of the message, lines
 * ending in CRLF, NULs as 0x80 (see wirestr.h), and the blank line that ends them. Time is
 * header size + number of names (hashed).
 */
void header_fields_put(struct buf *out, struct str header, const struct str *names, size_t n,
		       bool invert);

/* RFC 2047 encoded words (and what else is in the value, folded or not) to UTF-8; bytes that are
 * no valid text become U+FFFD. An unknown charset's word is passed on as it is. */
void header_decode_words(struct buf *out, struct str value);
