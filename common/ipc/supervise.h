/* SPDX-License-Identifier: Apache-2.0 */
/*
 * supervise: frontend main <-> its children (login workers, authd). The children hold no path: what
 * they need arrives here as descriptors. Inherited at fixed numbers: 3 = this link; login workers
 * also have their listening sockets, announced by SUP_LISTENER.
 */
#pragma once
#include "common/ipc/wire.h"

#define SUP_TICKET_KEY_LEN 80 /* name 16, HMAC-SHA-256 key 32, AES-256 key 32, as nginx has it */
#define SUP_TICKET_KEYS_MAX 16

enum sup_msg {
	SUP_LISTENER = 1, /* main -> login, u8 tls, u8 proxied, 1 fd: a listening socket; proxied: a
			   * PROXY header comes first */
	SUP_CERT = 2, /* main -> login, 1 fd: memfd with certificates (certs.h): at the start all, then
		       * those that changed: new handshakes use the new ones */
	SUP_AUTHD_LINK = 3, /* main -> login, 1 fd: a link to authd (auth.h); replaces the old one.
			       * main -> authd, u32 worker number, 1 fd: the other end */
	SUP_BACKEND_LINK =
		4, /* main -> login, 1 fd: connected to RUNDIR/backend.sock (handoff.h) */
	SUP_BACKEND_LOST =
		5, /* login -> main: that link closed; main connects again with back-off */
	SUP_PASSWD_FILE =
		6, /* main -> authd, 1 fd: PASSWD_FILE, open for reading; again when it changed */
	SUP_RUNDIR = 7, /* main -> authd, 1 fd: directory in which ticket.key lies */
	SUP_READY = 8,	/* child -> main: it serves */
	SUP_DRAIN = 9,	/* main -> login: close the listeners, end when the last session has gone */
	SUP_COUNTS =
		10, /* login -> main, u32 prelogin, u32 sessions: for posthousectl, when asked */
	SUP_COUNTS_WANTED = 11, /* main -> login */
	SUP_REVOKE =
		12, /* main -> authd, str user: posthousectl says that what is known of it is out of date */
	SUP_REVOKED =
		13, /* authd -> main, u64 wall-clock ms, str user: sessions that logged in before then are to end */
	SUP_ACCESS =
		20, /* main -> login, 1 fd: IMAPACCESSFILE, open for reading; again when it changed */
	SUP_IPCOUNT = 21, /* main -> login, u8 own, 2 x u64 key, own: 1 fd, else 1 to 4: tables of
			       * connections per address (ipcount.h), its own and those of other workers */
	SUP_CLIENT = 22, /* main -> login, u8 tls, u32 ssf, 1 fd: a client that somebody else accepted (inlet.h) */
	SUP_NOTICE = 23, /* main -> login, str shutdown, str motd: what new clients are told; empty: nothing */
	SUP_TICKET_KEYS = 30, /* main -> login, keys of session tickets, SUP_TICKET_KEY_LEN bytes each: the first
			       * encrypts, all decrypt */
	SUP_TRUST = 31,       /* main -> login, authd, 2 fds: memfds with the authorities of client certificates and
			       * their revocation lists in PEM */
	SUP_SERVER_CERTS = 32, /* main -> authd, 1 fd: memfd with the SHA-256 of each certificate of ours */
	SUP_AUTHTEST = 40, /* main -> authd, u32 id, str service, str user, u8 with a password, str password */
	SUP_AUTHTESTED = 41, /* authd -> main, u32 id, u8 result (auth.h), str provider, str text, the record if found */
};
