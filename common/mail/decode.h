/* SPDX-License-Identifier: Apache-2.0 */
/*
 * decode: content-transfer-encodings (RFC 2045 6) in chunks, as tolerant as mail readers are:
 * bytes outside of the alphabet are skipped in base64, a broken escape in quoted-printable stays
 * as it is. Output never exceeds input plus a few bytes.
 */
#pragma once
#include "common/base/buf.h"

enum decode_kind {
	DECODE_IDENTITY, /* 7bit, 8bit, binary, and none */
	DECODE_BASE64,
	DECODE_QP,
	DECODE_UNKNOWN, /* can't be decoded: treat as opaque bytes */
};
/* By the bare token of Content-Transfer-Encoding. */
enum decode_kind decode_kind(struct str encoding);

struct decoder {
	enum decode_kind kind;
	uint32_t bits; /* base64: collected bits */
	unsigned nbits;
	char held[64]; /* quoted-printable: an escape or blanks that may end a line */
	size_t nheld;
};
void decode_init(struct decoder *d, enum decode_kind kind);
void decode_push(struct decoder *d, struct str chunk, struct buf *out);
void decode_end(struct decoder *d, struct buf *out);
/* The "Q" encoding of RFC 2047: '_' is a blank. */
void decode_q_word(struct str in, struct buf *out);
