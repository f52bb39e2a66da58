/* SPDX-License-Identifier: Apache-2.0 */
/*
 * passwd_file: a parsed PASSWD_FILE, user:hash:uid:gid:gecos:home:shell:options. Pure: bytes in,
 * a map out. Fields behind the hash may be missing; what lies behind the seventh colon is options.
 */
#pragma once
#include "common/base/arena.h"
#include "common/base/hmap.h"

#define PASSWD_LINE_MAX 8192
#define PASSWD_FILE_MAX (256u << 20)

struct passwd_entry {
	struct str user, hash, uid, gid, home, options; /* numbers are checked, or empty */
};
struct passwd_file {
	struct arena arena;
	struct hmap *users;	/* struct passwd_entry by name */
	struct str common_hash; /* the first real hash: what a try for an unknown user costs */
};

/* Called for each line that is skipped. */
typedef void passwd_fault_fn(void *ctx, unsigned line, const char *why);

struct passwd_file *passwd_file_parse(struct str text, passwd_fault_fn *fault, void *ctx);
const struct passwd_entry *passwd_file_find(const struct passwd_file *f, struct str user);
void passwd_file_free(struct passwd_file **f);
