/* SPDX-License-Identifier: Apache-2.0 */
/* door: who may come in: access rules, and the limits on connections. */
#pragma once
#include "common/io/netlist.h"
#include "frontend/login/worker.h"

struct proxied;

struct arrival { /* a client whose address is known */
	int fd;
	bool tls;	   /* from the first byte */
	uint32_t ssf;	   /* of a layer outside of ours, as who accepted it says */
	uint64_t since_ms; /* when it connected */
	struct sock_addr peer, local;
	struct proxied *proxied; /* it came by a load balancer; or NULL */
	bool counted;		 /* door_left must follow */
};

/* Makes a session of it or turns it away; takes the descriptor and proxied. */
void door_arrived(struct worker *w, struct arrival *a);
/* A client that was counted has logged in, or gone. */
void door_left(struct worker *w, const struct net_addr *ip);
