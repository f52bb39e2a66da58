/* SPDX-License-Identifier: Apache-2.0 */
/*
 * maildir: opens an account's Maildir, and makes it where it is missing. Blocks; runs on an I/O
 * thread of the master.
 */
#pragma once
#include "common/base/err.h"
#include "common/base/str.h"

struct maildir_want {
	bool become;           /* we are root: touch the volume as uid and gid, not as root */
	uint32_t uid, gid;
	const char *home;      /* absolute */
	const char *maildir;   /* relative to home, or absolute */
	bool loginexec;        /* look for the file of that name */
	bool sanity;           /* IMAP_MAILBOX_SANITY_CHECK */
	const char *skel;      /* AUTH_MKHOMEDIR_SKEL, or empty */
	uint64_t skel_files, skel_bytes;
};
struct maildir_found {
	int fd;                /* O_RDONLY directory */
	uint64_t dev, ino;
	bool made, home_made;
	bool loginexec;        /* it is there, and wanted */
	const char *code, *say; /* of a refusal that the client is told as it is; else NULL */
};
/*
 * No symbolic link is followed within the Maildir's path below the home (nor in the last part of an
 * absolute one): B62. It must be a directory, with sanity of that uid and gid. A missing one is made (0700,
 * with cur, new and tmp), its home too: as a copy of skel (mkhome.h), else as far as the user himself may. A
 * sticky bit on home or Maildir says that the account is locked. -1: *e names the path and what to do.
 */
int maildir_open_or_make(const struct maildir_want *w, struct maildir_found *out, struct err *e);
