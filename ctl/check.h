/* SPDX-License-Identifier: Apache-2.0 */
/* check: the single checks behind `posthousectl check`; each reports any number of items. */
#pragma once
#include "ctl/ctl.h"

enum check_level { CHECK_OK, CHECK_NOTE, CHECK_FAULT };
struct check {
	const struct ctl *ctl;
	struct grid *table;
	unsigned faults;
};
/* One line: what was looked at, and what was found or is to be done. */
void check_say(struct check *k, enum check_level level, const char *item, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

void check_settings(struct check *k);	 /* check_settings.c */
void check_directories(struct check *k); /* check_files.c */
void check_accounts(struct check *k);
void check_authlib(struct check *k);   /* check_authlib.c */
void check_providers(struct check *k); /* check_providers.c */
void check_tls(struct check *k);       /* check_tls.c */
void check_users(struct check *k);     /* check_system.c */
void check_kernel(struct check *k);
void check_daemons(struct check *k);
