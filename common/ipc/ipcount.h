/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ipcount: how many connections each address holds, over all login workers of the host (MAXPERIP).
 * Each worker has a table of its own in shared memory, which only it can write; it adds up its own
 * and the others' for each client. So a worker that was taken over can cause refusals and nothing
 * else. Frontend main makes the tables and empties one when its worker has ended.
 *
 * A table is an array of buckets of one cache line; an address lives in one of two buckets. Places
 * are chosen by a keyed hash, so that nobody can aim collisions; a place never moves, and is one
 * atomic word: readers need no lock. IPv6 addresses count by their /64, which is one customer.
 */
#pragma once
#include <stdbool.h>
#include "common/io/netlist.h"

struct ipcount;

/* Frontend main: a table for so many addresses at once. *own for its worker, *shared for the others
 * (read-only). -1: errno. */
int ipcount_make(uint64_t addresses, int *own, int *shared);
void ipcount_clear(int own); /* its worker has ended */

/* Workers. Before ipcount_set_own nothing is counted. */
struct ipcount *ipcount_new(void);
int ipcount_set_own(struct ipcount *c, const uint64_t key[2],
		    int fd); /* fd stays the caller's; -1: errno */
int ipcount_add_other(struct ipcount *c, int fd);
/* Counts one more connection of this address, unless max (0: no limit) are there already: then false. */
bool ipcount_enter(struct ipcount *c, const struct net_addr *a, uint64_t max);
void ipcount_leave(struct ipcount *c, const struct net_addr *a);
uint64_t ipcount_sum(const struct ipcount *c, const struct net_addr *a);
void ipcount_free(struct ipcount **c);
