/* SPDX-License-Identifier: Apache-2.0 */
#include "common/config/table.h"

#include "common/base/ensure.h"
#include "common/config/names.h"

#define MEMBER(m) offsetof(struct settings, m)
#define ROW(...) {__VA_ARGS__},
#define TEXT(x) #x

const struct table_row table_rows[] = {
#define SETTING_SECTION(title) ROW(.help = title)
#define SETTING_STR(n, m, def, h) ROW(.name = n, .kind = TABLE_STR, .member = MEMBER(m), .text = def, .help = h)
#define SETTING_SECRET(n, m, def, h) \
	ROW(.name = n, .kind = TABLE_SECRET, .member = MEMBER(m), .text = def, .help = h)
#define SETTING_NUM(n, m, def, lo, hi, u, h)                                                       \
	ROW(.name = n, .kind = TABLE_NUM, .member = MEMBER(m), .text = TEXT(def), .min = lo, .max = hi,   \
	    .unit = u, .help = h)
#define SETTING_BOOL(n, m, def, h) \
	ROW(.name = n, .kind = TABLE_BOOL, .member = MEMBER(m), .text = (def) ? "1" : "0", .help = h)
#define SETTING_ENUM(n, m, def, c, h)                                                              \
	ROW(.name = n, .kind = TABLE_ENUM, .member = MEMBER(m), .text = def, .choices = c, .help = h)
#include "common/config/settings.def"
};
const size_t table_n = ARRAY_LEN(table_rows);

const struct table_row *table_find(struct str name)
{
	for (size_t i = 0; i < table_n; i++)
		if (table_rows[i].name && str_eq(str_c(table_rows[i].name), name))
			return &table_rows[i];
	return NULL;
}

const char *table_nearest(struct str name)
{
	size_t best = name.n / 3 + 2;
	const char *nearest = NULL;

	for (size_t i = 0; i < table_n; i++) {
		size_t d;

		if (table_rows[i].name == NULL)
			continue;
		d = names_distance(name, str_c(table_rows[i].name), best);
		if (d < best) {
			best = d;
			nearest = table_rows[i].name;
		}
	}
	return nearest;
}

const char **table_string(struct settings *s, const struct table_row *r)
{
	return (const char **)((char *)s + r->member);
}

uint64_t *table_number(struct settings *s, const struct table_row *r)
{
	return (uint64_t *)((char *)s + r->member);
}

bool *table_bool(struct settings *s, const struct table_row *r)
{
	return (bool *)((char *)s + r->member);
}
