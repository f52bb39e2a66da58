/* SPDX-License-Identifier: Apache-2.0 */
/*
 * maildir: file names and directories of a Maildir (FEATURES.md R137). Pure name handling, and
 * blocking helpers for I/O threads.
 *
 * Files that count as messages: regular, not a symlink, readable, owned by the account; or owned by
 * root with one link only (a delivery agent that runs as root), so that a hard link to somebody
 * else's file is no way to read it (B62).
 */
#pragma once
#include <sys/stat.h>
#include "common/base/buf.h"
#include "common/base/err.h"

struct md_name {          /* slices into the name that was parsed */
	struct str base;  /* up to ":2," (or the whole name) */
	uint8_t flags;    /* MSG_SEEN ... of store.h */
	struct str extra; /* letters other than D F R S T, as they are (Dovecot's a-z keywords) */
	uint64_t size;    /* ,S= ; 0 = not given */
	uint64_t wire;    /* ,W= ; 0 = not given */
};
/* False for names that are no messages: a "." in front, empty, a newline or '/' in it, over 255. */
bool md_name_parse(struct str name, struct md_name *out);
/* The letters of a name's extra, sorted, each once: a slice of out. */
struct str md_extra_pure(struct str extra, char out[256]);
/* base + ":2," + letters in ASCII order, extra ones among them. A file without flags that lies in
 * new/ has no suffix; in cur/ it is always there. False where it would be over 255 bytes. */
bool md_name_make(struct str base, uint8_t flags, struct str extra, bool in_new, char out[256]);
/* Unique base name for a new message: <sec>.M<usec>P<pid>Q<n>.<host>,S=<size>,W=<wire>. */
void md_name_new(char out[256], uint64_t size, uint64_t wire);
/* Order in which new names get their UIDs: numeric prefix, then bytes (R137). */
int md_name_cmp(struct str a, struct str b);

/* Whether a file counts as a message; *why says why not. */
bool md_file_ok(const struct stat *st, const char **why);

/* One readdir of a directory: fn for each entry that can be a message by its name; regular: by its d_type, too
 * (DT_UNKNOWN passes). Return non-zero from fn to stop. Reads through a descriptor of its own. 0/-1. */
typedef int md_scan_fn(void *ctx, const char *name, bool regular);
int md_scan(int dir_fd, md_scan_fn *fn, void *ctx, struct err *e);
/* Looks for base in cur/ and new/, whatever its flags. 1: found, name and *in_new set; 0; -1. */
int md_find(int cur_fd, int new_fd, struct str base, char name[256], bool *in_new, struct err *e);
int64_t md_mtime_ns(int dir_fd); /* st_mtim of a directory, -1 on error */
int md_fsync_dir(int dir_fd);
