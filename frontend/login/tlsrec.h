/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tlsrec: where TLS records begin and end (RFC 8446 5.1). OpenSSL is given whole records only, so
 * that what it was not given yet is ours to hand over (DESIGN.md P2). Pure.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TLSREC_HEADER 5
#define TLSREC_MAX (TLSREC_HEADER + 16384 + 2048) /* RFC 5246 6.2.3; 1.3's is smaller */

/* How many of the n bytes at p are whole records. *records: how many records those are. *bad: at
 * that place lies what can't be the beginning of a record (another protocol, a length over the limit). */
size_t tlsrec_whole(const uint8_t *p, size_t n, unsigned *records, bool *bad);
