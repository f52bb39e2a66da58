/* SPDX-License-Identifier: Apache-2.0 */
/* export, import: finds the Maildir and lets imapd do the work, as the Maildir's owner. */
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>
#include "common/base/vec.h"
#include "ctl/ctl.h"

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

/* ---- where imapd is ---------------------------------------------------------------------------- */

/* Never another server's program of that name beside this one: ours has a backend beside it. */
static bool beside(const char *dir, const char *below, struct buf *out)
{
	bool ok;

	buf_reset(out);
	buf_printf(out, "%s%s/backend", dir, below);
	ok = access(buf_cstr(out), X_OK) == 0;
	buf_reset(out);
	buf_printf(out, "%s%s/imapd", dir, below);
	return ok && access(buf_cstr(out), X_OK) == 0;
}

static bool find_imapd(struct buf *out)
{
	char dir[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", dir, sizeof dir - 1);

	if (n <= 0)
		return false;
	dir[str_rfind(str_mem(dir, (size_t)n), '/')] = '\0';
	return beside(dir, "/../libexec/posthouse", out) || beside(dir, "", out);
}

/* ---- the work ------------------------------------------------------------------------------------ */

static int run_imapd(const struct ctl *c, const struct request *q, const char *imapd,
		     const char *maildir)
{
	VEC(const char *) argv = {0};
	struct buf what = BUF_INIT;

	buf_printf(&what, "--%s%s%s", q->verb, q->server ? "=" : "", q->server ? q->server : "");
	*vec_push(&argv) = imapd;
	if (c->file) {
		*vec_push(&argv) = "-C";
		*vec_push(&argv) = c->file;
	}
	for (const char *const *set = c->sets; set && *set; set++) {
		*vec_push(&argv) = "--set";
		*vec_push(&argv) = *set;
	}
	*vec_push(&argv) = buf_cstr(&what);
	*vec_push(&argv) = maildir;
	*vec_push(&argv) = NULL;
	if (!strchr(q->who, '/'))
		setenv("AUTHENTICATED", q->who, 1);
	else
		unsetenv("AUTHENTICATED");
	unsetenv("IMAPLOGINTAG");
	execv(imapd, (char **)argv.a);
	return ctl_fault("can't run %s: %s", imapd, strerror(errno));
}

static int transfer(const struct ctl *c, struct request *q)
{
	struct buf imapd = BUF_INIT, maildir = BUF_INIT;
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
	if (rc == 0 && !find_imapd(&imapd))
		rc = ctl_fault("imapd isn't where it belongs, in ../libexec/posthouse from here");
	if (rc == 0)
		rc = run_imapd(c, q, buf_cstr(&imapd), buf_cstr(&maildir));
	buf_deinit(&imapd);
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
