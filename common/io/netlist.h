/* SPDX-License-Identifier: Apache-2.0 */
/*
 * netlist: IP addresses as bytes, networks, and lists of networks from the settings
 * ("10.0.0.0/8, 2001:db8::/32 192.0.2.7"). An IPv4 address is its IPv4-mapped IPv6 one, so that both
 * forms of a client's address match the same networks.
 */
#pragma once
#include <stdint.h>
#include "common/base/err.h"
#include "common/base/str.h"
#include "common/io/sock.h"

struct net_addr {
	uint8_t b[16]; /* ::ffff:a.b.c.d for IPv4 */
};
struct net {
	struct net_addr addr;
	uint8_t bits; /* of all 128: an IPv4 /8 is 104 */
};
struct netlist {
	struct net *a;
	size_t n;
};

/* An address alone, without port, zone or brackets. */
bool net_addr_parse(struct str text, struct net_addr *a);
bool net_addr_of_sock(const struct sock_addr *sock,
		      struct net_addr *a); /* false: neither IPv4 nor IPv6 */
bool net_addr_is4(const struct net_addr *a);
void net_addr_cut(struct net_addr *a,
		  unsigned bits); /* the bits behind the first so many become 0 */

/* "address" or "address/length"; e says what is wrong, bits set behind the length too. */
int net_parse(struct str text, struct net *n, struct err *e);
bool net_has(const struct net *n, const struct net_addr *a);

/* Networks with blanks or commas between them; an empty text is an empty list. On an error e names
 * setting, and *l is empty. */
int netlist_parse(struct netlist *l, const char *text, const char *setting, struct err *e);
bool netlist_has(const struct netlist *l, const struct net_addr *a);
bool netlist_has_ip(const struct netlist *l,
		    struct str ip); /* printable; false where it is no address */
void netlist_deinit(struct netlist *l);
