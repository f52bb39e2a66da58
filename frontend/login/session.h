/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session: a client before its login: the connection, its limits and deadlines. preauth.c runs its
 * commands, login.c carries a login attempt to authd and the backend.
 */
#pragma once
#include "common/imap/parser.h"
#include "common/imap/saslname.h"
#include "common/io/conn.h"
#include "common/io/sock.h"
#include "common/ipc/auth.h"
#include "frontend/login/proxied.h"
#include "frontend/login/worker.h"

enum session_state {
	SESSION_SHAKING, /* TLS handshake; nothing was said yet */
	SESSION_COMMANDS,
	SESSION_SASL,	 /* an attempt is under way, and the next line answers a challenge */
	SESSION_LOGIN,	 /* an attempt is under way: input stays where it is */
	SESSION_PENALTY, /* a refused login is answered later */
	SESSION_CLOSING, /* the last bytes go out */
};

struct login;
struct tlsconn;

struct session {
	struct worker *worker;
	struct list link;
	enum session_state state;
	struct conn *conn;   /* NULL while the backend has a plain client's socket */
	struct tlsconn *tls; /* top layer of conn, or NULL */
	struct login *login; /* the attempt under way, or NULL */
	struct imap_parser parser;
	struct loop_timer *deadline; /* whatever the client sends */
	struct loop_timer *penalty;  /* made with the first refused login */
	struct buf answer;	     /* what is said after the penalty */
	unsigned bad, refused;
	bool loopback;
	bool ssl; /* it came to SSLPORT */
	uint32_t ssf; /* of what protects the connection outside of us; EXTERNAL_SSF or more */
	bool counted;		 /* under MAXPERIP, as addr */
	struct net_addr addr;	 /* the client's */
	struct proxied *proxied; /* what the load balancer said that it came by; or NULL */
	uint16_t rport, lport;
	char id[24], rip[64], lip[64];
};

void session_new(struct worker *w, const struct arrival *a); /* takes its descriptor and proxied */
void session_close_oldest(struct worker *w);
void session_close_all(struct worker *w, const char *text);

/* "* BYE text", then the connection is closed. */
void session_bye(struct session *s, const char *text);
/* The peer's bad command was answered: BYE when there were too many. */
void session_count_bad(struct session *s);
/* Nobody on the way can listen: TLS with us, or with a load balancer that is believed (PROXY_TLS). */
bool session_secure(const struct session *s);
/* False: passwords are not taken on this connection before TLS (IMAP_TLS_REQUIRED). */
bool session_may_login(const struct session *s);
void session_put_caps(const struct session *s, struct buf *out);
void session_facts(const struct session *s, struct session_facts *f, struct buf *tls_info);
/* What the check of a login with this mechanism needs to know beside the facts. Strings last as long
 * as s and a. */
void session_peer(const struct session *s, enum sasl_id mechanism, struct auth_peer *p,
		  struct arena *a);
/* SASL_BIT of the mechanisms that can work on this connection. */
unsigned session_mechanisms(const struct session *s);
int session_start_tls(struct session *s); /* everything before must have been written */
size_t session_in_max(const struct worker *w);

/* A plain client comes back from the backend with the bytes that were received before. */
void session_reconnect(struct session *s, int fd, struct str unread);
/* A login attempt is at authd or the backend, or waits for the client's answer to a challenge. */
void session_login_busy(struct session *s);
void session_await_sasl(struct session *s);
/* Ends of a login attempt; s->login is over. line: the tagged answer, given at due_ms (loop_now). */
void session_login_refused(struct session *s, struct str line, uint64_t due_ms);
void session_login_malformed(struct session *s); /* BAD was said */
void session_login_over(
	struct session *s); /* the client is the backend's, or gone: ends the session */
