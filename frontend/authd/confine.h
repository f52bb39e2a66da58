/* SPDX-License-Identifier: Apache-2.0 */
/* confine: locks authd in (sys/sandbox.h), but for what its modules have to reach. */
#pragma once
#include "common/config/settings.h"

struct confine_needs {
	bool tcp;	  /* connections to other hosts */
	bool names;	  /* the files by which libc looks names up, of hosts and of users */
	bool trust;	  /* the system's certificate authorities */
	const char *file; /* one that is read again when it changes: its directory; NULL: none */
};
/* Before any thread starts. Only rundir (stays the caller's) and what is needed can be opened from then
 * on. -1: e says why it can't be done; e->code is ENOSYS where the kernel can't. */
int confine(const struct settings *set, int rundir, struct err *e);
