/* SPDX-License-Identifier: Apache-2.0 */
/* clock: one unit everywhere: milliseconds. */
#pragma once
#include <stdint.h>

uint64_t clock_ms(void);      /* monotonic (CLOCK_BOOTTIME) */
uint64_t clock_us(void);      /* monotonic, microseconds, for measuring */
int64_t clock_wall_s(void);   /* seconds since 1970 */
int64_t clock_wall_ms(void);
