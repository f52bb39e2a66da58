/* SPDX-License-Identifier: Apache-2.0 */
/* spawn: backend master <-> zygote. The zygote was exec'd once without any secret and forks. */
#pragma once
#include "common/ipc/wire.h"

enum spawn_msg {
	SPAWN_FORK = 1,   /* master -> zygote, u32 count: fork that many pool children */
	SPAWN_FORKED = 2, /* zygote -> master, u32 pid, 1 fd: the master's end of the child's session link */
	SPAWN_EXITED = 3, /* zygote -> master, u32 pid, i64 wait status */
};
#define SPAWN_FD 3 /* of the zygote: this link */
