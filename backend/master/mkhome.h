/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mkhome: makes an account's missing home directory as a copy of AUTH_MKHOMEDIR_SKEL. Blocks; runs on
 * an I/O thread of the master.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>
#include "common/base/err.h"

struct mkhome_want {
	bool become; /* we are root, and this thread touches files as uid and gid */
	uint32_t uid, gid;
	const char *home; /* absolute */
	const char *skel;
	size_t files_max; /* files, directories and links in the skeleton */
	uint64_t bytes_max;
};
/*
 * The copy is made beside the home under a name of its own, made durable, and renamed: a death on the way
 * leaves no half home. Everything is read and written with the rights of the account; only where the
 * account may not write beside its home (/home) does root make the one directory, give it away, and
 * rename it. Links are copied as links; other things than files, directories and links are a fault of
 * the skeleton. A home that somebody else made meanwhile stays.
 */
int mkhome(const struct mkhome_want *w, struct err *e);
