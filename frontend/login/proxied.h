/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proxied: clients of a load balancer, on the listeners that demand a PROXY header: it is accepted
 * once, first, and only from PROXY_TRUSTED. Reads exactly the header; what follows is the client's.
 */
#pragma once
#include "frontend/login/door.h"

struct proxied {  /* what is kept of a header */
	bool own; /* LOCAL or UNKNOWN: the balancer's own connection */
	bool tls; /* the balancer says that the client talks TLS with it */
	uint16_t port, server_port;
	char addr[64], server_addr[64]; /* of the balancer, and of ours that it connected to */
	char tls_info[140];		/* "TLSv1.3 CIPHER" */
	char authority[256];		/* server name that the client asked for, or "" */
	uint8_t nid;
	char id[128]; /* the balancer's name for this connection, any bytes */
};

/* a->peer is the balancer. Takes the descriptor; door_arrived follows, with the client's address. */
void proxied_wait(struct worker *w, const struct arrival *a);
bool proxied_close_oldest(struct worker *w); /* false: nobody waits here */
void proxied_close_all(struct worker *w);
/* These first bytes of a session are a second header. */
bool proxied_again(struct str in);
/* The log line about a header that is refused. */
void proxied_complain(struct worker *w, const char *ip, uint16_t port, const char *reason);
