/* SPDX-License-Identifier: Apache-2.0 */
/* clockcheck: whether the mail volume's clock and the local one agree. Blocks; runs on an I/O thread. */
#pragma once
#include <stdint.h>
#include "common/base/err.h"

#define CLOCKCHECK_TEXT "Clock skew detected. Check the clock on the file server"

/*
 * Makes a file in the Maildir's tmp/ and looks at its time. -1: more than max_s seconds apart, *e says how many.
 * What keeps a file from being made (a full volume, no tmp) is not for this to say: 0.
 */
int clockcheck(int maildir_fd, uint64_t max_s, struct err *e);
