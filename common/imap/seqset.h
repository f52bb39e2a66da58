/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seqset: sequence-set of RFC 3501: message numbers or UIDs as ranges. Work is proportional to the
 * ranges, never to the numbers (B36).
 */
#pragma once
#include "common/base/buf.h"

struct imap_range {
	uint32_t lo, hi; /* inclusive */
};
struct imap_seqset {
	struct imap_range *a; /* once resolved: sorted, without overlap */
	size_t n, cap;
};
#define IMAP_SEQSET_INIT ((struct imap_seqset){NULL, 0, 0})

/* Into an empty set. False (set stays empty): not the grammar, 0, over 32 bits, more than
 * max_ranges. The set may hold '*' and is of no use before imap_seqset_resolve. */
bool imap_seqset_parse(struct imap_seqset *s, struct str text, size_t max_ranges);
bool imap_seqset_stars(const struct imap_seqset *s); /* of a parsed set: '*' is in it */
/* Of a parsed set without '*': each number is larger than the one before it. */
bool imap_seqset_ascends(const struct imap_seqset *s);
uint64_t imap_seqset_count(const struct imap_seqset *s); /* of numbers; once resolved */
/* '*' becomes max (number of messages, or highest UID in the folder); sorts and merges. With max 0
 * (an empty folder) what names '*' is dropped. Numbers over max stay: check imap_seqset_max for
 * message numbers. */
void imap_seqset_resolve(struct imap_seqset *s, uint32_t max);
uint32_t imap_seqset_max(const struct imap_seqset *s);	       /* 0 for the empty set */
bool imap_seqset_has(const struct imap_seqset *s, uint32_t n); /* binary search */

/* Building: appends, joined to the last range where it continues that. For ascending numbers the
 * set is ready as it is; otherwise the order stays as given (UIDPLUS pairs sets by order), or call
 * imap_seqset_resolve(s, 0) for membership. */
void imap_seqset_add(struct imap_seqset *s, uint32_t lo, uint32_t hi);
/* Into an empty set, from two that are resolved: what is in both; what is in a alone. */
void imap_seqset_both(struct imap_seqset *out, const struct imap_seqset *a,
		      const struct imap_seqset *b);
void imap_seqset_without(struct imap_seqset *out, const struct imap_seqset *a,
			 const struct imap_seqset *b);
void imap_seqset_put(struct buf *out, const struct imap_seqset *s); /* "1:4,7" */
void imap_seqset_deinit(struct imap_seqset *s);
