/* SPDX-License-Identifier: Apache-2.0 */
/*
 * imapd: serves one mail store. `imapd --zygote` is started by the backend; `imapd [./Maildir]` speaks
 * IMAP on stdin and stdout, or hands a network client on to the front end. Short options are Cyrus's.
 */
#include "backend/store/disk.h"
#include "backend/imapd/debug.h"
#include "backend/imapd/inetd.h"
#include "backend/imapd/keywords.h"
#include "backend/imapd/shell.h"
#include "backend/imapd/transfer.h"
#include "backend/imapd/zygote.h"
#include "common/base/ensure.h"
#include "common/base/vec.h"
#include "common/sys/cyrusopts.h"
#include "common/sys/main.h"
#include "common/sys/proc.h"

enum { SSF_MAX = 256 };

struct mode {
	bool zygote;
	const char *maildir;
	bool transfers;
	bool debug;	  /* -D */
	char net_only;	  /* an option that means something for a network client only, or 0 */
	struct inetd_opts net;
	struct transfer_what what;
	struct keywords_what keywords;
	VEC(char *) rest; /* for main_init */
};

static _Noreturn void help(void)
{
	printf("Usage: imapd [options] [./Maildir]\n"
	       "Speaks IMAP on stdin and stdout for the Maildir (MAILDIR in the environment wins).\n"
	       "  -C FILE           settings file (default " POSTHOUSE_SYSCONFDIR "/posthouse/posthouse.conf)\n"
	       "  --set NAME=value  set one setting; wins over file and environment\n"
	       "  -T SECONDS        IMAPD_LINGER; 0 means for ever, as with Cyrus's imapd\n"
	       "  -U USES           IMAPD_USES, as with Cyrus's imapd\n"
	       "  -D                run DEBUG_COMMAND first\n"
	       "On a network socket (inetd, systemd with Accept=yes) the client is the front end's:\n"
	       "  -s                TLS from the first byte\n"
	       "  -p SSF            strength of the layer around the connection; from 2 on passwords need no TLS\n"
	       "  -N                any password is right; loopback only, and only if the front end has -N too\n"
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
	fprintf(stderr, "imapd: %s\nUsage: imapd [-C FILE] [-T SECONDS] [-U USES] [--set NAME=value] [./Maildir]\n", what);
	exit(2);
}

static uint32_t number(const char *arg, uint32_t max, const char *fault)
{
	uint32_t v = 0;

	if (!str_u32(str_c(arg), &v) || v > max)
		usage(fault);
	return v;
}

/* -U and -T are settings already. */
static void short_option(struct mode *m, int argc, char **argv, int *i)
{
	char *arg = argv[*i];

	switch (arg[1]) {
	case 'D':
		m->debug = true;
		break;
	case 's':
		m->net.tls = true;
		m->net_only = 's';
		break;
	case 'N':
		m->net.nocheck = true;
		m->net_only = 'N';
		break;
	case 'p':
		m->net.ssf = number(arg[2] ? &arg[2] : *i + 1 < argc ? argv[++*i] : "", SSF_MAX,
				    "-p needs a number of bits, 0 to 256");
		m->net_only = 'p';
		break;
	default:
		*vec_push(&m->rest) = arg;
		if (strcmp(arg, "-C") == 0 && *i + 1 < argc)
			*vec_push(&m->rest) = argv[++*i];
		return;
	}
	if (arg[1] != 'p' && arg[2])
		usage("options must be separated by blanks");
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
	*vec_push(&m->rest) = NULL;
}

/* Where a network client is, it gets no PREAUTH; where none is, its options are a mistake. */
static void serve_client(const struct settings *set, struct mode *m, int client)
{
	if (client >= 0 && (m->transfers || m->debug))
		usage("--import, --export and -D are not for network sockets");
	if (client >= 0)
		inetd_run(set, client, &m->net);
	if (m->net_only) {
		fprintf(stderr, "imapd: -%c is for a network socket on standard input, or an option of the frontend\n",
			m->net_only);
		exit(2);
	}
	if (m->debug)
		debug_run(set);
}

int main(int argc, char **argv)
{
	static const struct cyrusopt opts[] = {{'U', "IMAPD_USES", NULL},
					       {'T', "IMAPD_LINGER", "4294967295"}};
	static struct settings set;
	struct mode m = {0};
	int client = inetd_client(), nargs = argc;
	char **args = cyrusopts(&nargs, argv, opts, ARRAY_LEN(opts), "imapd");
	const char *maildir;

	parse(&m, nargs, args);
	maildir = m.maildir ? xstrdup(m.maildir) : NULL; /* a title may be written over argv */
	if (main_init((int)m.rest.n - 1, m.rest.a, "imapd", &set) == MAIN_CHECK) {
		printf("settings are valid\n");
		return 0;
	}
	disk_host_init(); /* before any sandbox: tells whose locks are dead */
	proc_title_init(argc, argv); /* main_init saw only a part of it */
	if (m.zygote)
		zygote_run(&set);
	serve_client(&set, &m, client);
	if (!maildir && (m.transfers || !getenv("MAILDIR")))
		usage(m.transfers ? "name the Maildir" : "name the Maildir, or set MAILDIR");
	if (m.what.keywords &&
	    m.keywords.words.n < (strcmp(m.keywords.mode, "list") == 0 ? 1u : 2u))
		usage("--keywords: Maildir, folder, message, keywords");
	shell_run(&set, maildir, m.transfers ? &m.what : NULL);
}
