/* SPDX-License-Identifier: Apache-2.0 */
/*
 * access: which networks may connect (IMAPACCESSFILE), in the format of Courier's couriertcpd: one
 * line each, a network, a tab, "allow" or "deny", and after a comma variables:
 *
 *     192.168.0	allow,MAXCPERIP=100
 *     :3ffe:1200	deny
 *     2001:db8::/32	allow
 *     *	deny
 *
 * The most specific network that has the client's address decides; none: allow.
 */
#pragma once
#include "common/io/netlist.h"

#define ACCESS_FILE_MAX (16u << 20) /* bytes */

struct access;
struct access_rule {
	bool allow;
	bool has_max;  /* MAXCPERIP is in place of MAXPERIP ... */
	uint32_t max;  /* ... 0: no limit */
	unsigned line; /* 0: no rule matched */
};

/* NULL: e has FILE:LINE and what is wrong there. */
struct access *access_parse(struct str text, const char *file, struct err *e);
/* From an open file, whatever its offset is. */
struct access *access_read(int fd, const char *file, struct err *e);
struct access_rule access_find(const struct access *a,
			       const struct net_addr *addr); /* a may be NULL */
void access_free(struct access **a);
