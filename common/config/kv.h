/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kv: reader of NAME=value files in the syntax of Courier's shell files (FEATURES.md X11): comments,
 * blank lines, 'single' and "double" quotes, backslash, $NAME and ${NAME} of an earlier line (empty
 * where there is none). What a shell would run is an error. All errors name file and line.
 */
#pragma once
#include "common/base/err.h"
#include "common/base/buf.h"

#define KV_FILE_MAX (1024 * 1024)
#define KV_VALUE_MAX 65536 /* after expansion: $A$A$A ... can't grow without end */

/* Called for each line; value is expanded and valid during the call. -1 stops, with *e filled. */
typedef int kv_fn(void *ctx, struct str name, struct str value, unsigned line, struct err *e);

/* Reads a whole regular file (or /dev/null) of at most max bytes. -1: *e says what is wrong. */
int kv_load(const char *path, size_t max, struct buf *out, struct err *e);
/* file: its name in error texts. */
int kv_parse(struct str text, const char *file, kv_fn *fn, void *ctx, struct err *e);

/* Files that a shell would read one after the other: names of the first are known in the next. */
struct kv_vars;
struct kv_vars *kv_vars_new(void);
void kv_vars_free(struct kv_vars **v);
/* Whether the name stood in a value as $NAME, after it had been given. */
bool kv_vars_used(const struct kv_vars *v, struct str name);
int kv_parse_with(struct kv_vars *v, struct str text, const char *file, kv_fn *fn, void *ctx, struct err *e);
