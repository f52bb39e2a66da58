/* SPDX-License-Identifier: Apache-2.0 */
/* names: setting names of Courier's files that have no effect here, and spelling help. */
#pragma once
#include "common/base/str.h"

enum names_kind {
	NAMES_UNKNOWN,
	NAMES_DEAD,  /* nothing here needs it: warn */
	NAMES_LATER, /* not implemented yet: warn */
	NAMES_SLIP,  /* a known misspelling: an error that names the right one */
};
/* For a name that is not in the settings table. */
enum names_kind names_classify(struct str name);
/* Edit distance of two names; limit: larger results may be reported as limit + 1. */
size_t names_distance(struct str a, struct str b, size_t limit);
