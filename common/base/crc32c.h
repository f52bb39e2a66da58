/* SPDX-License-Identifier: Apache-2.0 */
/* crc32c: Castagnoli CRC (as in iSCSI, RFC 3720), SSE4.2 where the CPU has it. */
#pragma once
#include <stddef.h>
#include <stdint.h>

uint32_t crc32c(uint32_t crc, const void *p, size_t n); /* start with 0; may be chained */
