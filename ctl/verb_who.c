/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/clock.h"
#include "ctl/ctl.h"

/* For people: how long ago, instead of a number of seconds since 1970. */
static struct str ago(struct str since, char out[32])
{
	uint64_t then, now = (uint64_t)clock_wall_s(), s;

	if (!str_u64(since, &then) || then > now)
		return since;
	s = now - then;
	if (s < 3600)
		snprintf(out, 32, "%llum%02llus", (unsigned long long)s / 60,
			 (unsigned long long)s % 60);
	else
		snprintf(out, 32, "%lluh%02llum", (unsigned long long)s / 3600,
			 (unsigned long long)s / 60 % 60);
	return str_c(out);
}

struct who {
	struct grid *table;
	bool json;
};

static void on_row(void *ctx, const struct control_row *row)
{
	struct who *w = ctx;
	struct control_row r = *row;
	char text[32];

	for (uint32_t i = 0; i < r.n && !w->json; i++)
		if (str_eq(r.name[i], STR("since")))
			r.value[i] = ago(r.value[i], text);
	grid_add(w->table, &r);
}

int ctl_who(const struct ctl *c)
{
	struct who w = {grid_new(), c->json};
	struct err e;
	int rc = ctl_ask(c, "backend", "who", on_row, &w, NULL, &e);

	if (rc < 0)
		rc = ctl_fault("%s", e.text);
	else if (c->json)
		grid_print_json(w.table);
	else if (grid_rows(w.table) == 0)
		fputs("nobody is logged in\n", stderr);
	else
		grid_print(w.table);
	grid_free(&w.table);
	return rc;
}
