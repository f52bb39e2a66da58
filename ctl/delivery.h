/* SPDX-License-Identifier: Apache-2.0 */
/* delivery: one message into a Maildir's (or folder's) new/: written in tmp/, durable before it is seen. */
#pragma once
#include <stdint.h>
#include "common/base/err.h"
#include "common/base/str.h"

struct delivery {
	int dir, tmp, fresh, fd; /* the Maildir (the caller's), its tmp/ and new/, the file */
	char name[160];		 /* in tmp/ */
	int64_t size;
};
/* -1: *e. delivery_end is then not needed. */
int delivery_begin(struct delivery *d, int dir, struct err *e);
int delivery_put(struct delivery *d, struct str text, struct err *e);
/* Puts it into new/, with ,S=size in its name. */
int delivery_commit(struct delivery *d, struct err *e);
/* Removes what was not committed. */
void delivery_end(struct delivery *d);
/* This host's name, in the form that is used in file names. */
void delivery_host(char out[65]);
