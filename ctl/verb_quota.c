/* SPDX-License-Identifier: Apache-2.0 */
/* quota: what accounts use. imapd looks, as each Maildir's owner. */
#include <sys/wait.h>
#include <unistd.h>
#include "common/base/vec.h"
#include "ctl/ctl.h"

struct look {
	const struct ctl *c;
	struct buf imapd;
	struct grid *grid;
	struct str only; /* this user; p is NULL: all */
	bool found, failed;
};

/* In the child. */
static _Noreturn void exec_imapd(const struct look *k, const char *maildir, const char *quota,
				 int out)
{
	VEC(const char *) argv = {0};

	*vec_push(&argv) = "imapd";
	if (k->c->file) {
		*vec_push(&argv) = "-C";
		*vec_push(&argv) = k->c->file;
	}
	for (const char *const *set = k->c->sets; set && *set; set++) {
		*vec_push(&argv) = "--set";
		*vec_push(&argv) = *set;
	}
	*vec_push(&argv) = "--quota";
	*vec_push(&argv) = maildir;
	*vec_push(&argv) = NULL;
	dup2(out, STDOUT_FILENO);
	unsetenv("IMAPLOGINTAG");
	if (*quota)
		setenv("MAILDIRQUOTA", quota, 1);
	execv(((const char *)k->imapd.p), (char **)argv.a);
	_exit(127);
}

/* What it says, up to its end. False: it failed, and said why on stderr. */
static bool ask_imapd(const struct look *k, const char *maildir, const char *quota, char *text,
		      size_t room)
{
	int fd[2], status = 1;
	size_t have = 0;
	ssize_t n;
	pid_t pid;

	if (pipe(fd) < 0)
		return false;
	pid = fork();
	if (pid == 0) {
		close(fd[0]);
		exec_imapd(k, maildir, quota, fd[1]);
	}
	close(fd[1]);
	while (pid > 0 && have < room - 1 && (n = read(fd[0], text + have, room - 1 - have)) > 0)
		have += (size_t)n;
	text[have] = 0;
	close(fd[0]);
	return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
	       WEXITSTATUS(status) == 0;
}

static void put_number(struct control_row *row, const char *key, unsigned long long n,
		       char text[24])
{
	snprintf(text, 24, "%llu", n);
	row->name[row->n] = str_c(key);
	row->value[row->n++] = str_c(text);
}

static int show(struct look *k, const char *who, const char *maildir, const char *quota)
{
	unsigned long long bytes, bytes_limit, count, count_limit;
	struct control_row row = {0};
	char text[256], number[4][24];

	k->found = true;
	if (!ask_imapd(k, maildir, quota, text, sizeof text) ||
	    sscanf(text, "bytes %llu %llu messages %llu %llu", &bytes, &bytes_limit, &count,
		   &count_limit) != 4) {
		k->failed = true;
		ctl_fault("%s: can't be looked at", who);
		return 0;
	}
	row.name[row.n] = STR("account");
	row.value[row.n++] = str_c(who);
	put_number(&row, "bytes", bytes, number[0]);
	put_number(&row, "bytes-limit", bytes_limit, number[1]);
	put_number(&row, "messages", count, number[2]);
	put_number(&row, "messages-limit", count_limit, number[3]);
	grid_add(k->grid, &row);
	return 0;
}

static int show_user(void *ctx, struct str user, struct str quota)
{
	struct look *k = ctx;
	struct buf maildir = BUF_INIT;
	struct err e;

	if (k->only.p && !str_eq(k->only, user))
		return 0;
	char *name = str_dup(user), *q = str_dup(quota);
	k->found = true;
	if (pwfile_maildir(k->c->set, user, &maildir, &e) < 0) {
		k->failed = true;
		ctl_fault("%s", e.text);
	} else if (k->only.p || access(buf_cstr(&maildir), F_OK) ==
					0) { /* --all: who never logged in uses nothing */
		show(k, name, buf_cstr(&maildir), q);
	}
	buf_deinit(&maildir);
	free(name);
	free(q);
	return k->only.p ? 1 : 0;
}

int ctl_quota(const struct ctl *c)
{
	const char *who = c->argc == 1 ? c->argv[0] : NULL;
	struct look k = {.c = c};
	struct err e;
	int rc = 0;

	if (!who || (who[0] == '-' && strcmp(who, "--all") != 0)) {
		fprintf(stderr, "Usage: posthousectl quota USER | MAILDIR | --all [--json]\n");
		return EXIT_USAGE;
	}
	if (!ctl_find_imapd(&k.imapd))
		return ctl_fault("imapd isn't where it belongs, in ../libexec/posthouse from here");
	buf_cstr(&k.imapd);
	k.grid = grid_new();
	if (strcmp(who, "--all") != 0)
		k.only = str_c(who);
	if (strchr(who, '/'))
		show(&k, who, who, "");
	else
		rc = pwfile_users(c->set, show_user, &k, &e);
	if (rc < 0)
		ctl_fault("%s", e.text);
	else if (!k.found && k.only.p)
		ctl_fault("%s has no account %s: name the Maildir (a path with a / in it)",
			  c->set->passwd_file, who);
	if (c->json)
		grid_print_json(k.grid);
	else if (grid_rows(k.grid))
		grid_print(k.grid);
	grid_free(&k.grid);
	buf_deinit(&k.imapd);
	return rc < 0 || k.failed || (!k.found && k.only.p) ? EXIT_FAULT : 0;
}
