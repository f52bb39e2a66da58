/* SPDX-License-Identifier: Apache-2.0 */
#include "common/config/merge.h"

#include "common/base/ensure.h"
#include "common/base/vec.h"
#include "common/config/names.h"
#include "common/config/table.h"

struct line {
	struct str text;
	struct buf after; /* what is added behind it */
};

struct merging {
	VEC(struct line) lines;
	size_t *mention; /* per row: number of its line + 1, or 0 */
	struct buf tail;
	struct merge_counts *n;
};

/* NAME of "NAME=..."; empty: it has another form. */
static struct str name_of(struct str line)
{
	size_t n = 0;

	while (n < line.n && ((line.p[n] >= 'A' && line.p[n] <= 'Z') ||
			      (line.p[n] >= '0' && line.p[n] <= '9') || line.p[n] == '_'))
		n++;
	return n < line.n && line.p[n] == '=' ? str_sub(line, 0, n) : STR("");
}

static bool is_title(struct str line, const char *title)
{
	return str_starts(line, STR("# ---- ")) && str_ends(line, STR(" ----")) &&
	       str_eq(str_sub(line, 7, line.n - 12), str_c(title));
}

/* NAME_FILE of a secret belongs to NAME. */
static const struct table_row *row_of(struct str name)
{
	const struct table_row *r = table_find(name);

	if (r || !str_ends(name, STR("_FILE")))
		return r;
	r = table_find(str_sub(name, 0, name.n - 5));
	return r && r->kind == TABLE_SECRET ? r : NULL;
}

static void look_at(struct merging *m, size_t i)
{
	struct str text = str_trim(m->lines.a[i].text);
	struct str name = name_of(str_starts(text, STR("#")) ? str_from(text, 1) : text);
	const struct table_row *r = name.n ? row_of(name) : NULL;

	if (r)
		m->mention[r - table_rows] = i + 1;
	m->n->kept += r && text.p[0] != '#';
	for (size_t k = 0; k < table_n; k++)
		if (!table_rows[k].name && is_title(text, table_rows[k].help))
			m->mention[k] = i + 1;
}

static void add(struct merging *m, size_t row, size_t behind)
{
	struct buf *out = behind ? &m->lines.a[behind - 1].after : &m->tail;

	table_sample(out, &table_rows[row]);
	m->mention[row] = behind;
	m->n->added++;
}

/* Behind the row before, or the section's title; where the file has neither, at the end, under a title. */
static void add_missing(struct merging *m)
{
	size_t behind = 0;
	bool titled = false;

	for (size_t i = 0; i < table_n; i++) {
		if (table_rows[i].name == NULL) {
			behind = m->mention[i];
			titled = behind > 0;
			continue;
		}
		if (m->mention[i]) {
			behind = m->mention[i];
			continue;
		}
		for (size_t k = i; k > 0 && !titled && !behind && table_rows[k].name; k--)
			if (!table_rows[k - 1].name) {
				table_sample(&m->tail, &table_rows[k - 1]);
				titled = true;
			}
		add(m, i, behind);
	}
}

static bool is_gone(struct str line)
{
	struct str name = name_of(str_trim(line));

	return name.n && !row_of(name) && !names_find(name);
}

static void write_out(struct merging *m, struct buf *out)
{
	vec_foreach(l, &m->lines) {
		if (is_gone(l->text)) {
			buf_puts(out, "# not a setting of this version: ");
			m->n->gone++;
		}
		buf_str_put(out, l->text);
		buf_putc(out, '\n');
		buf_str_put(out, buf_str(&l->after));
		buf_deinit(&l->after);
	}
	buf_str_put(out, buf_str(&m->tail));
}

void merge_settings(struct str old, struct buf *out, struct merge_counts *n)
{
	struct merging m = {.mention = xcalloc(table_n, sizeof *m.mention), .n = n};
	struct str rest = old;

	*n = (struct merge_counts){0};
	while (rest.n) {
		struct str text = str_split(&rest, '\n');

		*vec_push(&m.lines) = (struct line){.text = text};
	}
	for (size_t i = 0; i < m.lines.n; i++)
		look_at(&m, i);
	add_missing(&m);
	write_out(&m, out);
	vec_free(&m.lines);
	free(m.mention);
	buf_deinit(&m.tail);
}
