/* SPDX-License-Identifier: Apache-2.0 */
/* username: what a login name may be (B13), and paths that are made from one. */
#pragma once
#include "common/base/buf.h"

#define USERNAME_MAX 255

/* 1 to 255 bytes of UTF-8 without control characters. */
bool username_valid(struct str user);

/*
 * Expands %u (the whole name), %n (before the @), %d (behind it) and %% in pattern. False, with
 * *out empty, where the result would not be a clean absolute path: a name with / in it, a component
 * that is "." or "..", an empty %n or %d, an unknown %x.
 */
bool username_expand(struct buf *out, const char *pattern, struct str user);
