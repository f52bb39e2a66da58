/* SPDX-License-Identifier: Apache-2.0 */
/* posthousectl: looks after a running Posthouse. One file per verb. */
#include <signal.h>
#include <stdarg.h>
#include <sys/stat.h>
#include "ctl/ctl.h"

static const struct {
	const char *name;
	int (*fn)(const struct ctl *c);
	const char *args;
	const char *help;
} verbs[] = {
	{"check", ctl_check, "[--json]",
	 "look at settings, files, sockets and kernel; one line each, 1 if one is at fault"},
	{"export", ctl_export, "--to courier|dovecot MAILDIR|USER",
	 "write UIDs, keywords and subscriptions as that server keeps them"},
	{"import", ctl_import, "[--from courier|dovecot] MAILDIR|USER",
	 "take over what that server wrote since; once, it is done at first open"},
	{"mkcert", ctl_mkcert, "[-f FILE] [--cn NAME] [NAME...]",
	 "make a self-signed certificate in TLS_CERTFILE (localhost), unless there is one"},
	{"passwd", ctl_passwd,
	 "[--scheme NAME] [--generate] [--app NAME [--services LIST]] [-f FILE] [USER],\n"
	 "         --delete [--app NAME] USER, --disable USER, --enable USER, --list [USER]",
	 "accounts and app passwords of PASSWD_FILE; without USER print the hash of a password"},
	{"kick", ctl_kick, "user NAME | session ID | address IP", "end sessions"},
	{"revoke", ctl_revoke, "USER",
	 "after a password was changed or an account locked: forget what is kept of it, end its sessions"},
	{"stats", ctl_stats, "[--json]", "counters of the running daemons"},
	{"who", ctl_who, "[--json]", "the sessions that are logged in"},
};

int ctl_fault(const char *fmt, ...)
{
	va_list ap;

	fputs("posthousectl: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
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
	       "Exit status: 0 done, 1 it failed or a check found a fault, 2 wrong usage.\n");
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
	const char *verb;
	int rc;

	umask(077);
	signal(SIGPIPE, SIG_IGN);
	rc = take_options(&c, argc, argv, set);
	if (rc != 0)
		return rc;
	if (c.argc == 0 || strcmp(c.argv[0], "--help") == 0 || strcmp(c.argv[0], "help") == 0) {
		help();
		return c.argc == 0 ? EXIT_USAGE : 0;
	}
	if (strcmp(c.argv[0], "--version") == 0) {
		printf("posthousectl (Posthouse) %s\n", POSTHOUSE_VERSION);
		return 0;
	}
	o.file = c.file;
	verb = c.argv[0];
	c.argv++;
	c.argc--;
	return run(&c, verb, &o);
}
