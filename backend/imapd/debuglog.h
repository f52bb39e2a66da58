/* SPDX-License-Identifier: Apache-2.0 */
/*
 * debuglog: the commands of one session, appended to the file IMAPDEBUGFILE of its Maildir, if there is one.
 * Opened and written on the I/O threads; what a slow disk can't take is left out, and said to be. Passwords
 * and messages are not written.
 */
#pragma once
#include "common/config/settings.h"
#include "common/imap/parser.h"
#include "common/io/jobs.h"

struct debuglog;

/* NULL where IMAPDEBUGFILE is empty. The file is made by nobody here: it must be there at login. */
struct debuglog *debuglog_new(struct jobs *js, const struct settings *set, int maildir_fd,
			      const char *session);
void debuglog_command(struct debuglog *d, const struct imap_parser *p); /* d may be NULL */
void debuglog_bad(struct debuglog *d, const struct imap_parser *p);	/* could not be parsed */
void debuglog_free(struct debuglog **d); /* what was put is still written */
