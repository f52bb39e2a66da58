/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cyrusmsg: the files below Cyrus's configuration directory by which an administrator speaks to users:
 * msg/shutdown (or, before it, msg/shutdown.imap) and msg/motd. Only the first line counts, "[" in
 * front of it doesn't: to a client it would look like a response code.
 */
#pragma once
#include <stdbool.h>
#include "common/base/err.h"

enum { CYRUSMSG_MAX = 512 };

struct cyrusmsg {
	char shutdown[CYRUSMSG_MAX]; /* printable ASCII; empty: there is no such file */
	char motd[CYRUSMSG_MAX];
	struct err fault; /* what can't be read, and stays without effect */
	bool fault_is_new;
};

/* Looks at the files again, a few system calls; true where a text is another than before. An empty dir
 * means none. *m is all zero at first. */
bool cyrusmsg_look(const char *dir, struct cyrusmsg *m);
