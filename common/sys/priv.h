/* SPDX-License-Identifier: Apache-2.0 */
/*
 * priv: becoming another user for good, and what every process of ours gives up beside that.
 * Call these before threads start and before the sandbox is closed.
 */
#pragma once
#include <stdbool.h>
#include <sys/types.h>
#include "common/base/err.h"

struct priv_user {
	uid_t uid;
	gid_t gid;
};
/* user: a name of the system's user table, or a number (gid then: that of the user with this
 * number, or the same number). -1: no such user. */
int priv_lookup(const char *user, struct priv_user *out, struct err *e);

/* Becomes uid:gid with no other group and no capability, and proves that there is no way back.
 * keep_cap: a CAP_ number that stays effective, or -1. Refuses uid 0 and gid 0. Ends with
 * priv_harden. Works for root; for others only when uid and gid are already theirs. */
int priv_become(uid_t uid, gid_t gid, int keep_cap, struct err *e);

/* The same for a child that is about to be another program, which may gain by exec (SENDMAIL's set-group-id
 * helpers): without priv_harden. */
int priv_become_exec(uid_t uid, gid_t gid, struct err *e);

/* For daemons: started as root, becomes user (a setting's value); started as somebody else, stays
 * that. All capabilities but keep_cap (-1: all) go either way; ends with priv_harden. */
int priv_drop(const char *user, int keep_cap, struct err *e);
/* The same with further groups: names or numbers, blanks between; none of them may be 0. */
int priv_drop_groups(const char *user, const char *groups, int keep_cap, struct err *e);

/* No core dumps, no ptrace by the same uid, no gain by exec. For processes that stay root, too. */
int priv_harden(struct err *e);
/* The same, but programs that it starts may gain by exec. */
int priv_harden_exec(struct err *e);
