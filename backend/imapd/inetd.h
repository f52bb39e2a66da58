/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inetd: imapd as a service that somebody else starts for each connection (inetd, systemd with
 * Accept=yes): nobody is logged in there, so the client goes to the front end.
 */
#pragma once
#include "common/config/settings.h"

struct inetd_opts {
	bool tls, nocheck; /* -s, -N */
	uint32_t ssf;	   /* -p */
};

/* The descriptor of a network client: 0, or what systemd passes; -1: there is none. Before settings
 * are read: where stderr is the client too, it becomes something that ends up in syslog. */
int inetd_client(void);
/* A TCP or UDP socket, whatever its state. */
bool inetd_is_network(int fd);
_Noreturn void inetd_run(const struct settings *set, int fd, const struct inetd_opts *o);
