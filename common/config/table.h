/* SPDX-License-Identifier: Apache-2.0 */
/* table: settings.def as rows, for settings.c (loading) and settings_text.c (what is made of it). */
#pragma once
#include "common/config/settings.h"

enum table_kind { TABLE_STR, TABLE_SECRET, TABLE_NUM, TABLE_BOOL, TABLE_ENUM };

struct table_row {
	const char *name; /* NULL: a section, whose title is in help */
	enum table_kind kind;
	size_t member; /* offset in struct settings */
	const char *text; /* default, as it would stand in the file */
	uint64_t min, max;
	const char *unit, *choices, *help;
};
extern const struct table_row table_rows[];
extern const size_t table_n;

const struct table_row *table_find(struct str name); /* NULL: there is none */
const char *table_nearest(struct str name);          /* NULL: no name is near */

/* What the sample file has of a row: a comment and #NAME=default, or the title of a section. */
void table_sample(struct buf *out, const struct table_row *r);

const char **table_string(struct settings *s, const struct table_row *r); /* STR, SECRET, ENUM */
uint64_t *table_number(struct settings *s, const struct table_row *r);
bool *table_bool(struct settings *s, const struct table_row *r);
