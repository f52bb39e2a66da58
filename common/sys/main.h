/* SPDX-License-Identifier: Apache-2.0 */
/*
 * main: how every daemon's main() begins. Options of all: -C FILE, --set NAME=value, --check,
 * --print-settings, -d (log level debug), -V/--version, --help.
 */
#pragma once
#include "common/config/settings.h"

enum main_mode {
	MAIN_RUN,   /* go on */
	MAIN_CHECK, /* --check: the settings are fine; make checks of your own, then exit 0 or 1 */
};

/*
 * Reads the options, loads the settings into *s and starts the log as they say. Does not return
 * for --version, --help, --print-settings (exit 0) and bad options or settings (exit 1, the reason
 * with file and line on stderr). Makes sure that descriptors 0, 1 and 2 are open; sets umask 077 and
 * ignores SIGPIPE.
 */
enum main_mode main_init(int argc, char **argv, const char *program, struct settings *s);

/* Lines that --help prints behind those of all programs; before main_init. */
void main_help_more(const char *lines);

/* The options that make a child program (proc_spawn) see the same settings; NULL-terminated. It
 * does not repeat warnings about them. */
const char *const *main_child_args(void);
/* The log again as the settings say, under another name. */
void main_start_log(const char *program, const struct settings *s);
