/* SPDX-License-Identifier: Apache-2.0 */
/* hex: bytes as pairs of hexadecimal digits. */
#pragma once
#include "common/base/buf.h"

void hex_encode(struct buf *out, struct str in); /* lower case */
/* Appends the decoded bytes; -1 (out unchanged) where in is not pairs of digits, of either case. */
int hex_decode(struct buf *out, struct str in);
