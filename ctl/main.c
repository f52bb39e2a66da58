/* SPDX-License-Identifier: Apache-2.0 */
/* posthousectl: looks after a running Posthouse. One file per verb. */
#include <signal.h>
#include <stdarg.h>
#include <sys/stat.h>
#include "ctl/ctl.h"
#include "ctl/oldnames.h"

static const struct {
	const char *name;
	int (*fn)(const struct ctl *c);
	const char *args;
	const char *help;
	bool bare; /* works without settings, and when those there are wrong */
} verbs[] = {
	{"acl", ctl_acl,
	 "-list MAILDIR INBOX[.FOLDER],\n"
	 "         -set MAILDIR INBOX[.FOLDER] [-]IDENTIFIER [+|-]RIGHTS,\n"
	 "         -delete MAILDIR INBOX[.FOLDER] [-]IDENTIFIER,\n"
	 "         -compute MAILDIR INBOX[.FOLDER] IDENTIFIER..., -reset MAILDIR",
	 "the rights to folders, as Courier keeps them (not heeded by Posthouse yet)"},
	{"authtest", ctl_authtest, "[-s SERVICE] [-p] [--json] USER [PASSWORD]",
	 "what a login would find: the account's record; -p asks for the password"},
	{"check", ctl_check, "[--json]",
	 "look at settings, files, sockets and kernel; one line each, 1 if one is at fault"},
	{"deliverquota", ctl_deliverquota, "[-c] [-w PERCENT] [-W FILE] MAILDIR [QUOTA]",
	 "deliver the message on standard input, unless that is over the Maildir's quota", true},
	{"export", ctl_export, "--to courier|dovecot MAILDIR|USER",
	 "write UIDs, keywords and subscriptions as that server keeps them"},
	{"import", ctl_import, "[--from courier|dovecot] MAILDIR|USER",
	 "take over what that server wrote since; once, it is done at first open"},
	{"kw", ctl_kw,
	 "[-l] [-a | -r] MAILDIR[/.FOLDER] MESSAGE [KEYWORD...],\n"
	 "         -L MAILDIR[/.FOLDER]",
	 "set, add or remove keywords of a message; list those of all"},
	{"maildirmake", ctl_maildirmake,
	 "[-S] [-q QUOTA] [-f FOLDER | -F FOLDER] MAILDIR,\n"
	 "         --checkutf8 MAILDIR, --convutf8 MAILDIR, --convutf7 MAILDIR",
	 "make a Maildir, or a folder in one; look at or change the form of folder names"},
	{"mkcert", ctl_mkcert, "[-f FILE] [--cn NAME] [NAME...]",
	 "make a self-signed certificate in TLS_CERTFILE (localhost), unless there is one"},
	{"passwd", ctl_passwd,
	 "[--scheme NAME] [--generate] [--app NAME [--services LIST]] [-f FILE] [USER],\n"
	 "         --delete [--app NAME] USER, --disable USER, --enable USER, --list [USER]",
	 "accounts and app passwords of PASSWD_FILE; without USER print the hash of a password"},
	{"kick", ctl_kick, "user NAME | session ID | address IP", "end sessions"},
	{"quota", ctl_quota, "USER | MAILDIR | --all [--json]", "what accounts use of their quota"},
	{"revoke", ctl_revoke, "USER",
	 "after a password was changed or an account locked: forget what is kept of it, end its sessions"},
	{"stats", ctl_stats, "[--json]", "counters of the running daemons"},
	{"watch", ctl_watch, "[--once] MAILDIR", "print a line when the Maildir changes"},
	{"who", ctl_who, "[--json]", "the sessions that are logged in"},
	{"settings", ctl_settings, "[--all]",
	 "settings that are not the default, each with file and line; --all: all, as a settings file"},
	{"merge-settings", ctl_merge_settings, "FILE",
	 "after an update: add new settings to FILE as comments, mark those that are gone", true},
};

int ctl_fault(const char *fmt, ...)
{
	struct buf text = BUF_INIT;
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	/* A file's name is somebody else's word: nothing in it moves the terminal's cursor. */
	for (char *p = buf_cstr(&text); *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
	fprintf(stderr, "posthousectl: %s\n", buf_cstr(&text));
	buf_deinit(&text);
	return EXIT_FAULT;
}

static void help(void)
{
	printf("Usage: posthousectl [-C FILE] [--set NAME=value] VERB [options]\n\n");
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		printf("  %s %s\n      %s\n", verbs[i].name, verbs[i].args, verbs[i].help);
	printf("\n  -C FILE            settings file (default " POSTHOUSE_SYSCONFDIR
	       "/posthouse/posthouse.conf)\n"
	       "  --set NAME=value   set one setting; wins over file and environment\n"
	       "  --json             the answer as JSON\n"
	       "  --version          print the version and exit\n"
	       "  --help             print this and exit\n\n"
	       "Links to posthousectl with these names of Courier's are their verbs:\n  %s.\n"
	       "Exit status: 0 done, 1 it failed or a check found a fault, 2 wrong usage.\n",
	       oldnames_list);
}

static int usage(const char *what, const char *arg)
{
	fprintf(stderr, "posthousectl: %s \"%s\"\nTry: posthousectl --help\n", what, arg);
	return EXIT_USAGE;
}

#define SET_MAX 64

/* Options of all verbs may stand before and behind the verb. */
static int take_options(struct ctl *c, int argc, char **argv, const char *set[SET_MAX + 1])
{
	unsigned nset = 0;

	c->argv = argv;
	for (int i = 1; i < argc; i++) {
		bool has_value = strcmp(argv[i], "-C") == 0 || strcmp(argv[i], "--set") == 0;

		if (has_value && i + 1 >= argc)
			return usage("a value is missing behind", argv[i]);
		if (strcmp(argv[i], "-C") == 0)
			c->file = argv[++i];
		else if (has_value && nset < SET_MAX)
			set[nset++] = argv[++i];
		else if (strcmp(argv[i], "--json") == 0)
			c->json = true;
		else
			argv[c->argc++] = argv[i];
	}
	argv[c->argc] = NULL;
	return 0;
}

static int run(struct ctl *c, const char *verb, const struct settings_opts *o)
{
	struct settings set;
	struct buf warnings = BUF_INIT;
	struct err e;
	int rc;

	for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
		if (strcmp(verb, verbs[i].name) != 0)
			continue;
		if (c->argc == 1 && strcmp(c->argv[0], "--help") == 0) {
			printf("Usage: posthousectl [-C FILE] %s %s\n  %s\n", verb, verbs[i].args,
			       verbs[i].help);
			return 0;
		}
		if (verbs[i].bare)
			return verbs[i].fn(c);
		if (settings_load(&set, o, &warnings, &e) < 0)
			return ctl_fault("%s", e.text);
		fwrite(buf_str(&warnings).p, 1, warnings.n, stderr);
		buf_deinit(&warnings);
		c->set = &set;
		c->sets = o->set;
		rc = verbs[i].fn(c);
		settings_free(&set);
		if (fflush(stdout) != 0)
			return ctl_fault("can't write the answer");
		return rc;
	}
	return usage("there is no verb", verb);
}

int main(int argc, char **argv)
{
	struct ctl c = {.argc = 0};
	const char *set[SET_MAX + 1] = {NULL};
	struct settings_opts o = {.set = set};
	const char *verb = oldname_verb(argv[0]), *old = verb;
	int rc;

	if (old && !*old)
		return EXIT_USAGE;

	umask(077);
	signal(SIGPIPE, SIG_IGN);
	rc = take_options(&c, argc, argv, set);
	if (rc != 0)
		return rc;
	if (!old &&
	    (c.argc == 0 || strcmp(c.argv[0], "--help") == 0 || strcmp(c.argv[0], "help") == 0)) {
		help();
		return c.argc == 0 ? EXIT_USAGE : 0;
	}
	if (c.argc > 0 && strcmp(c.argv[0], "--version") == 0) {
		printf("posthousectl (Posthouse) %s\n", POSTHOUSE_VERSION);
		return 0;
	}
	o.file = c.file;
	if (!old) {
		verb = c.argv[0];
		c.argv++;
		c.argc--;
	}
	return run(&c, verb, &o);
}
