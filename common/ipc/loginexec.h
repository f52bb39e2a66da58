/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loginexec: backend master -> the program that runs one account's loginexec file. One message, then the link
 * ends; the program's exit is the answer.
 */
#pragma once
#include "common/ipc/proto.h"
#include "common/ipc/wire.h"

enum loginexec_msg {
	LOGINEXEC_RUN = 1, /* master -> program, loginexec_run */
};
#define LOGINEXEC_FD 3	       /* of the program: this link */
#define LOGINEXEC_MAILDIR_FD 4 /* the Maildir, O_RDONLY */

struct loginexec_run {
	struct str user;
	uint32_t uid, gid;
	struct str home;
	struct str session;
};
void loginexec_run_put(struct buf *b, const struct loginexec_run *r);
bool loginexec_run_get(struct str body, struct loginexec_run *r);
