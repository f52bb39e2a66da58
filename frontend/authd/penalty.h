/* SPDX-License-Identifier: Apache-2.0 */
/*
 * penalty: who has guessed too often (FEATURES.md U12, U14, O40). Refused logins are counted per
 * account and per network (LOGIN_PENALTY_NET4/6); the same wrong password of an account counts once, so
 * that a phone with an old password isn't taken for an attack. Beyond LOGIN_PENALTY_FREE the next
 * attempt waits, twice as long with each refusal, up to LOGIN_PENALTY_MAX, but never where this
 * account has logged in from this network lately, nor in LIMIT_EXEMPT: others behind the same address, and the owner of an
 * account that is under attack, get in without waiting.
 *
 * All tables are bounded (LOGIN_PENALTY_KEPT), the oldest go first. Only the loop's clock is used.
 */
#pragma once
#include "common/base/str.h"
#include "common/config/settings.h"

struct penalty;
struct loop;

struct penalty *penalty_new(struct loop *l, const struct settings *set);
void penalty_free(struct penalty **p);

/* Milliseconds that an attempt waits before anybody is asked. user: empty where it isn't known yet, as
 * with a token. rip: printable, no port. */
uint64_t penalty_wait(struct penalty *p, struct str user, struct str rip);
/* A refusal. proof: the wrong password or what stands for it, hashed at once; p == NULL: there is none,
 * and each counts. True: it counted (others may be told). */
bool penalty_failed(struct penalty *p, struct str user, struct str rip, struct str proof);
void penalty_succeeded(struct penalty *p, struct str user, struct str rip);
/* Another host has counted so many in all. name: a user, or a network as penalty_network writes it. */
void penalty_merge(struct penalty *p, bool is_user, struct str name, uint64_t count);
/* "192.0.2.7/32", "2001:db8::/64": the network of an address; the address itself where it is none. */
void penalty_network(const struct settings *set, struct str rip, char out[64]);
/* Forgets an account's refusals (its password was changed, or an administrator says so). */
void penalty_forgive(struct penalty *p, struct str user);
