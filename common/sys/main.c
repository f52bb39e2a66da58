/* SPDX-License-Identifier: Apache-2.0 */
#include "common/sys/main.h"

#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <sys/stat.h>

#include "common/base/ensure.h"
#include "common/base/log.h"
#include "common/base/vec.h"
#include "common/sys/proc.h"

struct options {
	const char *file;
	bool check, print, changed, child;
	struct {
		const char **a;
		size_t n, cap;
	} set, child_args;
};

static struct options opts;
static const char *more_help = "";

static const char help_text[] =
	"  -C FILE           settings file (default " POSTHOUSE_SYSCONFDIR "/posthouse/posthouse.conf),\n"
	"                    or the directory of Courier's imapd and imapd-ssl\n"
	"  --set NAME=value  set one setting; wins over file and environment\n"
	"  --check           check settings and exit\n"
	"  --print-settings  print the settings in effect and exit; =origin: those that are not\n"
	"                    the default, and where each comes from\n"
	"  -d                log at level debug\n"
	"  -V, --version     print the version and exit\n"
	"  --help            print this and exit\n";

enum { OPT_SET = 256, OPT_CHECK, OPT_PRINT, OPT_HELP, OPT_CHILD };
static const struct option long_options[] = {
	{"set", required_argument, NULL, OPT_SET},
	{"check", no_argument, NULL, OPT_CHECK},
	{"print-settings", optional_argument, NULL, OPT_PRINT},
	{"version", no_argument, NULL, 'V'},
	{"help", no_argument, NULL, OPT_HELP},
	{"child", no_argument, NULL, OPT_CHILD}, /* started by a main of ours */
	{0},
};

static void for_child(const char *arg)
{
	*vec_push(&opts.child_args) = arg;
}

static void add_set(const char *assignment)
{
	*vec_push(&opts.set) = assignment;
	for_child("--set");
	for_child(assignment);
}

static void parse_option(int c, const char *program)
{
	switch (c) {
	case 'C':
		opts.file = xstrdup(optarg); /* copies: proc_title writes over argv */
		for_child("-C");
		for_child(opts.file);
		break;
	case 'd':
		add_set("LOG_LEVEL=debug");
		break;
	case OPT_SET:
		add_set(xstrdup(optarg));
		break;
	case OPT_CHECK:
		opts.check = true;
		break;
	case OPT_PRINT:
		opts.print = true;
		opts.changed = optarg != NULL;
		if (optarg && strcmp(optarg, "origin") != 0) {
			fprintf(stderr, "%s: --print-settings=%s: =origin is meant?\n", program, optarg);
			exit(1);
		}
		break;
	case OPT_CHILD:
		opts.child = true;
		break;
	case 'V':
		printf("%s (Posthouse) %s\n", program, POSTHOUSE_VERSION);
		exit(0);
	case OPT_HELP:
		printf("Usage: %s [options]\n%s%s", program, help_text, more_help);
		exit(0);
	default:
		fprintf(stderr, "Try: %s --help\n", program);
		exit(1);
	}
}

static void parse_options(int argc, char **argv, const char *program)
{
	int c;

	while ((c = getopt_long(argc, argv, "C:dV", long_options, NULL)) != -1)
		parse_option(c, program);
	if (optind < argc) {
		fprintf(stderr, "%s: unexpected argument \"%s\"\n", program, argv[optind]);
		exit(1);
	}
	*vec_push(&opts.set) = NULL;
	for_child("--child");
	for_child(NULL);
}

/* A program started with 0, 1 or 2 closed would open its first files there and log into them. */
static void open_std_fds(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

void main_start_log(const char *program, const struct settings *s)
{
	static const char *const levels[L_LEVEL_N] = {"debug", "info", "warn", "error"};
	enum log_level min = L_DEBUG;

	while (min < L_ERROR && !str_eq(str_c(s->log_level), str_c(levels[min])))
		min++;
	log_init(program, str_eq(str_c(s->log_to), STR("syslog")) ? LOG_SINK_SYSLOG : LOG_SINK_STDERR,
		 str_eq(str_c(s->log_format), STR("json")) ? LOG_FORM_JSON : LOG_FORM_KV, min);
}

static void warn(struct str lines, bool print)
{
	while (lines.n) {
		struct str line = str_split(&lines, '\n');

		if (print)
			fprintf(stderr, "warning: %.*s\n", STR_ARG(line));
		else
			LOG(L_WARN, "setting-ignored", L_S("text", line));
	}
}

enum main_mode main_init(int argc, char **argv, const char *program, struct settings *s)
{
	struct buf warnings = BUF_INIT;
	struct err e;

	open_std_fds();
	umask(077);
	signal(SIGPIPE, SIG_IGN);
	proc_title_init(argc, argv);
	parse_options(argc, argv, program);
	if (settings_load(s, &(struct settings_opts){.file = opts.file, .set = opts.set.a}, &warnings, &e) != 0) {
		fprintf(stderr, "%s: %s\n", program, e.text);
		exit(1);
	}
	main_start_log(program, s);
	if (!opts.child)
		warn(buf_str(&warnings), opts.check || opts.print);
	buf_deinit(&warnings);
	if (opts.print) {
		(opts.changed ? settings_print_changed : settings_print)(s, &warnings);
		fwrite(buf_str(&warnings).p, 1, warnings.n, stdout);
		exit(fflush(stdout) == 0 ? 0 : 1);
	}
	return opts.check ? MAIN_CHECK : MAIN_RUN;
}

void main_help_more(const char *lines)
{
	more_help = lines;
}

const char *const *main_child_args(void)
{
	return opts.child_args.a;
}
