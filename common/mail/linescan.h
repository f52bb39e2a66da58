/* SPDX-License-Identifier: Apache-2.0 */
/* linescan: counting line ends and finding line starts, 16 bytes a step where SSE2 is there. */
#pragma once
#include <stdint.h>
#include "common/base/str.h"

struct linescan {
	uint64_t lf;   /* LFs in the bytes */
	uint64_t bare; /* those without a CR before them */
};
/* Adds to *c; cr says whether the byte before the first one was a CR. */
void linescan_count(struct linescan *c, struct str s, bool cr);
/* Copies s to o, which has room for 2 * s.n, with a CR before each bare LF. Returns the bytes made. */
size_t linescan_crlf(char *o, struct str s, bool cr);
/* Index of the first '-' behind an LF (the byte before s is looked at by the caller), or s.n. */
size_t linescan_dash(struct str s);
