/* SPDX-License-Identifier: Apache-2.0 */
/* kw: keywords of messages, as Courier's maildirkw (R134). imapd does it: they are in its journal. */
#include <sys/stat.h>
#include "common/base/vec.h"
#include "ctl/foldername.h"
#include "ctl/imapd.h"

static int usage(void)
{
	fputs("Usage: posthousectl kw [-l] [-a | -r] MAILDIR[/.FOLDER] MESSAGE [KEYWORD...]\n"
	      "       posthousectl kw -L MAILDIR[/.FOLDER]\n"
	      "MESSAGE is the name of its file. -a adds, -r removes; without them it has these keywords and no others.\n",
	      stderr);
	return EXIT_USAGE;
}

/* "/m/Maildir/.a.b" is the folder INBOX.a.b, whichever form its name has. */
static void split_folder(const char *path, struct buf *maildir, struct buf *folder)
{
	struct str p = str_c(path), name;
	struct buf other = BUF_INIT;
	size_t slash;

	while (p.n > 1 && str_ends(p, STR("/")))
		p.n--;
	slash = str_rfind(p, '/');
	name = slash == p.n ? p : str_from(p, slash + 1);
	buf_puts(folder, "INBOX");
	if (name.n < 2 || name.p[0] != '.' || str_eq(name, STR(".."))) {
		buf_str_put(maildir, p);
		return;
	}
	buf_str_put(maildir, slash == p.n ? STR(".") : str_sub(p, 0, slash ? slash : 1));
	buf_str_put(folder,
		    foldername_form(name, &other) == FOLDERNAME_MUTF7 ? buf_str(&other) : name);
	buf_deinit(&other);
}

/* imapd would make one of it. */
static bool is_maildir(const char *path)
{
	struct buf cur = BUF_INIT;
	struct stat st;
	bool is;

	buf_printf(&cur, "%s/cur", path);
	is = stat(buf_cstr(&cur), &st) == 0 && S_ISDIR(st.st_mode);
	buf_deinit(&cur);
	return is;
}

int ctl_kw(const struct ctl *c)
{
	struct buf maildir = BUF_INIT, folder = BUF_INIT;
	const char *mode = "set", *what;
	VEC(const char *) args = {0};
	int i = 0, rc;

	for (; i < c->argc && c->argv[i][0] == '-'; i++) {
		const char *a = c->argv[i];

		if (strcmp(a, "-L") == 0 && i == 0)
			mode = "list";
		else if ((strcmp(a, "-a") == 0 || strcmp(a, "-r") == 0) && strcmp(mode, "set") == 0)
			mode = a[1] == 'a' ? "add" : "remove";
		else if (strcmp(a, "-l") != 0) /* under the folder's lock it is always */
			return usage();
	}
	if (strcmp(mode, "list") == 0 ? c->argc - i != 1 : c->argc - i < 2)
		return usage();
	split_folder(c->argv[i++], &maildir, &folder);
	what = strcmp(mode, "list") == 0  ? "--keywords=list"
	       : strcmp(mode, "set") == 0 ? "--keywords=set"
	       : strcmp(mode, "add") == 0 ? "--keywords=add"
					  : "--keywords=remove";
	*vec_push(&args) = buf_cstr(&maildir);
	*vec_push(&args) = buf_cstr(&folder);
	for (; i < c->argc; i++)
		*vec_push(&args) = c->argv[i];
	*vec_push(&args) = NULL;
	if (is_maildir(buf_cstr(&maildir)))
		rc = imapd_exec(c, what, args.a, NULL);
	else
		rc = ctl_fault("kw: %s is no Maildir (it has no cur/)", buf_cstr(&maildir));
	vec_free(&args);
	buf_deinit(&maildir);
	buf_deinit(&folder);
	return rc;
}
