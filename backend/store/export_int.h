/* SPDX-License-Identifier: Apache-2.0 */
/* export_int: what export.c, export_courier.c and export_dovecot.c share; nobody else includes it. */
#pragma once
#include "backend/store/foreign.h"
#include "backend/store/store_int.h"

struct export
{
	struct op op;
	enum store_server to;
	int lock_fd;
	size_t lost; /* keywords of messages that their form has no room for */
	store_done_fn *done;
	void *ctx;
};

/* I/O thread. 0; -1: x->op.res says why */
int export_write(struct export *x, int to_dir, const char *name,
		 struct str text); /* by tmp/, fsync, rename */
int export_courier(struct export *x);
int export_dovecot_lock(struct export *x); /* theirs; may be called again */
void export_dovecot_unlock(struct export *x);
int export_dovecot(struct export *x);
