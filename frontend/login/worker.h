/* SPDX-License-Identifier: Apache-2.0 */
/*
 * worker: one login worker: event loop, listeners, TLS, clients before login, pumps after it. What
 * the parts of the process share, and its link to frontend main (supervise.h).
 */
#pragma once
#include "common/base/hmap.h"
#include "common/base/list.h"
#include "common/config/access.h"
#include "common/config/settings.h"
#include "common/imap/caps.h"
#include "common/io/link.h"
#include "common/ipc/ipcount.h"
#include "common/sys/cyrusmsg.h"
#include "frontend/login/ration.h"

struct auth_client;
struct handoff_client;
struct tlsctx;

struct worker {
	struct loop *loop;
	const struct settings *set;
	struct link *sup;
	struct tlsctx *tls;
	struct auth_client *auth;
	unsigned mechanisms; /* SASL_BIT of those that authd offers */
	struct handoff_client *handoff;

	struct list listeners;	    /* listener.c's */
	struct loop_timer *reopen;  /* accepting goes on when descriptors are there again */
	struct list waiting;	    /* struct session.link: before login, oldest first */
	struct list logging_in;	    /* struct session.link: at authd or the backend */
	struct list pumps;	    /* struct pump.link */
	unsigned nsessions, npumps; /* before login, after it */
	struct list proxied;	    /* proxied.c's: a PROXY header is to come; in nsessions too */
	struct netlist trusted, exempt; /* PROXY_TRUSTED, LIMIT_EXEMPT */
	struct access *access;		/* NULL: all may come in */
	struct ipcount *ipcount;	/* clients before their login by address, of all workers */
	char shutdown[CYRUSMSG_MAX], motd[CYRUSMSG_MAX]; /* what new clients are told; or empty */
	bool draining, announced;
	struct ration shake_faults, denied, crowded, over_limit, misproxied;
	uint64_t serial; /* for session ids */
	char prefix[9];
};

struct worker *worker_new(struct loop *l, const struct settings *set, int sup_fd);
void worker_free(struct worker **w);
void worker_mechanisms_came(struct worker *w); /* w->mechanisms is there: the worker may be ready */
/* A session or pump has ended: a draining worker may be done. */
void worker_ended(struct worker *w);
/* Makes a session id, [A-Za-z0-9], unique in time and over workers. */
void worker_session_id(struct worker *w, char out[24]);
