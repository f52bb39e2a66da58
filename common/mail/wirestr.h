/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wirestr: text from a message as an IMAP string: quoted where RFC 3501's grammar allows it, else a
 * literal. A NUL, which IMAP can't carry outside of literal8, becomes the byte 0x80.
 */
#pragma once
#include "common/base/buf.h"

void wirestr_put(struct buf *out, struct str s);
void wirestr_nput(struct buf *out, struct str s); /* NIL where s.p is NULL */
