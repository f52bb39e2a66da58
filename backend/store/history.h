/* SPDX-License-Identifier: Apache-2.0 */
/*
 * history: which UIDs were expunged at which modseq, for clients that come back (VANISHED (EARLIER), RFC 7162).
 * Its journal is the folder's: EXPUNGE records, and VANISHED records in snapshots. Bounded: beyond, the oldest
 * are forgotten, and of them only up to which modseq nothing is known.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "common/base/vec.h"

struct history_range {
	uint32_t lo, hi;
	uint64_t modseq; /* of lo; that of uid is modseq + (uid - lo) */
};
struct history {
	VEC(struct history_range)
	a;		/* in the order in which they went; no modseq below the one before */
	uint64_t floor; /* every expunge with a modseq above this is known */
};
/* Ranges that continue the last one become one with it. max: how many are kept; up to a quarter more are
 * until the oldest go. */
void history_add(struct history *h, const struct history_range *r, uint64_t max);
/* Nothing is known of what was expunged at modseqs up to this. */
void history_forget(struct history *h, uint64_t modseq);
/* Calls fn for what was expunged after since, oldest first. False (fn isn't called): that isn't known. */
typedef void history_fn(void *ctx, uint32_t lo, uint32_t hi);
bool history_since(const struct history *h, uint64_t since, history_fn *fn, void *ctx);
void history_free(struct history *h);
