/* SPDX-License-Identifier: Apache-2.0 */
#include "notifyd/control.h"

#include "common/ipc/control.h"
#include "notifyd/notifyd.h"

static void answer_stats(struct control_client *who, const struct notifyd *nd)
{
	const struct {
		const char *name;
		uint64_t value;
	} v[] = {
		{"instances", nd->nshards},       {"watches", nd->n.watches},
		{"subscribers", nd->n.subscribers}, {"folders", nd->n.folders},
		{"events", nd->n.events},         {"overflows", nd->n.overflows},
		{"fences", nd->n.fences},         {"journals", nd->n.journals},
		{"dropped", nd->n.dropped},       {"refused", nd->n.refused},
		{"faults", nd->n.faults},
	};
	char text[ARRAY_LEN(v)][24];
	struct control_row row = {.n = ARRAY_LEN(v)};

	for (size_t i = 0; i < ARRAY_LEN(v); i++) {
		snprintf(text[i], sizeof text[i], "%llu", (unsigned long long)v[i].value);
		row.name[i] = str_c(v[i].name);
		row.value[i] = str_c(text[i]);
	}
	control_answer_row(who, &row);
	control_answer_end(who, true, "");
}

static void on_request(void *ctx, struct control_client *who, const struct control_request *r)
{
	if (str_eq(r->verb, STR("stats")) && r->nargs == 0)
		answer_stats(who, ctx);
	else
		control_answer_end(who, false, "notifyd knows the verb \"stats\"");
}

struct control_server *notifyd_control(struct notifyd *nd, struct loop *l, const char *rundir, struct err *e)
{
	return control_server_new(l, rundir, "notifyd", on_request, nd, e);
}
