/* SPDX-License-Identifier: Apache-2.0 */
/*
 * expect: which events a process will cause itself, so that it need not verify them. Bounded in
 * number and in time; forgetting one costs a look at the disk and nothing else.
 */
#pragma once
#include "common/base/str.h"

#define EXPECT_MS 5000    /* an entry lives this long at least, twice as long at most */
#define EXPECT_MAX 65536  /* entries of EXPECT_MS; more are not noted */

struct expect;
struct expect *expect_new(void);
void expect_free(struct expect **x);
/* One event of that kind is expected (several: called several times). */
void expect_add(struct expect *x, uint64_t now_ms, uint32_t folder, uint8_t dir, uint8_t kind, struct str name);
/* True: one was expected, and now isn't any more. */
bool expect_take(struct expect *x, uint32_t folder, uint8_t dir, uint8_t kind, struct str name);
