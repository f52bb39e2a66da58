/* SPDX-License-Identifier: Apache-2.0 */
/* cyrusopts: one-letter options of Cyrus's imapd that are settings here. */
#pragma once
#include <stddef.h>

struct cyrusopt {
	char letter;
	const char *setting; /* "NAME=value", or "NAME" where the option has a value */
	const char *zero;    /* what 0 means here, or NULL */
};

/*
 * A copy of argv, with NULL behind it, in which "-U 30" and "-U30" have become "--set NAME=30"; *argc
 * is its new length. A letter without its value ends the process with a line on stderr.
 */
char **cyrusopts(int *argc, char **argv, const struct cyrusopt *o, size_t n, const char *program);
