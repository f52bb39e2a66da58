/* SPDX-License-Identifier: Apache-2.0 */
/* rand: bytes from getrandom(2). */
#pragma once
#include <stddef.h>
#include <stdint.h>

void rand_bytes(void *p, size_t n);
uint64_t rand_u64(void);
