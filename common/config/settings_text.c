/* SPDX-License-Identifier: Apache-2.0 */
/* What is printed of the settings table: effective values, sample file, manual page. */
#include "common/config/settings.h"
#include "common/config/table.h"

enum { WIDTH = 96 };

static bool needs_quotes(struct str v)
{
	for (size_t i = 0; i < v.n; i++)
		if (strchr(" \t\"'\\$`;|&<>()#", v.p[i]))
			return true;
	return false;
}

static void put_value(struct buf *out, struct str v)
{
	if (!needs_quotes(v)) {
		buf_str_put(out, v);
		return;
	}
	buf_putc(out, '"');
	for (size_t i = 0; i < v.n; i++) {
		if (strchr("\"\\$`", v.p[i]))
			buf_putc(out, '\\');
		buf_putc(out, v.p[i]);
	}
	buf_putc(out, '"');
}

static void put_setting(struct buf *out, const struct settings *s, const struct table_row *r)
{
	struct settings *from = (struct settings *)s; /* only read */

	if (r->kind == TABLE_NUM)
		buf_u64(out, *table_number(from, r));
	else if (r->kind == TABLE_BOOL)
		buf_putc(out, *table_bool(from, r) ? '1' : '0');
	else if (r->kind == TABLE_SECRET)
		buf_puts(out, **table_string(from, r) ? "(secret)" : "");
	else
		put_value(out, str_c(*table_string(from, r)));
}

void settings_print(const struct settings *s, struct buf *out)
{
	for (size_t i = 0; i < table_n; i++) {
		if (table_rows[i].name == NULL)
			continue;
		buf_printf(out, "%s=", table_rows[i].name);
		put_setting(out, s, &table_rows[i]);
		buf_putc(out, '\n');
	}
}

void settings_changed(const struct settings *s, settings_changed_fn *fn, void *ctx)
{
	struct buf now = BUF_INIT, def = BUF_INIT;

	for (size_t i = 0; i < table_n; i++) {
		const struct table_row *r = &table_rows[i];
		const char *origin = r->name ? settings_origin(s, r->name) : NULL;

		if (origin == NULL)
			continue;
		buf_reset(&now);
		buf_reset(&def);
		put_setting(&now, s, r);
		put_value(&def, str_c(r->text));
		if (!str_eq(buf_str(&now), buf_str(&def)))
			fn(ctx, r->name, buf_str(&now), origin, buf_cstr(&def));
	}
	buf_wipe(&now);
	buf_deinit(&def);
}

static void put_changed(void *ctx, const char *name, struct str value, const char *origin, const char *def)
{
	buf_printf(ctx, "%s=%.*s # %s\n", name, STR_ARG(value), origin);
}

void settings_print_changed(const struct settings *s, struct buf *out)
{
	settings_changed(s, put_changed, out);
}

/* Words of text in lines that start with "# ". */
static void put_comment(struct buf *out, struct str text)
{
	size_t column = 0;

	while (text.p) {
		struct str word = str_split(&text, ' ');

		if (column == 0 || column + word.n + 1 > WIDTH) {
			buf_puts(out, column ? "\n#" : "#");
			column = 1;
		}
		buf_putc(out, ' ');
		buf_str_put(out, word);
		column += word.n + 1;
	}
	buf_putc(out, '\n');
}

static void put_domain(struct buf *out, const struct table_row *r)
{
	if (r->kind == TABLE_NUM)
		buf_printf(out, " (%llu to %llu %s)", (unsigned long long)r->min, (unsigned long long)r->max,
			   r->unit);
	else if (r->kind == TABLE_BOOL)
		buf_puts(out, " (1 or 0)");
	else if (r->kind == TABLE_ENUM)
		buf_printf(out, " (%s)", r->choices);
}

void table_sample(struct buf *out, const struct table_row *r)
{
	struct buf text = BUF_INIT;

	if (r->name == NULL) {
		buf_printf(out, "\n\n# ---- %s ----\n", r->help);
		return;
	}
	buf_puts(&text, r->help);
	put_domain(&text, r);
	buf_putc(out, '\n');
	put_comment(out, buf_str(&text));
	buf_printf(out, "#%s=", r->name);
	put_value(out, str_c(r->text));
	buf_putc(out, '\n');
	buf_deinit(&text);
}

void settings_sample(struct buf *out)
{
	buf_puts(out, "# posthouse.conf: settings of all Posthouse programs, see posthouse.conf(5).\n"
		      "# Each line that starts with #NAME shows a default. Made by `make conf/posthouse.conf`.\n");
	for (size_t i = 0; i < table_n; i++)
		table_sample(out, &table_rows[i]);
}

static void put_mdoc(struct buf *out, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\\')
			buf_puts(out, "\\e");
		else if (i == 0 && (s.p[i] == '.' || s.p[i] == '\''))
			buf_printf(out, "\\&%c", s.p[i]);
		else if (s.p[i] == ' ' && i > 0 && s.p[i - 1] == '.')
			buf_putc(out, '\n'); /* each sentence on a line of its own, as mdoc wants it */
		else
			buf_putc(out, s.p[i]);
	}
}

void settings_man(struct buf *out)
{
	bool list = false;

	for (size_t i = 0; i < table_n; i++) {
		const struct table_row *r = &table_rows[i];
		struct buf text = BUF_INIT;

		if (r->name == NULL) {
			buf_printf(out, "%s.Ss %s\n.Bl -tag -width Ds\n", list ? ".El\n" : "", r->help);
			list = true;
			continue;
		}
		buf_printf(out, ".It Sy %s Ns = Ns Ar ", r->name);
		put_value(&text, str_c(r->text));
		put_mdoc(out, *r->text ? buf_str(&text) : STR("value"));
		buf_putc(out, '\n');
		buf_reset(&text);
		buf_puts(&text, r->help);
		put_domain(&text, r);
		buf_putc(&text, '.');
		put_mdoc(out, buf_str(&text));
		buf_putc(out, '\n');
		buf_deinit(&text);
	}
	if (list)
		buf_puts(out, ".El\n");
}
