/* SPDX-License-Identifier: Apache-2.0 */
/*
 * owner: no verb touches a user's files as root. Run by root, what follows is done as the owner of the directory,
 * for good; run by somebody else, it must be the owner.
 */
#pragma once
#include "common/base/err.h"

/* Opens the directory (its last component may be no symlink), as its owner. -1: *e. */
int owner_open(const char *path, struct err *e);
