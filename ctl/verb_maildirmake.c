/* SPDX-License-Identifier: Apache-2.0 */
/* maildirmake: makes Maildirs and folders, as Courier's maildirmake (R132), as the owner of the place. */
#include <fcntl.h>
#include <sys/stat.h>
#include "ctl/ctl.h"
#include "ctl/foldername.h"
#include "ctl/maildirnames.h"
#include "ctl/maildirsum.h"
#include "ctl/makemaildir.h"
#include "ctl/owner.h"

struct request {
	bool sharable;
	const char *quota, *folder, *maildir;
	bool by_clients_name; /* -F: in the form that the Maildir has */
	const char *names;    /* --checkutf8 ... */
};

static int usage(const char *what)
{
	fprintf(stderr,
		"posthousectl maildirmake: %s\n"
		"Usage: posthousectl maildirmake [-S] [-q QUOTA] [-f FOLDER | -F FOLDER] MAILDIR\n"
		"       posthousectl maildirmake --checkutf8 | --convutf8 | --convutf7 MAILDIR\n",
		what);
	return EXIT_USAGE;
}

static int flag(struct request *q, const char *a)
{
	if (strcmp(a, "-S") == 0)
		q->sharable = true;
	else if (strcmp(a, "--checkutf8") == 0 || strcmp(a, "--convutf8") == 0 ||
		 strcmp(a, "--convutf7") == 0)
		q->names = a;
	else if (strncmp(a, "-s", 2) == 0 || strncmp(a, "--add", 5) == 0 ||
		 strncmp(a, "--del", 5) == 0)
		return ctl_fault("maildirmake %s: shared folders are not there yet", a);
	else if (a[0] == '-' || q->maildir)
		return usage("one Maildir, and the options below");
	else
		q->maildir = a;
	return 0;
}

static bool quota_ok(struct str quota)
{
	uint64_t n;

	while (quota.p) {
		struct str part = str_split(&quota, ',');

		if (!part.n || (!str_ends(part, STR("S")) && !str_ends(part, STR("C"))) ||
		    !str_u64(str_sub(part, 0, part.n - 1), &n))
			return false;
	}
	return true;
}

static int parse(const struct ctl *c, struct request *q)
{
	int rc = 0;

	for (int i = 0; i < c->argc && rc == 0; i++) {
		const char *a = c->argv[i];
		const char **value = strcmp(a, "-q") == 0			    ? &q->quota
				     : strcmp(a, "-f") == 0 || strcmp(a, "-F") == 0 ? &q->folder
										    : NULL;

		if (!value)
			rc = flag(q, a);
		else if (i + 1 >= c->argc)
			return usage("a value is missing");
		else
			*value = c->argv[++i];
		if (value && a[1] == 'F')
			q->by_clients_name = true;
	}
	if (rc != 0)
		return rc;
	if (!q->maildir || !*q->maildir)
		return usage("name the Maildir");
	if (q->folder && !foldername_ok(str_c(q->folder)))
		return ctl_fault(
			"maildirmake: \"%s\" can be no folder's name: levels are separated by dots, "
			"none is empty, no / (a folder of INBOX is named without INBOX)",
			q->folder);
	if (q->quota && (q->folder || !quota_ok(str_c(q->quota))))
		return usage("a quota is of the whole Maildir, and has the form 1000000S,1000C");
	return 0;
}

/* ---- making ------------------------------------------------------------------------------------------- */

static int make_folder(const struct ctl *c, const struct request *q, mode_t mode, struct err *e)
{
	struct buf name = BUF_INIT, other = BUF_INIT;
	int at = owner_open(q->maildir, e), rc = at < 0 ? -1 : 0;
	struct stat st;

	if (rc == 0 && (fstatat(at, "cur", &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode)))
		rc = err_set(e, 0, "%s is no Maildir (it has no cur/): make it first", q->maildir);
	buf_printf(&name, ".%s", q->folder);
	if (rc == 0 && q->by_clients_name && maildirnames_mutf7(c->set, at)) {
		/* "R&D", "AT&-T" and "Résumé" alike are what a client would see. */
		if (foldername_encode(buf_str(&name), &other))
			buf_move(&name, &other);
		else
			rc = err_set(e, 0, "\"%s\" is too long in modified UTF-7", q->folder);
	}
	if (rc == 0)
		rc = makemaildir_at(at, buf_cstr(&name), true, mode, e);
	buf_deinit(&name);
	buf_deinit(&other);
	if (at >= 0)
		close(at);
	return rc;
}

int ctl_maildirmake(const struct ctl *c)
{
	struct request q = {.sharable = false};
	struct stat st;
	struct err e;
	mode_t mode;
	int at, rc = parse(c, &q);

	if (rc != 0)
		return rc;
	if (q.names)
		return maildirnames_run(q.names, q.maildir);
	mode = q.sharable ? 0755 : 0700;
	umask(q.sharable ? 022 : 077);
	if (q.folder)
		rc = make_folder(c, &q, mode, &e);
	else if (!q.quota || lstat(q.maildir, &st) < 0)
		rc = makemaildir(q.maildir, mode, &e);
	if (rc == 0 && q.quota) {
		at = owner_open(q.maildir, &e);
		rc = at < 0 ? -1 : maildirsum_write(at, str_c(q.quota), &e);
	}
	return rc == 0 ? 0 : ctl_fault("maildirmake: %s", e.text);
}
