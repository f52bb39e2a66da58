/* SPDX-License-Identifier: Apache-2.0 */
/* proc: starting our other programs, and what ps shows of this one. */
#pragma once
#include <stddef.h>
#include <sys/types.h>
#include "common/base/err.h"

#define PROC_FDS_MAX 16

struct proc_fd {
	int from; /* a descriptor of ours */
	int to;   /* its number in the child, 3 or more */
};

/*
 * Runs a program from the directory that this one was started from. argv[0] is the program's name,
 * args (NULL-terminated, may be NULL) follow. The child has stdin from /dev/null, our stdout and
 * stderr, the given descriptors, and no other. Its environment: PH_*, JOURNAL_STREAM, TZ and the
 * sanitizers' options. Signals are unblocked and at their defaults. Returns the pid; -1 with *e when
 * it could not be executed (this is known on return).
 */
pid_t proc_spawn(const char *program, const char *const *args, const struct proc_fd *fds, size_t n, struct err *e);

int proc_subreaper(struct err *e); /* orphaned grandchildren become our children */

/* Remembers where argv lies, for proc_title, and moves the environment away. main_init calls it; a
 * program that gave main_init a part of its argv calls it again with the whole. */
void proc_title_init(int argc, char **argv);
/* What ps shows: "program: text" (cut to the room there is). */
void proc_title(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
