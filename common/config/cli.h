/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli: the command line that all daemons share: -C FILE, --set NAME=value, --check,
 * --print-settings, --version, --help. Programs with options of their own take them out first.
 */
#pragma once
#include "common/config/settings.h"

#define CLI_SET_MAX 64

struct cli {
	const char *file;                   /* -C, or NULL */
	const char *set[CLI_SET_MAX + 1];   /* --set, NULL-terminated */
	unsigned nset;
};

/*
 * Loads the settings and starts the log. Ends the process by itself: 0 after --version, --help,
 * --check and --print-settings; 2 on a fault of the command line; 1 on a fault of the settings,
 * with a line on stderr. about: one line for --help.
 */
void cli_start(int argc, char **argv, const char *program, const char *about, struct cli *c,
	       struct settings *set);
/* The same pieces for programs that parse their own options: 1 = took argv[*i] (and what follows
 * it), 0 = not one of these. */
int cli_option(struct cli *c, int argc, char **argv, int *i);
void cli_load(const struct cli *c, const char *program, struct settings *set);
