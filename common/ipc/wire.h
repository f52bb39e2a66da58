/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wire: explicit little-endian encoding of messages and disk records, with a bounds-checked,
 * sticky-error reader: read ten fields, test once. Left-over bytes are an error (wire_end).
 */
#pragma once
#include "common/base/buf.h"

/* Writing appends to a buf. */
void wire_u8(struct buf *b, uint8_t v);
void wire_u16(struct buf *b, uint16_t v);
void wire_u32(struct buf *b, uint32_t v);
void wire_u64(struct buf *b, uint64_t v);
void wire_i64(struct buf *b, int64_t v);
void wire_str(struct buf *b, struct str s);		      /* u32 length, bytes */
void wire_count(struct buf *b, const char *name, uint64_t v); /* str, u64 */

struct wire {
	const uint8_t *p;
	size_t n;
	bool bad;
};
static inline struct wire wire_reader(struct str s)
{
	return (struct wire){(const uint8_t *)s.p, s.n, false};
}
uint8_t wire_get_u8(struct wire *w); /* 0 after any fault, as for all getters */
uint16_t wire_get_u16(struct wire *w);
uint32_t wire_get_u32(struct wire *w);
uint64_t wire_get_u64(struct wire *w);
int64_t wire_get_i64(struct wire *w);
struct str wire_get_str(struct wire *w, size_t max); /* borrowed; longer than max is a fault */
bool wire_get_bool(struct wire *w);		     /* a byte that must be 0 or 1 */
bool wire_end(const struct wire *w);		     /* true: no fault and nothing left over */
