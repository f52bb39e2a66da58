/* SPDX-License-Identifier: Apache-2.0 */
/* base64: RFC 4648 section 4, strict when decoding (alphabet, padding, zero pad bits). */
#pragma once
#include "common/base/buf.h"

void base64_encode(struct buf *out, struct str in);
/* Appends the decoded bytes; -1 (out unchanged) where in is not valid base64. */
int base64_decode(struct buf *out, struct str in);

/* For its relatives: the letter of each value, and the value of a letter (-1: none). */
extern const char base64_letters[64 + 1];
int base64_value(char c);
