/* SPDX-License-Identifier: Apache-2.0 */
/* fdwrite: all of some bytes to a file, over short writes and signals. For files; sockets are conn's. */
#pragma once
#include "common/base/str.h"

int fdwrite_all(int fd, struct str s);  /* -1 with errno: some of it may be there */
int fdwrite_sync(int fd, struct str s); /* and they are on the disk: fsync(2) */
