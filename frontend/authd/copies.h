/* SPDX-License-Identifier: Apache-2.0 */
/* copies: what a message said, kept longer than the message: all strings go into an arena. */
#pragma once
#include "common/base/arena.h"
#include "common/ipc/auth.h"

struct session_facts copy_facts(struct arena *a, const struct session_facts *f);
struct auth_peer copy_peer(struct arena *a, const struct auth_peer *p);
struct user_record copy_record(struct arena *a, const struct user_record *r);
