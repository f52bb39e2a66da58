/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/ctl.h"

struct stats {
	struct grid *table;
	const char *daemon;
};

static void add(struct stats *s, struct str name, struct str value)
{
	struct control_row r = {.n = 3, .name = {STR("daemon"), STR("name"), STR("value")}};

	r.value[0] = str_c(s->daemon);
	r.value[1] = name;
	r.value[2] = value;
	grid_add(s->table, &r);
}

static struct str find(const struct control_row *row, struct str name)
{
	for (uint32_t i = 0; i < row->n; i++)
		if (str_eq(row->name[i], name))
			return row->value[i];
	return STR_NONE;
}

/* A row is one counter (name, value), or the counters of one child (program, number), or several. */
static void on_row(void *ctx, const struct control_row *row)
{
	struct stats *s = ctx;
	struct str name = find(row, STR("name")), program = find(row, STR("program"));
	struct buf full = BUF_INIT;

	if (name.n) {
		add(s, name, find(row, STR("value")));
		return;
	}
	for (uint32_t i = 0; i < row->n; i++) {
		if (str_eq(row->name[i], STR("program")) || str_eq(row->name[i], STR("number")))
			continue;
		buf_reset(&full);
		if (program.n)
			buf_printf(&full, "%.*s.%.*s.", STR_ARG(program),
				   STR_ARG(find(row, STR("number"))));
		buf_str_put(&full, row->name[i]);
		add(s, buf_str(&full), row->value[i]);
	}
	buf_deinit(&full);
}

int ctl_stats(const struct ctl *c)
{
	static const char *const daemons[] = {"frontend", "backend", "notifyd"};
	struct stats s = {.table = grid_new()};
	int rc = 0;
	struct err e;

	for (size_t i = 0; i < ARRAY_LEN(daemons); i++) {
		s.daemon = daemons[i];
		if (ctl_ask(c, daemons[i], "stats", on_row, &s, NULL, &e) < 0)
			rc = ctl_fault("%s", e.text);
	}
	if (c->json)
		grid_print_json(s.table);
	else
		grid_print(s.table);
	grid_free(&s.table);
	return rc;
}
