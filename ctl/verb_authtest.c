/* SPDX-License-Identifier: Apache-2.0 */
/* authtest: what a login would find, asked of the authd that serves; as Courier's authtest (R129). */
#include "ctl/ctl.h"

struct request {
	const char *service, *user;
	bool asks;
	struct secret password;
	bool has_password;
};

static int usage(const char *what)
{
	fprintf(stderr,
		"posthousectl authtest: %s\n"
		"Usage: posthousectl authtest [-s SERVICE] [-p] [--json] USER [PASSWORD]\n",
		what);
	return EXIT_USAGE;
}

/* On the command line it is there for all to see; it needn't stay so. */
static void take_password(struct request *q, char *arg)
{
	secret_set(&q->password, str_c(arg));
	secret_zero(arg, strlen(arg));
	q->has_password = true;
}

static int parse(const struct ctl *c, struct request *q)
{
	for (int i = 0; i < c->argc; i++) {
		char *a = c->argv[i];

		if (!q->user && strcmp(a, "-s") == 0 && i + 1 < c->argc)
			q->service = c->argv[++i];
		else if (!q->user && strcmp(a, "-p") == 0)
			q->asks = true;
		else if (!q->user && a[0] == '-')
			return usage("-s SERVICE and -p are the options");
		else if (!q->user)
			q->user = a;
		else if (!q->has_password)
			take_password(q, a);
		else
			return usage(
				"passwords are changed with posthousectl passwd (accounts of PASSWD_FILE), or "
				"where the accounts are kept; then posthousectl revoke");
	}
	if (!q->user)
		return usage("name the user");
	if (q->asks && q->has_password)
		return usage("-p asks for the password: don't give it");
	return 0;
}

/* ---- the answer ---------------------------------------------------------------------------------- */

struct answer {
	const struct ctl *c;
	bool ok;
};

static struct str field(const struct control_row *row, const char *name)
{
	for (uint32_t i = 0; i < row->n; i++)
		if (str_eq(row->name[i], str_c(name)))
			return row->value[i];
	return STR_NONE;
}

static void line(const char *title, struct str value)
{
	printf("%18s: %.*s\n", title, STR_ARG(value.n ? value : STR("(none)")));
}

static const char *reason(struct str result)
{
	static const char *const said[][2] = {
		{"mismatch", "wrong password"},
		{"unknown", "no module knows this user"},
		{"disabled", "the account may not log in"},
		{"expired", "the account has expired"},
		{"impossible", "no module can say it so: without a password, give one with -p"},
		{"tempfail", "a module could not be asked: its line in authd's log says why"},
	};

	for (size_t i = 0; i < ARRAY_LEN(said); i++)
		if (str_eq(result, str_c(said[i][0])))
			return said[i][1];
	return "refused";
}

static void on_row(void *ctx, const struct control_row *row)
{
	struct answer *a = ctx;
	struct str result = field(row, "result"), text = field(row, "text");

	a->ok = str_eq(result, STR("ok"));
	if (a->c->json) {
		struct grid *g = grid_new();

		grid_add(g, row);
		grid_print_json(g);
		grid_free(&g);
		return;
	}
	if (a->ok)
		printf("Authentication succeeded.\n\n");
	else
		printf("Authentication FAILED: %s%s%.*s\n", reason(result), text.n ? ": " : "",
		       STR_ARG(text));
	if (!field(row, "home").p)
		return;
	printf("%s%18s: %.*s  (uid %.*s, gid %.*s)\n", a->ok ? "" : "\n", "Authenticated",
	       STR_ARG(field(row, "address")), STR_ARG(field(row, "uid")),
	       STR_ARG(field(row, "gid")));
	line("Home Directory", field(row, "home"));
	line("Maildir", field(row, "maildir"));
	line("Quota", field(row, "quota"));
	line("Encrypted Password", STR("(not shown)"));
	line("Cleartext Password", STR("(not shown)"));
	line("Options", field(row, "options"));
	if (field(row, "mailhost").n)
		line("Mail host", field(row, "mailhost"));
	line("Module", field(row, "module"));
}

int ctl_authtest(const struct ctl *c)
{
	struct request q = {.service = "imap"};
	struct answer a = {.c = c};
	struct ctl asked = *c;
	char *argv[4] = {NULL};
	struct err e;
	int rc = parse(c, &q);

	if (rc == 0 && q.asks) {
		rc = password_read(&q.password, false);
		q.has_password = true;
	}
	if (rc == 0) {
		argv[0] = str_dup(str_c(q.service));
		argv[1] = str_dup(str_c(q.user));
		argv[2] = q.has_password ? str_dup(secret_str(&q.password)) : NULL;
		asked.argv = argv;
		asked.argc = q.has_password ? 3 : 2;
		if (ctl_ask(&asked, "frontend", "authtest", on_row, &a, NULL, &e) < 0)
			rc = ctl_fault("%s", e.text);
		else
			rc = a.ok ? 0 : EXIT_FAULT;
		if (argv[2])
			secret_zero(argv[2], q.password.n);
		for (int i = 0; i < 3; i++)
			free(argv[i]);
	}
	secret_wipe(&q.password);
	return rc;
}
