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
#include "frontend/accounts.h"

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

struct watched { /* a file that children get as a descriptor; once a second somebody looks at it */
	const char *path;
	struct {
		uint64_t dev, ino, size;
		int64_t s, ns;
		uint32_t mode;
	} seen; /* when it was opened last */
	int fd; /* access file: open, or -1 */
};

struct frontend {
	struct loop *loop;
	const struct settings *set;
	struct port ports[PORTS_MAX];
	size_t nports;
	struct child authd;
	struct child *workers;
	unsigned nworkers;
	struct accounts accounts;
	struct watched access;
	char *access_fault;
	uint64_t ipcount_key[2]; /* for the workers' tables of connections per address */
	int rundir;
	struct loop_timer *tick;
	struct control_server *control;
	struct list revoking; /* posthousectl revoke, not answered yet (revoke.c) */
	struct list testing;  /* posthousectl authtest, likewise (authtest.c) */
	struct stats *stats;  /* queries that wait for the workers' counts */
	bool announced, stopping;
	struct loop_timer *stop_timer;
};

/* ports.c */
int ports_read(struct frontend *f, struct err *e);			 /* from the settings */
int ports_open(struct frontend *f, struct child *worker, struct err *e); /* its listeners */

/* pidfile.c: one that can't be written is a warning */
void pidfiles_write(const struct frontend *f);
void pidfiles_remove(const struct frontend *f);

/* child.c */
void child_init(struct frontend *f, struct child *c, const char *program, uint32_t number);
void child_start(struct child *c);
void child_exited(struct frontend *f, pid_t pid, int status);
void child_send_certs(struct child *worker, int memfd);
void child_send_trust(struct child *c, const int memfds[2]);
void child_send_ticket_keys(struct child *worker, struct str keys);
void child_send_server_certs(struct frontend *f, int memfd);
void child_send_passwd(struct frontend *f);
void child_send_access(struct child *worker);
void child_signal_all(struct frontend *f, int signo);
bool child_any_left(const struct frontend *f);

/* files.c */
int files_open(struct frontend *f, struct err *e); /* the first time: what is missing is an error */
void files_look(struct frontend *f, bool force);   /* passes on what has changed */
bool watched_changed(const struct watched *w);	   /* or it is gone */
void watched_stat(struct watched *w);		   /* takes note of what it is now */
int watched_open(struct watched *w, struct err *e); /* a descriptor, or -1 */
int watched_read(struct watched *w, size_t max, struct buf *out, struct err *e); /* appends */
int files_memfd(struct str content);						 /* -1: errno */
/* One line for one fault, however often it is seen; *last is kept by the caller, NULL at first. */
void files_complain(char **last, const char *event, const char *file, const struct err *e);

/* certs.c: TLS_CERTFILE and those by name and by address. */
int certs_open(struct frontend *f, struct err *e);
void certs_look(struct frontend *f, bool force);
void certs_send(struct child *worker); /* all of them */
void certs_tell_authd(struct frontend *f);

bool certs_there(void); /* there is a default certificate */

/* notice.c: what CYRUS_DIR's msg/ says to new clients. */
void notice_look(struct frontend *f);
void notice_send(struct child *worker);

/* inlet.c */
int inlet_open(struct frontend *f, struct err *e);

/* trust.c: what client certificates are checked against; and whether OpenSSL takes the TLS settings. */
int trust_open(struct frontend *f, struct err *e);
void trust_look(struct frontend *f, bool force);
void trust_send(struct child *c);

/* tickets.c */
int tickets_open(struct frontend *f, struct err *e);
void tickets_look(struct frontend *f, bool force);
void tickets_send(struct child *worker);

/* authd_check.c: runs authd --check, which knows what its modules want. */
int authd_check(struct err *e);

/* revoke.c */
void revoke_request(struct frontend *f, struct control_client *who,
		    const struct control_request *q);
int revoke_authd_said(struct frontend *f, struct str body); /* SUP_REVOKED came; -1: malformed */
void revoke_authd_gone(struct frontend *f);

/* authtest.c */
void authtest_request(struct frontend *f, struct control_client *who,
		      const struct control_request *q);
int authtest_authd_said(struct frontend *f,
			struct str body); /* SUP_AUTHTESTED came; -1: malformed */
void authtest_authd_gone(struct frontend *f);

/* stats.c */
void stats_request(struct frontend *f, struct control_client *who);
int stats_counts(struct child *c, struct str body); /* SUP_COUNTS came; -1: malformed */

/* main.c: a child has said SUP_READY or was linked to the backend. */
void frontend_maybe_ready(struct frontend *f);
