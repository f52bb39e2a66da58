/* SPDX-License-Identifier: Apache-2.0 */
/*
 * volume: which mount a path lies on, by text alone: asking the kernel about the path itself would
 * wait for the very volume that may be stalled.
 */
#pragma once
#include "common/base/buf.h"

struct volumes;
struct volumes *volumes_new(void);
/* The longest mount point of /proc/self/mountinfo that is a prefix of path; "/" where none is. Valid
 * until the next call. now: ms; the table is read again when it is some seconds old. */
struct str volumes_of(struct volumes *v, struct str path, uint64_t now);
/* The same search over a given mountinfo text (tests). */
struct str volumes_match(struct str mountinfo, struct str path, struct buf *decoded);
