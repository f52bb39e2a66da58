/* SPDX-License-Identifier: Apache-2.0 */
/*
 * passwd_file: a parsed PASSWD_FILE, user:hash:uid:gid:gecos:home:shell:options. Pure: bytes in,
 * a map out. Fields behind the hash may be missing; what lies behind the seventh colon is options.
 *
 * A line whose options have app=NAME is a further password of the account that a line before it
 * describes (O8); of it, only the hash and the options services= and expires= count.
 */
#pragma once
#include "common/base/arena.h"
#include "common/base/hmap.h"

#define PASSWD_LINE_MAX 8192
#define PASSWD_FILE_MAX (256u << 20)
#define PASSWD_APPS_MAX 32 /* of one account: a wrong password costs a computation for each */

struct passwd_app {
	struct str name, hash, options;
	struct passwd_app *next; /* as they stand in the file */
};
struct passwd_entry {
	struct str user, hash, uid, gid, home, options; /* numbers are checked, or empty */
	struct passwd_app *apps;
};
struct passwd_file {
	struct arena arena;
	size_t size;	    /* of the text */
	struct hmap *users; /* struct passwd_entry by name */
	unsigned unsuited;  /* SASL_BIT of mechanisms for which some account's hash is not enough */
	struct str common_hash; /* the first real hash: what a try for an unknown user costs */
};

/* Called for each line that is skipped. */
typedef void passwd_fault_fn(void *ctx, unsigned line, const char *why);

struct passwd_file *passwd_file_parse(struct str text, passwd_fault_fn *fault, void *ctx);
const struct passwd_entry *passwd_file_find(const struct passwd_file *f, struct str user);
void passwd_file_free(struct passwd_file **f);
