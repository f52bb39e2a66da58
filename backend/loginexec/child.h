/* SPDX-License-Identifier: Apache-2.0 */
/* child: one program of an account, with a limit on its time and output, and an end to all that it started. */
#pragma once
#include "common/config/settings.h"
#include "common/ipc/loginexec.h"

struct child_end {
	bool good;	/* exit 0 in time */
	char text[160]; /* else: how it ended */
};
/*
 * The program gets /dev/null, a pipe for its output, and no other descriptor; a process group of its own;
 * an environment of HOME, USER, LOGNAME, MAILDIR, PATH. Its output becomes log lines, up to
 * LOGINEXEC_OUTPUT_MAX bytes. When it has ended or LOGINEXEC_TIMEOUT is over, its group and whatever else
 * it left is killed. This process must be a subreaper with the Maildir as working directory.
 */
void child_run(const struct settings *set, const struct loginexec_run *r, const char *path,
	       struct child_end *end);
