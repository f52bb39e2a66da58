/* SPDX-License-Identifier: Apache-2.0 */
/*
 * master: what the backend master's files share. A login comes in at the gate (gate.c), its Maildir
 * is opened by a job (resolve.c), it waits at its store (store.c) until that store's imapd
 * (child.c, from the pool, pool.c) has taken its socket, and is a session from then on.
 */
#pragma once
#include "common/base/hmap.h"
#include "common/base/list.h"
#include "common/config/settings.h"
#include "common/io/jobs.h"
#include "common/io/link.h"
#include "common/io/loop.h"
#include "common/ipc/control.h"
#include "common/ipc/handoff.h"
#include "common/ipc/session.h"

struct gate;
struct pool;
struct resolver;
struct notifier;
struct mailhouse;
struct cyrus;
struct loginexec;

struct counters {
	uint64_t logins, refused, forged, spawned, crashed, retried;
};

struct master {
	struct loop *loop;
	const struct settings *set;
	struct jobs *jobs;
	bool root;           /* may become other users */
	uint32_t uid;        /* our own */
	int stores_fd;       /* RUNDIR/stores, where the locks lie */
	uint8_t key[TICKET_KEY_LEN];
	char hostname[256];
	bool stopping;
	struct gate *gate;
	struct pool *pool;
	struct resolver *resolver;
	struct notifier *notifier;
	struct mailhouse *mailhouse; /* NULL: nobody needs the mailer */
	struct cyrus *cyrus;   /* NULL: CYRUS_DIR is empty */
	struct loginexec *loginexec;
	struct control_server *control;
	struct hmap *stores;   /* dev, ino -> struct storent */
	struct hmap *users;    /* name -> struct user_count */
	struct hmap *uids;     /* uid -> the first store seen of it, for shared_uid */
	struct hmap *crashes;  /* dev, ino -> struct crashes */
	struct list crash_order;
	struct hmap *revoked;  /* user name -> struct revoked (kick.c) */
	uint64_t revoked_all_ms; /* logins that began up to here are refused, whoever they are of */
	struct list procs;     /* struct child.link_all, assigned ones */
	unsigned nprocs;
	uint32_t next_conn;
	struct counters count;
	struct loop_timer *stop_timer;
};

/* ---- a login under way ------------------------------------------------------------------------ */
struct gate_link;
struct user_count {
	struct str name;   /* points into owned */
	char *owned;
	uint64_t n;        /* sessions and logins under way */
	uint64_t alerted;  /* when the last ALERT was logged */
};

struct login {
	struct master *m;
	struct list at;            /* in resolve.logins, storent.waiting or proc.sent */
	struct gate_link *gate;    /* NULL: the worker has gone */
	struct list of_gate;
	uint32_t id;               /* the worker's number */
	uint32_t conn;             /* ours */
	int fd;                    /* the client; kept until imapd has ACCEPTED */
	struct buf give;           /* the message, into which the slices below point */
	struct user_record record;
	struct session_facts facts;
	struct str tag, verb, unread;
	struct user_count *user;
	struct storent *store;     /* once resolved */
	bool telemetry;            /* it was sent with a file for it */
	bool hooked;               /* its loginexec has been run */
	bool sent;                 /* SESSION_CONN has been sent: imapd may have begun to talk */
	unsigned tries;            /* imapds that ended before they took it */
	struct loop_timer *deadline;
};

/* The worker hears TAKEN; the login is freed. */
void login_taken(struct login *g);
/* The worker hears REFUSED and still has its client; the login is freed. One log line. */
void login_refuse(struct login *g, const char *code, const char *text, const char *why);

/* ---- gate.c ----------------------------------------------------------------------------------- */
struct gate *gate_new(struct master *m, uint32_t login_uid, struct err *e);
void gate_close(struct gate *g); /* no new links */
void users_put(struct master *m, struct user_count *u);          /* one less */

/* ---- resolve.c -------------------------------------------------------------------------------- */
struct resolver *resolver_new(struct master *m);
/* Leads the login to store_admit, or refuses it; at once where the path was looked at lately. */
void resolve_login(struct resolver *r, struct login *g);
struct storent;
void resolver_forget(struct resolver *r, struct storent *s); /* its paths are to be looked at again */

/* ---- store.c ---------------------------------------------------------------------------------- */
struct child;
struct storent {
	struct master *m;
	uint64_t dev, ino;
	struct list waiting;         /* logins without an imapd that is ready */
	struct list paths;           /* struct path.of_store: names that lead here */
	unsigned logins;             /* waiting, or sent and not accepted */
	struct child *proc;           /* assigned, ready or leaving */
	int maildir_fd;              /* while logins wait for an imapd to be assigned; else -1 */
	int lock_fd;                 /* ours, to be passed; else -1 */
	bool wants_child;            /* in the pool's queue */
	struct list of_pool;
	struct loop_timer *retry;    /* the lock is held by a process that we don't know */
	uint64_t lock_since;         /* when we began to wait for it */
};
/* The path of the login leads to this store. fd (owned by the callee) is its Maildir, or -1 where the
 * store has an imapd already. */
void store_admit(struct login *g, uint64_t dev, uint64_t ino, int fd);
struct storent *store_find(struct master *m, uint64_t dev, uint64_t ino);
void store_advance(struct storent *s);              /* does what can be done for those who wait */
void store_child(struct storent *s, struct child *p); /* the pool has one for it */
void store_login_gone(struct login *g);             /* refused, timed out, or its worker died */
void store_refuse_all(struct storent *s, const char *code, const char *text, const char *why);
bool store_is_shared_uid(struct master *m, uint32_t uid, uint64_t dev, uint64_t ino);

/* ---- child.c ----------------------------------------------------------------------------------- */
enum child_state { CHILD_READY_POOL, CHILD_OPENING, CHILD_SERVING, CHILD_LEAVING, CHILD_DEAD, CHILD_STATE_N };

struct session {
	struct list link;
	uint32_t conn;
	struct user_count *user;
	char *facts;       /* protocol, session id, rip: three texts, each with its NUL */
	const char *protocol, *id, *rip;
	uint16_t rport;
	bool tls, idle;
	bool telemetry;    /* log/USER was there when we looked last */
	int64_t since;
	uint64_t begun_ms; /* session_facts.begun_ms */
	char *folder;      /* or NULL */
};

struct child {
	struct master *m;
	struct list link;          /* in pool.ready or master.procs */
	struct link *chan;         /* NULL: closed */
	pid_t pid;
	enum child_state state;
	struct storent *store;
	uint32_t uid, gid;
	char *home;
	int crash_fd;              /* memfd with the crash page */
	bool opening;              /* it was, when its link closed */
	bool exited;
	int status;                /* wait status, when exited */
	bool wants_notifyd;
	struct list of_notifier;
	struct list sent;          /* logins: SESSION_CONN sent, not ACCEPTED */
	struct list sessions;
	unsigned nsessions;
	struct loop_timer *grace;  /* link closed: wait a little for the exit status */
};
struct child *child_new(struct master *m, pid_t pid, int fd);
/* Gives a pool process its store; 0 or -1 (the process has gone). */
int child_assign(struct child *p, struct storent *s, const struct login *first);
int child_send_conn(struct child *p, struct login *g);
void child_exited(struct child *p, int status);
void child_shutdown(struct child *p, const char *text);
void child_free(struct child **p);

/* ---- crash.c: messages that ended an imapd ------------------------------------------------------ */
void crash_note(struct master *m, const struct storent *s, int crash_fd, int signo);
void crash_names(struct master *m, const struct storent *s, struct buf *out); /* NUL behind each */

/* ---- pool.c ----------------------------------------------------------------------------------- */
struct pool *pool_new(struct master *m, struct err *e);
void pool_want(struct pool *p, struct storent *s);   /* store_child is called, now or later */
void pool_unwant(struct pool *p, struct storent *s);
void pool_gone(struct pool *p, struct child *c);      /* a process that wasn't assigned went away */
void pool_child_exit(struct pool *p, pid_t pid, int status); /* from waitpid: zygote or orphan */
void pool_forget(struct pool *p, struct child *c);            /* its pid means nothing any more */
unsigned pool_ready(const struct pool *p);

/* ---- notify.c --------------------------------------------------------------------------------- */
struct notifier *notifier_new(struct master *m);
int notifier_connect(struct notifier *n, uint32_t uid, uint64_t dev, uint64_t ino); /* fd or -1 */
void notifier_want(struct notifier *n, struct child *p); /* SESSION_NOTIFYD follows when it can be had */
void notifier_forget(struct notifier *n, struct child *p);

/* ---- mailer.c ---------------------------------------------------------------------------------- */
/* NULL: the settings need no mailer. */
struct mailhouse *mailhouse_new(struct master *m);
bool mailhouse_needed(const struct settings *set);
/* Makes imapd a link to the mailer for one message of this connection's account; without the mailer, says so. */
void mailhouse_link(struct mailhouse *h, struct child *p, uint32_t conn, struct str user);
bool mailhouse_exit(struct mailhouse *h, pid_t pid, int status); /* false: another's process */

/* ---- kick.c ------------------------------------------------------------------------------------ */
#define KICK_REVOKED "[EXPIRED] The account was changed, log in again."
void kick_request(struct master *m, struct control_client *who, const struct control_request *q);
void kick_session(struct child *p, const struct session *s, const char *text);
/* The user was revoked after this login began (session_facts.begun_ms; 0: it doesn't say). */
bool kick_too_late(const struct master *m, struct str user, uint64_t begun_ms);

/* ---- cyrus.c ----------------------------------------------------------------------------------- */
struct cyrus *cyrus_new(struct master *m);
int cyrus_log_of(struct child *p, const struct login *g); /* its telemetry file, or -1 */
void cyrus_begun(struct child *p, struct session *s);     /* a session, just now */
/* ---- loginexec.c -------------------------------------------------------------------------------- */
struct loginexec *loginexec_new(struct master *m);
/* Runs the file, then leads the login to store_admit. fd is owned by the callee. */
void loginexec_login(struct loginexec *x, struct login *g, uint64_t dev, uint64_t ino, int fd);
bool loginexec_exit(struct loginexec *x, pid_t pid, int status); /* false: not one of these */

/* ---- verbs.c ---------------------------------------------------------------------------------- */
void verbs_request(void *ctx, struct control_client *who, const struct control_request *r);
