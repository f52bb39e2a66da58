/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mutf7: modified UTF-7 of mailbox names, RFC 3501 5.1.3. Both ways are strict, so that one name
 * has one spelling: mutf7_encode(mutf7_decode(x)) == x (B41).
 */
#pragma once
#include "common/base/buf.h"

/* Appends UTF-8. False (out as before): 8-bit or control characters, broken or non-zero padding, an
 * encoded printable ASCII or NUL, a lone surrogate, two encoded runs in a row. */
bool mutf7_decode(struct buf *out, struct str in);
/* Appends modified UTF-7. False (out as before): invalid UTF-8 or NUL. */
bool mutf7_encode(struct buf *out, struct str in);
