/* SPDX-License-Identifier: Apache-2.0 */
#include "common/config/cli.h"
#include "common/base/log.h"

static _Noreturn void usage_fault(const char *program, const char *what, const char *arg)
{
	fprintf(stderr, "%s: %s: %s (%s --help lists the options)\n", program, what, arg, program);
	exit(2);
}

static const char *value_of(const char *program, int argc, char **argv, int *i)
{
	if (*i + 1 >= argc)
		usage_fault(program, "a value is missing behind", argv[*i]);
	return argv[++*i];
}

int cli_option(struct cli *c, int argc, char **argv, int *i)
{
	const char *arg = argv[*i];

	if (strcmp(arg, "-C") == 0) {
		c->file = value_of(argv[0], argc, argv, i);
		return 1;
	}
	if (strcmp(arg, "--set") == 0) {
		if (c->nset >= CLI_SET_MAX)
			usage_fault(argv[0], "too many --set, from", argv[*i]);
		c->set[c->nset++] = value_of(argv[0], argc, argv, i);
		return 1;
	}
	return 0;
}

void cli_load(const struct cli *c, const char *program, struct settings *set)
{
	static const char *const levels[] = {"debug", "info", "warn", "error"};
	struct settings_opts o = {.file = c->file, .set = c->set};
	struct buf warnings = BUF_INIT;
	enum log_level level = L_INFO;
	struct err e;

	if (settings_load(set, &o, &warnings, &e) < 0) {
		fprintf(stderr, "%s: %s\n", program, e.text);
		exit(1);
	}
	fwrite(buf_str(&warnings).p, 1, warnings.n, stderr);
	buf_deinit(&warnings);
	for (unsigned i = 0; i < L_LEVEL_N; i++)
		if (strcmp(set->log_level, levels[i]) == 0)
			level = (enum log_level)i;
	log_init(program, strcmp(set->log_to, "syslog") == 0 ? LOG_SINK_SYSLOG : LOG_SINK_STDERR,
		 strcmp(set->log_format, "json") == 0 ? LOG_FORM_JSON : LOG_FORM_KV, level);
}

static void help(const char *program, const char *about)
{
	printf("%s: %s\n\nusage: %s [options]\n"
	       "  -C FILE            settings; default " POSTHOUSE_SYSCONFDIR "/posthouse/posthouse.conf\n"
	       "  --set NAME=value   a setting that wins over file and environment (PH_NAME)\n"
	       "  --check            load the settings, say what is wrong with them, end\n"
	       "  --print-settings   show the settings in effect, secrets masked\n"
	       "  --version          show the version\n"
	       "  --help             this text\n",
	       program, about, program);
}

static void print_settings(const struct settings *set)
{
	struct buf out = BUF_INIT;

	settings_print(set, &out);
	fwrite(buf_str(&out).p, 1, out.n, stdout);
	buf_deinit(&out);
}

void cli_start(int argc, char **argv, const char *program, const char *about, struct cli *c,
	       struct settings *set)
{
	bool check = false, print = false;

	*c = (struct cli){.file = NULL};
	for (int i = 1; i < argc; i++) {
		if (cli_option(c, argc, argv, &i))
			continue;
		if (strcmp(argv[i], "--version") == 0) {
			printf("posthouse %s %s\n", program, POSTHOUSE_VERSION);
			exit(0);
		} else if (strcmp(argv[i], "--help") == 0) {
			help(program, about);
			exit(0);
		} else if (strcmp(argv[i], "--check") == 0) {
			check = true;
		} else if (strcmp(argv[i], "--print-settings") == 0) {
			print = true;
		} else {
			usage_fault(program, "unknown option", argv[i]);
		}
	}
	cli_load(c, program, set);
	if (print)
		print_settings(set);
	if (check && !print)
		printf("settings are valid\n");
	if (check || print)
		exit(fflush(stdout) == 0 ? 0 : 1);
}
