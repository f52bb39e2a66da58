/* SPDX-License-Identifier: Apache-2.0 */
/*
 * frontend: the main of a front end. It opens the listeners, starts login workers and authd, starts
 * them again when they end, and hands them what they can't open themselves (supervise.h). It reads
 * no byte of any client.
 */
#pragma once
#include "common/base/list.h"
#include "common/config/settings.h"
#include "common/io/link.h"
#include "common/ipc/control.h"
#include "common/ipc/supervise.h"

#define PORTS_MAX 16

struct port { /* one address that is listened on, by each worker with a socket of its own */
	char host[64];
	uint16_t number;
	bool tls, proxied;
};

struct child { /* a login worker or authd */
	struct frontend *frontend;
	const char *program;
	uint32_t number;   /* of a worker */
	pid_t pid;	   /* 0: not running */
	struct link *link; /* NULL: not running, or it has closed it */
	bool ready;
	uint64_t started_ms;
	struct buf counts; /* SUP_COUNTS as it said them last */
	unsigned failures; /* in a row; each doubles the pause before the next start */
	struct loop_timer *restart;

	/* workers only */
	int listeners[PORTS_MAX]; /* kept over restarts, with the connections in their backlogs */
	int ipcount,
		ipcount_shared; /* its table: descriptors that write and that only read; kept too */
	bool linked;		/* it was given a link to the backend */
	struct loop_timer *connect;
	unsigned connect_tries;
};

struct watched {	  /* a file that children get as descriptors, looked at once a second */
	const char *path; /* "": not used */
	struct {
		uint64_t dev, ino, size;
		int64_t s, ns;
	} seen;
	int fd; /* memfd with the content, or the open file; -1 */
};

struct frontend {
	struct loop *loop;
	const struct settings *set;
	struct port ports[PORTS_MAX];
	size_t nports;
	struct child authd;
	struct child *workers;
	unsigned nworkers;
	struct watched cert, key, passwd, access;
	uint64_t ipcount_key[2]; /* for the workers' tables of connections per address */
	int rundir;
	struct loop_timer *tick;
	struct control_server *control;
	struct list revoking; /* posthousectl revoke, not answered yet (revoke.c) */
	struct stats *stats;  /* queries that wait for the workers' counts */
	bool announced, stopping;
	struct loop_timer *stop_timer;
};

/* ports.c */
int ports_read(struct frontend *f, struct err *e);			 /* from the settings */
int ports_open(struct frontend *f, struct child *worker, struct err *e); /* its listeners */

/* child.c */
void child_init(struct frontend *f, struct child *c, const char *program, uint32_t number);
void child_start(struct child *c);
void child_exited(struct frontend *f, pid_t pid, int status);
void child_send_cert(struct child *worker);
void child_send_passwd(struct frontend *f);
void child_send_access(struct child *worker);
void child_signal_all(struct frontend *f, int signo);
bool child_any_left(const struct frontend *f);

/* files.c */
int files_open(struct frontend *f, struct err *e); /* the first time: what is missing is an error */
void files_look(struct frontend *f, bool force);   /* passes on what has changed */

/* revoke.c */
void revoke_request(struct frontend *f, struct control_client *who,
		    const struct control_request *q);
int revoke_authd_said(struct frontend *f, struct str body); /* SUP_REVOKED came; -1: malformed */
void revoke_authd_gone(struct frontend *f);

/* stats.c */
void stats_request(struct frontend *f, struct control_client *who);
int stats_counts(struct child *c, struct str body); /* SUP_COUNTS came; -1: malformed */

/* main.c: a child has said SUP_READY or was linked to the backend. */
void frontend_maybe_ready(struct frontend *f);
