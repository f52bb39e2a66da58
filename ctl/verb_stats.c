/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/ctl.h"

struct stats {
	struct grid *table;
	const char *daemon;
};

/* Every daemon's row gets its name in front. */
static void on_row(void *ctx, const struct control_row *row)
{
	struct stats *s = ctx;
	struct control_row r = {.n = 1};

	r.name[0] = STR("daemon");
	r.value[0] = str_c(s->daemon);
	for (uint32_t i = 0; i < row->n && r.n < CONTROL_FIELDS_MAX; i++) {
		r.name[r.n] = row->name[i];
		r.value[r.n++] = row->value[i];
	}
	grid_add(s->table, &r);
}

int ctl_stats(const struct ctl *c)
{
	static const char *const daemons[] = {"frontend", "backend", "notifyd"};
	struct stats s = {.table = grid_new()};
	int rc = 0;
	struct err e;

	for (size_t i = 0; i < ARRAY_LEN(daemons); i++) {
		s.daemon = daemons[i];
		if (ctl_ask(c, daemons[i], "stats", on_row, &s, &e) < 0)
			rc = ctl_fault("%s", e.text);
	}
	if (c->json)
		grid_print_json(s.table);
	else
		grid_print(s.table);
	grid_free(&s.table);
	return rc;
}
