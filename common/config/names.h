/* SPDX-License-Identifier: Apache-2.0 */
/*
 * names: setting names of Courier's files that are not in our table, each with what it was and what
 * takes its place, and spelling help. A name that is in the table is looked for there first.
 */
#pragma once
#include "common/base/str.h"

enum names_kind {
	NAMES_DEAD,    /* nothing here needs it: warn */
	NAMES_LATER,   /* not there yet: warn */
	NAMES_REFUSED, /* going on without it would do harm: an error */
	NAMES_SLIP,    /* a known misspelling: an error that names the right one */
};
struct names_row {
	const char *name;
	enum names_kind kind;
	const char *fine; /* values (a|b) that ask for what is done anyway: nothing is said; empty always is */
	const char *text; /* what it was, what takes its place */
};
/* NULL: not a name of Courier's. */
const struct names_row *names_find(struct str name);
bool names_fine(const struct names_row *r, struct str value);
/* Edit distance of two names; limit: larger results may be reported as limit + 1. */
size_t names_distance(struct str a, struct str b, size_t limit);
