/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include "ctl/check.h"

void check_say(struct check *k, enum check_level level, const char *item, const char *fmt, ...)
{
	static const char *const names[] = {"ok", "note", "FAULT"};
	struct control_row row = {.n = 3, .name = {STR("result"), STR("item"), STR("detail")}};
	struct buf detail = BUF_INIT;
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&detail, fmt, ap);
	va_end(ap);
	row.value[0] = str_c(names[level]);
	row.value[1] = str_c(item);
	row.value[2] = buf_str(&detail);
	grid_add(k->table, &row);
	buf_deinit(&detail);
	k->faults += level == CHECK_FAULT;
}

int ctl_check(const struct ctl *c)
{
	struct check k = {.ctl = c, .table = grid_new()};

	if (c->argc > 0) {
		fprintf(stderr, "posthousectl check takes no arguments\n");
		grid_free(&k.table);
		return EXIT_USAGE;
	}
	check_settings(&k);
	check_directories(&k);
	check_accounts(&k);
	check_authlib(&k);
	check_providers(&k);
	check_tls(&k);
	check_users(&k);
	check_kernel(&k);
	check_daemons(&k);
	if (c->json)
		grid_print_json(k.table);
	else
		grid_print(k.table);
	grid_free(&k.table);
	return k.faults ? EXIT_FAULT : 0;
}
