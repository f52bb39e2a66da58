/* SPDX-License-Identifier: Apache-2.0 */
/*
 * process: the life of an imapd once it is somebody's: opens the store, takes connections from the
 * master (or has the one of a shell), goes home when nobody needs it.
 */
#pragma once
#include "backend/imapd/imapd.h"

struct crash_page;

struct process_opts {
	const struct settings *set;
	const struct user_record *record;
	struct str opaque;        /* ipc/session.h */
	uint64_t dev, ino;        /* of the store */
	int maildir_fd;           /* owned from here on */
	int session_fd;           /* link to the master; -1: shell mode, one client on 0 and 1 */
	int notify_fd;            /* or -1 */
	struct crash_page *crash; /* or NULL */
};
/* Serves until it is over; the exit status. */
int process_run(const struct process_opts *o);
