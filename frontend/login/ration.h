/* SPDX-License-Identifier: Apache-2.0 */
/* ration: log lines that strangers can cause without end: some each second, the rest counted. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#define RATION_PER_SECOND 10

struct ration {
	uint64_t second;
	unsigned n; /* in that second, logged or not */
};

/* True: log it. In a later second what was not logged is said as a number: "event unlogged=N". */
bool ration_take(struct ration *r, uint64_t now_ms, const char *event);
