/* SPDX-License-Identifier: Apache-2.0 */
/*
 * courier: Courier's own imapd, imapd-ssl, pop3d, pop3d-ssl and authdaemonrc, as they stand. Courier's
 * start scripts read imapd-ssl and then imapd for port 143, imapd and then imapd-ssl for 993 (FEATURES.md
 * X11), so that a name in both has two values. Where we have a setting for each, both are used; of other
 * settings the one of port 143, and a warning names both.
 */
#pragma once
#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/vec.h"
#include "common/config/kv.h"
#include "common/config/table.h"

/* One setting of ours: each is given once. where: file and line. */
typedef int courier_fn(void *ctx, struct str name, struct str value, const char *where, struct err *e);

/* Whether a directory has one of Courier's imapd and imapd-ssl. */
bool courier_here(const char *dir);
/* The directory that a path means: itself, or where Courier's file of that name lies; NULL: neither.
 * The caller frees it. */
char *courier_dir(const char *path);
/* Warnings are appended as lines. -1: a file can't be read or has what only a shell could do. */
int courier_read(const char *dir, courier_fn *fn, void *ctx, struct buf *warnings, struct err *e);

/* ---- courier_files.c: what a listener's files say, one after the other ------------------------------ */
struct courier_entry {
	char *name, *value; /* expanded */
	char *where;        /* FILE:LINE */
};
struct courier_scope {
	VEC(struct courier_entry) entries; /* in the order in which the names came first */
	struct kv_vars *vars;
	unsigned files; /* that were there */
};
/* Reads DIR/first and DIR/second into an empty scope; one that isn't there is passed over. */
int courier_scope_read(struct courier_scope *s, const char *dir, const char *first, const char *second,
		       struct buf *warnings, struct err *e);
/* One more file, wherever it lies. */
int courier_scope_add(struct courier_scope *s, const char *path, struct buf *warnings, struct err *e);
const struct courier_entry *courier_find(const struct courier_scope *s, struct str name); /* or NULL */
void courier_scope_free(struct courier_scope *s);
