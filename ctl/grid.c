/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/arena.h"
#include "common/base/utf8.h"
#include "common/base/vec.h"
#include "ctl/ctl.h"

struct cells {
	struct str a[CONTROL_FIELDS_MAX];
};
struct grid {
	struct arena arena;
	uint32_t ncols;
	struct cells head;
	VEC(struct cells) rows;
};

struct grid *grid_new(void)
{
	return xcalloc(1, sizeof(struct grid));
}

void grid_free(struct grid **t)
{
	if (!*t)
		return;
	vec_free(&(*t)->rows);
	arena_deinit(&(*t)->arena);
	free(*t);
	*t = NULL;
}

size_t grid_rows(const struct grid *t)
{
	return t->rows.n;
}

void grid_add(struct grid *t, const struct control_row *row)
{
	struct cells *c = vec_push(&t->rows);

	memset(c, 0, sizeof *c);
	if (t->rows.n == 1) {
		t->ncols = row->n;
		for (uint32_t i = 0; i < row->n; i++)
			t->head.a[i] = arena_str(&t->arena, row->name[i]);
	}
	for (uint32_t i = 0; i < t->ncols; i++)
		for (uint32_t k = 0; k < row->n; k++)
			if (str_eq(row->name[k], t->head.a[i]))
				c->a[i] = arena_str(&t->arena, row->value[k]);
}

/* Control characters never reach the terminal. */
static void put_plain(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char ch = (unsigned char)s.p[i];

		putchar(ch < 0x20 || ch == 0x7f ? '?' : ch);
	}
}

static size_t width_of(struct str s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++)
		n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
	return n;
}

static void print_line(const struct grid *t, const struct cells *c, const size_t *width)
{
	for (uint32_t i = 0; i < t->ncols; i++) {
		struct str s = c->a[i].n ? c->a[i] : STR("-");

		put_plain(s);
		if (i + 1 < t->ncols)
			printf("%*s", (int)(width[i] - width_of(s) + 2), "");
	}
	putchar('\n');
}

void grid_print(const struct grid *t)
{
	size_t width[CONTROL_FIELDS_MAX];

	for (uint32_t i = 0; i < t->ncols; i++) {
		width[i] = width_of(t->head.a[i]);
		for (size_t k = 0; k < t->rows.n; k++) {
			size_t w = width_of(t->rows.a[k].a[i]);

			width[i] = w > width[i] ? w : width[i];
		}
	}
	if (t->rows.n)
		print_line(t, &t->head, width);
	for (size_t k = 0; k < t->rows.n; k++)
		print_line(t, &t->rows.a[k], width);
}

static void json_string(struct str s)
{
	size_t i = 0;
	uint32_t cp;

	putchar('"');
	while (i < s.n) {
		size_t start = i;

		if (!utf8_next(s, &i, &cp))
			fputs("\\ufffd", stdout);
		else if (cp < 0x20 || cp == 0x7f)
			printf("\\u%04x", cp);
		else if (cp == '"' || cp == '\\')
			printf("\\%c", (int)cp);
		else
			fwrite(s.p + start, 1, i - start, stdout);
	}
	putchar('"');
}

void grid_print_json(const struct grid *t)
{
	putchar('[');
	for (size_t k = 0; k < t->rows.n; k++) {
		fputs(k ? ",\n {" : "\n {", stdout);
		for (uint32_t i = 0; i < t->ncols; i++) {
			if (i)
				fputs(", ", stdout);
			json_string(t->head.a[i]);
			fputs(": ", stdout);
			json_string(t->rows.a[k].a[i]);
		}
		putchar('}');
	}
	puts("\n]");
}
