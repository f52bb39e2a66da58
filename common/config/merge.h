/* SPDX-License-Identifier: Apache-2.0 */
/*
 * merge: an edited posthouse.conf after an update (FEATURES.md R41). Every line stays as it is and where it
 * is, but for a setting that is gone, which becomes a comment. Settings that the file doesn't mention, set or as
 * #NAME=, are added as comments with their defaults, each behind the one before it in the table. A file that
 * was merged doesn't change again.
 */
#pragma once
#include "common/base/buf.h"

struct merge_counts {
	unsigned kept; /* set in the file */
	unsigned added, gone;
};
void merge_settings(struct str old, struct buf *out, struct merge_counts *n);
