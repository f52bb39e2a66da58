/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/ctl.h"

struct request {
	enum { SET, DELETE, DISABLE, ENABLE, LIST } what;
	const char *scheme; /* NULL: none was named */
	const char *file, *user, *app;
	const char *services; /* NULL: none were named */
	bool generate;
	struct buf service_words; /* the same, with single blanks between */
};

static int wrong_usage(const char *what)
{
	fprintf(stderr,
		"posthousectl passwd: %s\n"
		"Usage: posthousectl passwd [--scheme %s] [--generate] [--app NAME [--services LIST]] [-f FILE] [USER]\n"
		"       posthousectl passwd --delete [--app NAME] [-f FILE] USER\n"
		"       posthousectl passwd --disable|--enable [-f FILE] USER\n"
		"       posthousectl passwd --list [--json] [-f FILE] [USER]\n",
		what, password_schemes);
	return EXIT_USAGE;
}

/* ---- the arguments ------------------------------------------------------------------------------- */

static bool take_switch(struct request *q, const char *a)
{
	static const struct {
		const char *name;
		int what;
	} acts[] = {{"--delete", DELETE},
		    {"--disable", DISABLE},
		    {"--enable", ENABLE},
		    {"--list", LIST}};

	if (strcmp(a, "--generate") == 0) {
		q->generate = true;
		return true;
	}
	for (size_t i = 0; i < ARRAY_LEN(acts); i++)
		if (strcmp(a, acts[i].name) == 0 && q->what == SET) {
			q->what = acts[i].what;
			return true;
		}
	return false;
}

static const char **value_of(struct request *q, const char *a)
{
	if (strcmp(a, "--scheme") == 0 || strcmp(a, "--hash") == 0)
		return &q->scheme;
	if (strcmp(a, "--app") == 0)
		return &q->app;
	if (strcmp(a, "--services") == 0)
		return &q->services;
	return strcmp(a, "-f") == 0 ? &q->file : NULL;
}

static const char *what_is_wrong(const struct request *q)
{
	if (q->scheme && !password_scheme_known(q->scheme))
		return "there is no such scheme";
	if (q->what != SET && (q->scheme || q->generate || q->services))
		return "--scheme, --generate and --services belong to a new password";
	if (q->app && q->what != SET && q->what != DELETE)
		return "--app can be set or deleted";
	if (q->services && !q->app)
		return "--services belongs to --app";
	if (!q->user && (q->app || q->what == DELETE || q->what == DISABLE || q->what == ENABLE))
		return "name the user";
	if (!q->user && q->file && q->what == SET)
		return "-f writes a file: name the user";
	return NULL;
}

static int parse(const struct ctl *c, struct request *q)
{
	const char *wrong;

	for (int i = 0; i < c->argc; i++) {
		const char *a = c->argv[i], **value = value_of(q, a);

		if (value && i + 1 >= c->argc)
			return wrong_usage("a value is missing");
		if (value)
			*value = c->argv[++i];
		else if (a[0] != '-' && !q->user)
			q->user = a;
		else if (!take_switch(q, a))
			return wrong_usage(
				"one user name at most, one thing to do, and no other options");
	}
	wrong = what_is_wrong(q);
	return wrong ? wrong_usage(wrong) : 0;
}

static bool name_valid(struct str user)
{
	for (size_t i = 0; i < user.n; i++)
		if ((unsigned char)user.p[i] <= ' ' || user.p[i] == ':' || user.p[i] == 0x7f)
			return false;
	return user.n > 0 && user.n <= IPC_NAME_MAX && user.p[0] != '#';
}

/* Of an option's value: no comma, and no colon, which begins the next field. */
static bool word_valid(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 0x7f || s.p[i] == ',' ||
		    s.p[i] == ':')
			return false;
	return s.n > 0 && s.n <= 64;
}

static bool read_services(struct request *q)
{
	struct str rest = str_c(q->services);

	while (rest.n) {
		size_t n = 0;
		struct str word;

		while (n < rest.n && rest.p[n] != ' ' && rest.p[n] != ',')
			n++;
		word = str_sub(rest, 0, n);
		rest = str_from(rest, n + 1);
		if (!word.n)
			continue;
		if (!word_valid(word))
			return false;
		if (q->service_words.n)
			buf_putc(&q->service_words, ' ');
		buf_str_put(&q->service_words, word);
	}
	return true;
}

static int validate(struct request *q)
{
	if (q->user && !name_valid(str_c(q->user)))
		return ctl_fault(
			"\"%s\" is no user name: no blank, no colon, no control character, no # in front",
			q->user);
	if (q->app && !word_valid(str_c(q->app)))
		return ctl_fault(
			"\"%s\" is no name for an app password: no blank, comma or colon, 64 bytes at most",
			q->app);
	if (!read_services(q))
		return ctl_fault("\"%s\" is no list of services, like imap,smtp", q->services);
	return 0;
}

/* ---- what is to be done -------------------------------------------------------------------------- */

static int absent(const struct request *q, const char *file)
{
	if (q->app && q->what == DELETE)
		return ctl_fault("%s has no app password \"%s\" in %s", q->user, q->app, file);
	return ctl_fault("there is no account %s in %s", q->user, file);
}

static int change(const struct request *q, const char *file, struct pwedit *e)
{
	static const char *const done[] = {
		[DELETE] = "deleted", [DISABLE] = "disabled", [ENABLE] = "enabled"};
	enum pwedit_result result;
	struct err err;

	e->user = str_c(q->user);
	e->app = q->app ? str_c(q->app) : STR_NONE;
	if (pwfile_change(file, e, &result, &err) < 0)
		return ctl_fault("%s", err.text);
	if (result == PWEDIT_ABSENT)
		return absent(q, file);
	fprintf(stderr, "%s%s%s %s in %s\n", q->user, q->app ? " app password " : "",
		q->app ? q->app : "",
		q->what != SET		 ? done[q->what]
		: result == PWEDIT_ADDED ? "added"
					 : "changed",
		file);
	return 0;
}

/* Another password of the account that the new one goes beside; empty: there is none. */
static void find_beside(const struct request *q, const char *scheme, const char *file,
			struct buf *out)
{
	struct str app = q->app ? str_c(q->app) : STR_NONE;
	struct buf text = BUF_INIT;
	struct str rest;
	struct pwline l;

	if (q->user && pwfile_read(file, &text, NULL) == 0)
		for (rest = buf_str(&text); out->n == 0 && pwedit_next(&rest, &l);)
			if (str_eq(l.user, str_c(q->user)) &&
			    !(!!l.app.p == !!app.p && str_eq(l.app, app)) &&
			    password_goes_beside(scheme, l.hash))
				buf_str_put(out, l.hash);
	buf_wipe(&text);
}

static int set(const struct ctl *c, const struct request *q, const char *file)
{
	struct pwedit e = {.act = PWEDIT_SET,
			   .services = q->services ? buf_str(&q->service_words) : STR_NONE};
	struct secret password = {NULL, 0};
	const char *scheme = q->scheme ? q->scheme : "yescrypt";
	struct buf hash = BUF_INIT, beside = BUF_INIT;
	int rc = 0;

	find_beside(q, scheme, file, &beside);
	if (q->generate)
		password_generate(&password);
	else
		rc = password_read(&password);
	if (rc == 0)
		rc = password_hash(scheme, c->set, buf_str(&beside), &password, &hash);
	e.hash = buf_str(&hash);
	if (rc == 0 && q->user)
		rc = change(q, file, &e);
	if (rc == 0 && q->generate)
		printf("%.*s\n", STR_ARG(secret_str(&password)));
	if (rc == 0 && !q->user)
		puts(buf_cstr(&hash));
	secret_wipe(&password);
	buf_wipe(&beside);
	buf_wipe(&hash);
	return rc;
}

/* What kind of hash it is, for people; never a part of it. */
static struct str kind_of(struct str hash)
{
	static const struct {
		const char *prefix, *name;
	} crypts[] = {{"$y$", "yescrypt"}, {"$6$", "SHA512-CRYPT"}, {"$5$", "SHA256-CRYPT"},
		      {"$2", "BLF-CRYPT"}, {"$1$", "MD5-CRYPT"},    {"$7$", "scrypt"}};
	size_t end = str_find(hash, '}');

	if (!hash.n || hash.p[0] == '!' || hash.p[0] == '*')
		return STR("none");
	if (hash.p[0] == '{' && end < hash.n)
		return str_sub(hash, 1, end - 1);
	for (size_t i = 0; i < ARRAY_LEN(crypts); i++)
		if (str_starts(hash, str_c(crypts[i].prefix)))
			return str_c(crypts[i].name);
	return STR("other");
}

static int list(const struct ctl *c, const struct request *q, const char *file)
{
	struct buf text = BUF_INIT;
	struct grid *grid = grid_new();
	struct str rest;
	struct pwline l;
	struct err e;
	int rc = 0;

	if (pwfile_read(file, &text, &e) < 0)
		rc = ctl_fault("%s", e.text);
	for (rest = buf_str(&text); rc == 0 && pwedit_next(&rest, &l);) {
		struct control_row row = {
			.name = {STR("user"), STR("app"), STR("scheme"), STR("uid"), STR("gid"),
				 STR("home"), STR("options")},
			.value = {l.user, l.app.p ? l.app : STR(""), kind_of(l.hash), l.uid, l.gid,
				  l.home, l.options},
			.n = 7,
		};

		if (!q->user || str_eq(l.user, str_c(q->user)))
			grid_add(grid, &row);
	}
	if (rc == 0 && q->user && grid_rows(grid) == 0)
		rc = absent(q, file);
	else if (rc == 0 && c->json)
		grid_print_json(grid);
	else if (rc == 0)
		grid_print(grid);
	grid_free(&grid);
	buf_wipe(&text);
	return rc;
}

/* What was changed may be nothing to the logins. */
static void warn_of_others(const struct ctl *c, const struct request *q)
{
	if (q->user && q->what != LIST && !q->file &&
	    !settings_list_has(c->set->authmodules, STR("passwd-file")))
		fprintf(stderr,
			"posthousectl: logins don't ask this file: AUTHMODULES (%s) has no passwd-file\n",
			c->set->authmodules);
}

int ctl_passwd(const struct ctl *c)
{
	struct request q = {.what = SET};
	struct pwedit e = {.act = PWEDIT_DELETE};
	const char *file;
	int rc = parse(c, &q);

	if (rc == 0)
		rc = validate(&q);
	file = q.file ? q.file : c->set->passwd_file;
	if (rc == 0 && q.what == SET)
		rc = set(c, &q, file);
	else if (rc == 0 && q.what == LIST)
		rc = list(c, &q, file);
	else if (rc == 0) {
		if (q.what != DELETE)
			e = (struct pwedit){.act = PWEDIT_OPTION,
					    .option = "disabled",
					    .value = q.what == DISABLE ? STR("1") : STR_NONE};
		rc = change(&q, file, &e);
	}
	if (rc == 0)
		warn_of_others(c, &q);
	buf_deinit(&q.service_words);
	return rc;
}
