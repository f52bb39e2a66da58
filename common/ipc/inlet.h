/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inlet: an imapd that inetd, systemd (Accept=yes) or the like started with a client on its standard
 * input -> frontend main, over RUNDIR/frontend.in (mode 0600, SO_PEERCRED: root and the frontend's own
 * uid). One message and its answer; the client is the frontend's once it has said TAKEN.
 */
#pragma once
#include "common/ipc/wire.h"

enum inlet_msg {
	INLET_CLIENT =
		1, /* imapd -> frontend, u8 tls (from the first byte, -s), u8 nocheck (-N), u32 ssf (-p);
			    * 1 fd: a connected TCP socket */
	INLET_TAKEN = 2,   /* frontend -> imapd, empty */
	INLET_REFUSED = 3, /* frontend -> imapd, text for the log */
};
