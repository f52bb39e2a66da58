/* SPDX-License-Identifier: Apache-2.0 */
/* acl: the rights of a Maildir's folders, as Courier's maildiracl (R133). */
#include <sys/stat.h>
#include "ctl/aclfile.h"
#include "ctl/ctl.h"
#include "ctl/owner.h"

#define IDS_MAX 64

static int usage(void)
{
	fputs("Usage: posthousectl acl -list MAILDIR INBOX[.FOLDER]\n"
	      "       posthousectl acl -set MAILDIR INBOX[.FOLDER] [-]IDENTIFIER [+|-]RIGHTS\n"
	      "       posthousectl acl -delete MAILDIR INBOX[.FOLDER] [-]IDENTIFIER\n"
	      "       posthousectl acl -compute MAILDIR INBOX[.FOLDER] IDENTIFIER...\n"
	      "       posthousectl acl -reset MAILDIR\n"
	      "Rights: a c e i l r s t w x. Identifiers: owner anyone anonymous user=NAME group=NAME.\n",
	      stderr);
	return EXIT_USAGE;
}

static void print(const struct acl *a)
{
	for (size_t i = 0; i < a->entries.n; i++) {
		struct buf rights = BUF_INIT;

		acl_rights_put(a->entries.a[i].rights, &rights);
		printf("%s\t%s\n", a->entries.a[i].identifier, buf_cstr(&rights));
		buf_deinit(&rights);
	}
}

static void compute(const struct acl *a, char **argv, int n)
{
	struct buf rights = BUF_INIT;
	struct str ids[IDS_MAX];

	for (int i = 0; i < n; i++)
		ids[i] = str_c(argv[i]);
	acl_rights_put(acl_compute(a, ids, (size_t)n), &rights);
	printf("%s\n", buf_cstr(&rights));
	buf_deinit(&rights);
}

static int change(const struct ctl *c, int at, struct acl *a, struct err *e)
{
	struct str id = str_c(c->argv[3]);
	int rc = strcmp(c->argv[0], "-set") == 0 ? acl_set(a, id, str_c(c->argv[4]), e)
						 : acl_delete(a, id, e);

	if (rc == 0)
		rc = aclfile_write(at, str_c(c->argv[2]), a, e);
	if (rc == 0)
		fputs("posthousectl: note: Courier heeds these rights; Posthouse keeps them, and doesn't heed "
		      "them yet\n",
		      stderr);
	return rc;
}

static int with_folder(const struct ctl *c, int at, struct err *e)
{
	struct acl a;
	int rc = aclfile_read(at, str_c(c->argv[2]), &a, e);

	if (rc < 0)
		return rc;
	if (strcmp(c->argv[0], "-list") == 0)
		print(&a);
	else if (strcmp(c->argv[0], "-compute") == 0)
		compute(&a, c->argv + 3, c->argc - 3);
	else
		rc = change(c, at, &a, e);
	acl_free(&a);
	return rc;
}

static bool right_number(const char *what, int argc)
{
	return (strcmp(what, "-reset") == 0 && argc == 2) ||
	       (strcmp(what, "-list") == 0 && argc == 3) ||
	       (strcmp(what, "-set") == 0 && argc == 5) ||
	       (strcmp(what, "-delete") == 0 && argc == 4) ||
	       (strcmp(what, "-compute") == 0 && argc >= 4 && argc <= 3 + IDS_MAX);
}

int ctl_acl(const struct ctl *c)
{
	struct err e;
	int at, rc;

	if (c->argc < 1 || !right_number(c->argv[0], c->argc))
		return usage();
	umask(022);
	at = owner_open(c->argv[1], &e);
	if (at < 0)
		return ctl_fault("acl: %s", e.text);
	rc = strcmp(c->argv[0], "-reset") == 0 ? aclfile_reset(at, &e) : with_folder(c, at, &e);
	close(at);
	return rc == 0 ? 0 : ctl_fault("acl: %s", e.text);
}
