/* SPDX-License-Identifier: Apache-2.0 */
/* ctl: what the verbs of posthousectl share. */
#pragma once
#include "common/base/buf.h"
#include "common/base/ensure.h"
#include "common/config/settings.h"
#include "common/base/secret.h"
#include "common/ipc/control.h"
#include "ctl/pwedit.h"

struct ctl {
	const struct settings *set;
	const char *file;	 /* -C, or NULL */
	const char *const *sets; /* values of --set, NULL-terminated */
	bool json;
	int argc; /* of the verb, without its name */
	char **argv;
};

enum { EXIT_FAULT = 1, EXIT_USAGE = 2 };

/* Each returns the exit status: 0, 1 = it went wrong or a check failed, 2 = wrong usage. */
int ctl_acl(const struct ctl *c);
int ctl_authtest(const struct ctl *c);
int ctl_check(const struct ctl *c);
int ctl_deliverquota(const struct ctl *c); /* c->set is NULL; its exit status is an MTA's: 0, 75, 77 */
int ctl_export(const struct ctl *c);
int ctl_import(const struct ctl *c);
int ctl_kw(const struct ctl *c);
int ctl_maildirmake(const struct ctl *c);
int ctl_settings(const struct ctl *c);
int ctl_merge_settings(const struct ctl *c); /* c->set is NULL */
int ctl_mkcert(const struct ctl *c);
int ctl_passwd(const struct ctl *c);
int ctl_kick(const struct ctl *c);
int ctl_quota(const struct ctl *c);
int ctl_revoke(const struct ctl *c);
int ctl_stats(const struct ctl *c);
int ctl_watch(const struct ctl *c);
int ctl_who(const struct ctl *c);

/* "posthousectl: text" on stderr; returns EXIT_FAULT. */
int ctl_fault(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* ---- ask.c: one request to a daemon ------------------------------------------------------------- */
typedef void ctl_row_fn(void *ctx, const struct control_row *row);
/* daemon: "frontend", "backend" or "notifyd". fn may be NULL. text (or NULL) becomes what the daemon said
 * at the end. -1: *e says why and what to do. */
int ctl_ask(const struct ctl *c, const char *daemon, const char *verb, ctl_row_fn *fn, void *ctx,
	    struct buf *text, struct err *e);
/* True when the daemon's control socket takes a connection. */
bool ctl_alive(const struct ctl *c, const char *daemon);

/* ---- grid.c: rows as a table or as JSON -------------------------------------------------------- */
struct grid;
struct grid *grid_new(void);
void grid_add(struct grid *t, const struct control_row *row); /* copies; columns: the first row's */
size_t grid_rows(const struct grid *t);
void grid_print(const struct grid *t);
void grid_print_json(const struct grid *t);
void grid_free(struct grid **t);

/* ---- pwfile.c ----------------------------------------------------------------------------------- */
/* Changes the passwd-file: atomic, under a lock, owner and mode stay. Where the result is PWEDIT_ABSENT
 * nothing was written. */
int pwfile_change(const char *path, const struct pwedit *edit, enum pwedit_result *result,
		  struct err *e);
int pwfile_read(const char *path, struct buf *out, struct err *e);

/* ---- password.c: from the terminal, or stdin; and its hash --------------------------------------- */
/* 0, or an exit status: what is wrong was said. twice: a terminal is asked again, for a new password. */
int password_read(struct secret *password, bool twice);
void password_generate(struct secret *password); /* 120 random bits, in letters and digits */
/* scheme: a name of password_schemes, in any case. False: there is none of this name. */
bool password_scheme_known(const char *scheme);
extern const char password_schemes[]; /* "a|b|c" */
/* Whether hash is a SCRAM record of this scheme. A client that speaks SCRAM is told one salt: records of an
 * account can all be used when they have the same. */
bool password_goes_beside(const char *scheme, struct str hash);
/* The hash as PASSWD_FILE takes it; beside: another one that it is to go beside, or empty. */
int password_hash(const char *scheme, const struct settings *set, struct str beside,
		  const struct secret *password, struct buf *out);

/* ---- imapd.c */
bool ctl_find_imapd(struct buf *out); /* path of our imapd */

/* ---- pwmaildir.c -------------------------------------------------------------------------------- */
/* The path of an account's Maildir, by PASSWD_FILE, MAIL_HOME and MAILDIRPATH. */
int pwfile_maildir(const struct settings *set, struct str user, struct buf *out, struct err *e);
/* Calls fn for each account's name and quota (option quota=, or empty); it stops where that isn't 0, and returns it.
 * -1: the file can't be read. */
typedef int pwfile_user_fn(void *ctx, struct str user, struct str quota);
int pwfile_users(const struct settings *set, pwfile_user_fn *fn, void *ctx, struct err *e);
