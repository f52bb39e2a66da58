/* SPDX-License-Identifier: Apache-2.0 */
/*
 * settings: the typed table of every setting of every program, declared once in settings.def, from
 * which parsing, --check, --print-settings, conf/posthouse.conf and posthouse.conf(5) are made.
 *
 * Sources, later ones win: default, Courier's files (COURIER_CONFIG, or -C DIRECTORY: then no file of
 * ours), file (-C FILE, else /etc/posthouse/posthouse.conf), PH_NAME in the environment, --set NAME=value. NAME_FILE=path reads a secret's value from a file. Syntax of
 * the file: NAME=value lines, # comments, quotes and $NAME / ${NAME} as in Courier's shell files
 * (FEATURES.md X11). An unknown name, a value out of range or a missing file is an error that names
 * file, line and the nearest known name (B71).
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "common/base/buf.h"
#include "common/base/err.h"

/* One member per setting, named as in settings.def, lower case. Strings are never NULL. */
struct settings {
#define SETTING_SECTION(title)
#define SETTING_STR(name, member, def, help) const char *member;
#define SETTING_SECRET(name, member, def, help) const char *member;
#define SETTING_NUM(name, member, def, min, max, unit, help) uint64_t member;
#define SETTING_BOOL(name, member, def, help) bool member;
#define SETTING_ENUM(name, member, def, choices, help) const char *member;
#include "common/config/settings.def"
	char **origins; /* settings_origin() */
};

struct settings_opts {
	const char *file;       /* NULL: the default path; a missing default file is not an error */
	const char *const *set; /* NAME=value overrides, NULL-terminated, or NULL */
	bool no_env;            /* tests */
};
/* Loads into *s (all strings are owned by the table until settings_free). Warnings (known but dead
 * Courier names) are appended to *warnings as lines when not NULL. */
int settings_load(struct settings *s, const struct settings_opts *o, struct buf *warnings, struct err *e);
void settings_free(struct settings *s);
/* Whether a list with blanks between, such as AUTHMODULES, has this word. */
bool settings_list_has(const char *list, struct str word);
/* Where the value comes from: "FILE:LINE", "environment (PH_...)", "--set"; NULL: it is the default. */
const char *settings_origin(const struct settings *s, const char *name);
void settings_print(const struct settings *s, struct buf *out); /* effective values, secrets masked */
/* Only those that differ from the default, each with its origin as a comment. */
void settings_print_changed(const struct settings *s, struct buf *out);
/* Calls fn for those; value is as it would stand in the file, secrets masked. */
typedef void settings_changed_fn(void *ctx, const char *name, struct str value, const char *origin, const char *def);
void settings_changed(const struct settings *s, settings_changed_fn *fn, void *ctx);
void settings_sample(struct buf *out);                          /* text of conf/posthouse.conf */
void settings_man(struct buf *out);                             /* OPTIONS part of the man page, mdoc */
