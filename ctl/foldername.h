/* SPDX-License-Identifier: Apache-2.0 */
/* foldername: names of a Maildir's folders, ".a.b" on disk, INBOX.a.b for clients. */
#pragma once
#include "common/base/buf.h"

/* "a.b": UTF-8 without control characters and '/', no empty level, and short enough for a directory. */
bool foldername_ok(struct str name);
/* The directory's name from "INBOX" (".") or "INBOX.a.b". False where it is no folder's. */
bool foldername_dir(struct str inbox, struct buf *out);

/* ".a.b" in modified UTF-7. False where it would be too long. */
bool foldername_encode(struct str dir, struct buf *out);

enum foldername_form {
	FOLDERNAME_PLAIN, /* the same in both forms */
	FOLDERNAME_UTF8,
	FOLDERNAME_MUTF7, /* Courier before 5.0, Dovecot */
	FOLDERNAME_NEITHER
};
/* Which form a directory's name (with the dot in front) is in, by itself; other: its name in the other form,
 * empty where there is none. "&-" may be either: it counts as MUTF7. */
enum foldername_form foldername_form(struct str dir, struct buf *other);

struct foldername_list {
	char **a;
	size_t n, cap;
};
/* The directories of a Maildir that have a dot in front. -1: errno, and *l is empty. */
int foldername_list(int maildir_fd, struct foldername_list *l);
void foldername_list_free(struct foldername_list *l);
