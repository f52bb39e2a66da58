/* SPDX-License-Identifier: Apache-2.0 */
/*
 * authlib_proto: what is said on courier-authlib's daemon socket. Each connection carries one
 * request and one reply. Pure: bytes in, slices out.
 *
 *	[TCPREMOTEIP=ADDRESS LF]                        from 0.71 on, for PAM and the log
 *	PRE . SERVICE USER LF                           the account without a look at its password
 *	AUTH LENGTH LF SERVICE LF TYPE LF DATA          LENGTH: of what follows its line
 *	  login     USER LF PASSWORD LF
 *	  cram-md5  base64(CHALLENGE) LF base64(USER " " DIGEST) LF
 *
 * The reply is NAME=VALUE lines and a line ".", or the line FAIL; the end of the connection without
 * either is the daemon's way to say that it can't tell now.
 */
#pragma once
#include "common/base/buf.h"

#define AUTHLIB_REPLY_MAX 65536 /* Courier's own library stops at 8191 */

struct authlib_reply {	     /* p == NULL: the attribute wasn't there */
	struct str username; /* of the system's user table; its uid counts where there is no UID */
	struct str uid, gid, home, address, maildir, quota, options;
	struct str clear; /* PASSWD2: the password in clear, where the daemon knows it */
};

enum authlib_end {
	AUTHLIB_MORE,	 /* the reply isn't whole yet */
	AUTHLIB_ACCOUNT, /* *r is filled, with slices of in */
	AUTHLIB_FAIL,	 /* unknown user or wrong password: the daemon doesn't say which */
	AUTHLIB_BROKEN,	 /* no reply of this protocol, or longer than AUTHLIB_REPLY_MAX */
};
enum authlib_end authlib_parse(struct str in, struct authlib_reply *r);

/* Whether a name or password can be sent at all: the daemon reads lines, and C strings. */
bool authlib_sendable(struct str s);

/* rip: the client's address, empty: the line is left out. */
void authlib_put_pre(struct buf *b, struct str rip, struct str service, struct str user);
void authlib_put_login(struct buf *b, struct str rip, struct str service, struct str user,
		       struct str password);
void authlib_put_cram(struct buf *b, struct str rip, struct str service, struct str user,
		      struct str challenge, struct str digest);
