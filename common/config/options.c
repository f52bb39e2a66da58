/* SPDX-License-Identifier: Apache-2.0 */
#include "common/config/options.h"

bool options_next(struct str *rest, struct str *name, struct str *value)
{
	while (rest->p) {
		struct str option = str_split(rest, ',');
		size_t eq = str_find(option, '=');

		*name = str_trim(str_sub(option, 0, eq));
		*value = eq < option.n ? str_trim(str_from(option, eq + 1)) : STR("");
		if (name->n)
			return true;
	}
	return false;
}

struct str options_get(struct str options, const char *name)
{
	struct str n, value;

	while (options_next(&options, &n, &value))
		if (str_ieq(n, str_c(name)))
			return value.n ? value : STR("");
	return STR_NONE;
}

void options_set(struct buf *out, struct str options, const char *name, struct str value)
{
	size_t begin = out->n;

	while (options.p) {
		struct str option = str_split(&options, ',');

		if (!str_trim(option).n ||
		    str_ieq(str_trim(str_sub(option, 0, str_find(option, '='))), str_c(name)))
			continue;
		if (out->n > begin)
			buf_putc(out, ',');
		buf_str_put(out, option);
	}
	if (value.p)
		buf_printf(out, "%s%s=%.*s", out->n > begin ? "," : "", name, STR_ARG(value));
}
