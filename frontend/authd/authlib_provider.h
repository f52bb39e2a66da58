/* SPDX-License-Identifier: Apache-2.0 */
/*
 * authlib_provider: AUTHMODULES=authlib. Asks courier-authlib's daemon at AUTHLIB_SOCKET, one
 * connection per request as Courier's own library does, AUTHLIB_CONNECTIONS at the same time; the rest
 * waits in turn. A daemon that is away is noticed at once, and its return by the next login.
 */
#pragma once
#include "common/config/settings.h"
#include "frontend/authd/provider.h"

struct confine_needs;
struct jobs;
struct loop;

struct provider *authlib_provider_new(struct loop *l, const struct settings *set,
				      struct jobs *jobs);
/* For confine: a reply may name a user of the system instead of a uid, which libc looks up. */
void authlib_provider_needs(const struct settings *set, struct confine_needs *n);
