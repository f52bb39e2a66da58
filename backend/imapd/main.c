/* SPDX-License-Identifier: Apache-2.0 */
/*
 * imapd: serves one mail store. `imapd --zygote` is started by the backend; `imapd [./Maildir]` speaks
 * IMAP on stdin and stdout. Short options are Cyrus's; those that mean nothing here say so.
 */
#include "backend/store/disk.h"
#include "backend/imapd/keywords.h"
#include "backend/imapd/shell.h"
#include "backend/imapd/transfer.h"
#include "backend/imapd/zygote.h"
#include "common/base/ensure.h"
#include "common/base/vec.h"
#include "common/sys/main.h"
#include "common/sys/proc.h"

struct mode {
	bool zygote;
	const char *linger;
	const char *maildir;
	bool transfers;
	struct transfer_what what;
	struct keywords_what keywords;
	VEC(char *) rest; /* for main_init */
};

static const struct {
	char letter;
	const char *why;
} meaningless[] = {
	{'U', "-U: an imapd serves one account for its whole life; see IMAPD_LINGER"},
	{'D', "-D: start a debugger yourself: gdb --args imapd ./Maildir"},
	{'s', "-s: TLS is the frontend's work; see SSLPORT"},
	{'p', "-p: security layers are the frontend's work; see IMAP_TLS_REQUIRED"},
	{'N', "-N: passwords are the frontend's work; see AUTHMODULES"},
};

static _Noreturn void help(void)
{
	printf("Usage: imapd [options] [./Maildir]\n"
	       "Speaks IMAP on stdin and stdout for the Maildir (MAILDIR in the environment wins).\n"
	       "  -C FILE           settings file (default " POSTHOUSE_SYSCONFDIR "/posthouse/posthouse.conf)\n"
	       "  --set NAME=value  set one setting; wins over file and environment\n"
	       "  -T SECONDS        IMAPD_LINGER, as with Cyrus's imapd\n"
	       "  -d                log at level debug\n"
	       "  --import[=SERVER] take over what the lists of courier or dovecot say, and exit\n"
	       "  --quota           say what is in use of the quota, and exit\n"
	       "  --export=SERVER   write the lists of courier or dovecot, and exit\n"
	       "  --keywords=MODE   list, set, add or remove keywords, and exit; see posthousectl(1)\n"
	       "  --check           check settings and exit\n"
	       "  --print-settings  print the settings in effect and exit\n"
	       "  -V, --version     print the version and exit\n"
	       "  --help            print this and exit\n");
	exit(0);
}

static _Noreturn void usage(const char *what)
{
	fprintf(stderr, "imapd: %s\nUsage: imapd [-C FILE] [-T SECONDS] [--set NAME=value] [./Maildir]\n", what);
	exit(2);
}

static void short_option(struct mode *m, int argc, char **argv, int *i)
{
	for (size_t k = 0; k < ARRAY_LEN(meaningless); k++)
		if (argv[*i][1] == meaningless[k].letter)
			usage(meaningless[k].why);
	if (argv[*i][1] == 'T') {
		m->linger = argv[*i][2] ? &argv[*i][2] : *i + 1 < argc ? argv[++*i] : NULL;
		if (!m->linger)
			usage("-T needs a number of seconds");
		return;
	}
	*vec_push(&m->rest) = argv[*i];
	if (strcmp(argv[*i], "-C") == 0 && *i + 1 < argc)
		*vec_push(&m->rest) = argv[++*i];
}

/* "--import", "--import=courier", "--export=dovecot" ... */
static bool transfer_option(struct mode *m, const char *arg)
{
	struct str rest = str_c(arg), verb = str_split(&rest, '=');

	if (!m->transfers && str_eq(str_c(arg), STR("--quota"))) {
		m->transfers = true;
		m->what = (struct transfer_what){.quota = true};
		return true;
	}

	bool import = str_eq(verb, STR("--import"));

	if (!import && !str_eq(verb, STR("--export")))
		return false;
	if (m->transfers)
		usage("one --import or --export only");
	m->transfers = true;
	m->what = (struct transfer_what){.import = import, .server = rest.p};
	if (rest.p ? !str_eq(rest, STR("courier")) && !str_eq(rest, STR("dovecot")) : !import)
		usage("--import[=courier|dovecot], --export=courier or --export=dovecot");
	return true;
}

/* "--keywords=add Maildir folder message keyword ...": all behind the Maildir are words. */
static bool keywords_option(struct mode *m, const char *arg)
{
	if (m->what.keywords && m->maildir) {
		*vec_push(&m->keywords.words) = xstrdup(arg);
		return true;
	}
	if (strncmp(arg, "--keywords=", 11) != 0)
		return false;
	m->keywords.mode = xstrdup(arg + 11);
	if (m->transfers || !keywords_mode(m->keywords.mode))
		usage("--keywords=list, set, add or remove");
	m->transfers = true;
	m->what.keywords = &m->keywords;
	return true;
}

static void parse(struct mode *m, int argc, char **argv)
{
	*vec_push(&m->rest) = argv[0];
	for (int i = 1; i < argc; i++) {
		if (keywords_option(m, argv[i])) {
			continue;
		} else if (strcmp(argv[i], "--zygote") == 0) {
			m->zygote = true;
		} else if (strcmp(argv[i], "--help") == 0) {
			help();
		} else if (transfer_option(m, argv[i])) {
			continue;
		} else if (strcmp(argv[i], "--set") == 0 && i + 1 < argc) {
			*vec_push(&m->rest) = argv[i];
			*vec_push(&m->rest) = argv[++i];
		} else if (argv[i][0] == '-' && argv[i][1] == '-') {
			*vec_push(&m->rest) = argv[i];
		} else if (argv[i][0] == '-' && argv[i][1]) {
			short_option(m, argc, argv, &i);
		} else if (m->maildir) {
			usage("one Maildir only");
		} else {
			m->maildir = argv[i];
		}
	}
	if (m->linger) {
		struct buf set = BUF_INIT;

		buf_printf(&set, "IMAPD_LINGER=%s", m->linger);
		*vec_push(&m->rest) = xstrdup("--set");
		*vec_push(&m->rest) = buf_cstr(&set);
	}
	*vec_push(&m->rest) = NULL;
}

int main(int argc, char **argv)
{
	static struct settings set;
	struct mode m = {0};
	const char *maildir;

	parse(&m, argc, argv);
	maildir = m.maildir ? xstrdup(m.maildir) : NULL; /* a title may be written over argv */
	if (main_init((int)m.rest.n - 1, m.rest.a, "imapd", &set) == MAIN_CHECK) {
		printf("settings are valid\n");
		return 0;
	}
	disk_host_init(); /* before any sandbox: tells whose locks are dead */
	proc_title_init(argc, argv); /* main_init saw only a part of it */
	if (m.zygote)
		zygote_run(&set);
	if (!maildir && (m.transfers || !getenv("MAILDIR")))
		usage(m.transfers ? "name the Maildir" : "name the Maildir, or set MAILDIR");
	if (m.what.keywords &&
	    m.keywords.words.n < (strcmp(m.keywords.mode, "list") == 0 ? 1u : 2u))
		usage("--keywords: Maildir, folder, message, keywords");
	shell_run(&set, maildir, m.transfers ? &m.what : NULL);
}
