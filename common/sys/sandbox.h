/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sandbox: Landlock. After sandbox_fs the process (this thread and those it starts: call it before
 * any) reaches only the given directories by path, executes nothing, makes no device nodes, sends no
 * signal and connects to no abstract socket outside; open descriptors stay usable (DESIGN.md P8).
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "common/base/err.h"

enum sandbox_access { SANDBOX_READ, SANDBOX_READWRITE };
struct sandbox_rule {
	int fd; /* a directory (with what is below) or a file; stays the caller's */
	enum sandbox_access access;
};

int sandbox_abi(void); /* Landlock's version in this kernel; 0: it has none, or it is off */
/* n may be 0: nothing can be opened by any path. deny_tcp: no bind, no connect (kernels from 6.7).
 * -1 with code ENOSYS: the kernel lacks what is needed (ABI 2, Linux 5.19): nothing was changed. */
int sandbox_fs(const struct sandbox_rule *rules, size_t n, bool deny_tcp, struct err *e);
