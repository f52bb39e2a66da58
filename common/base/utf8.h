/* SPDX-License-Identifier: Apache-2.0 */
/* utf8: RFC 3629 validation and code point steps. */
#pragma once
#include "common/base/buf.h"

bool utf8_valid(struct str s); /* shortest form, no surrogates, up to U+10FFFF; NUL is valid here */
/* Decodes the code point at s[*i], moves *i behind it. False (and *i + 1) on a bad sequence. */
bool utf8_next(struct str s, size_t *i, uint32_t *cp);
void utf8_put(struct buf *b, uint32_t cp);
