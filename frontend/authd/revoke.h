/* SPDX-License-Identifier: Apache-2.0 */
/*
 * revoke: what is known of an account is out of date (its password was changed, it was locked): the
 * cache forgets it, a check under way is not kept, and frontend main has the backend end its sessions
 * that logged in before now.
 */
#pragma once
#include "frontend/authd/authd.h"

/* why: for the log. user: as users log in, or canonical. */
void revoke_user(struct authd *ad, struct str user, const char *why);
/* Somebody may have been missed (a gap in the news, a new passwd-file): everybody is asked for again, and
 * what is kept is for when nobody can be asked; sessions stay. */
void revoke_doubt(struct authd *ad, const char *why);
