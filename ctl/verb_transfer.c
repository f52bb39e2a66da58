/* SPDX-License-Identifier: Apache-2.0 */
/* export, import: finds the Maildir and lets imapd do the work, as the Maildir's owner. */
#include "ctl/imapd.h"

struct request {
	const char *verb, *option;
	const char *server;
	const char *who;
};

static int wrong_usage(const struct request *q, const char *what)
{
	fprintf(stderr, "posthousectl %s: %s\nUsage: posthousectl %s %s MAILDIR|USER\n", q->verb,
		what, q->verb,
		strcmp(q->verb, "export") == 0 ? "--to courier|dovecot"
					       : "[--from courier|dovecot]");
	return EXIT_USAGE;
}

static int parse(const struct ctl *c, struct request *q)
{
	for (int i = 0; i < c->argc; i++) {
		const char *a = c->argv[i];

		if (strcmp(a, q->option) == 0) {
			q->server = i + 1 < c->argc ? c->argv[++i] : "";
			if (strcmp(q->server, "courier") != 0 && strcmp(q->server, "dovecot") != 0)
				return wrong_usage(q, "the other server is courier or dovecot");
		} else if (a[0] == '-' || q->who) {
			return wrong_usage(q, "one Maildir or user, and no other options");
		} else {
			q->who = a;
		}
	}
	return q->who ? 0 : wrong_usage(q, "name the Maildir (a path with a / in it) or the user");
}

/* ---- the work ------------------------------------------------------------------------------------ */

static int run_imapd(const struct ctl *c, const struct request *q, const char *maildir)
{
	struct buf what = BUF_INIT;

	buf_printf(&what, "--%s%s%s", q->verb, q->server ? "=" : "", q->server ? q->server : "");
	return imapd_exec(c, buf_cstr(&what), (const char *const[]){maildir, NULL},
			  strchr(q->who, '/') ? NULL : q->who);
}

static int transfer(const struct ctl *c, struct request *q)
{
	struct buf maildir = BUF_INIT;
	struct err e;
	int rc = parse(c, q);

	if (rc != 0)
		return rc;
	if (strcmp(q->verb, "export") == 0 && !q->server)
		return wrong_usage(q, "--to is missing");
	if (strchr(q->who, '/'))
		buf_puts(&maildir, q->who);
	else if (pwfile_maildir(c->set, str_c(q->who), &maildir, &e) < 0)
		rc = ctl_fault("%s", e.text);
	if (rc == 0)
		rc = run_imapd(c, q, buf_cstr(&maildir));
	buf_deinit(&maildir);
	return rc;
}

int ctl_export(const struct ctl *c)
{
	return transfer(c, &(struct request){.verb = "export", .option = "--to"});
}

int ctl_import(const struct ctl *c)
{
	return transfer(c, &(struct request){.verb = "import", .option = "--from"});
}
