/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/client/client.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static const struct {
	const char *name;
	void (*run)(const struct target *t, int argc, char **argv);
	int args;
	const char *usage;
} works[] = {
	{"login", work_login, 2, "LOGINS USERS: connect, LOGIN, SELECT, LOGOUT"},
	{"handshake", work_handshake, 1, "TIMES: connect, read the greeting, close"},
	{"memory", work_memory, 1, "TIMES: handshakes of OpenSSL with itself, no server"},
	{"idle", work_idle, 2, "USERS SESSIONS: each user's sessions in IDLE until stdin ends"},
	{"news", work_news, 5,
	 "rename|append|store IDLERS TIMES SECONDS DIR: how soon idlers hear of it"},
	{"fetch", work_fetch, 1, "TIMES: all bodies of INBOX"},
	{"fill", work_fill, 1, "DIR: APPEND every file of DIR, in order, to INBOX"},
};

int main(int argc, char **argv)
{
	struct rlimit files;
	struct target t;

	signal(SIGPIPE, SIG_IGN);
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	for (size_t i = 0; argc > 5 && i < sizeof(works) / sizeof(*works); i++) {
		if (strcmp(argv[5], works[i].name) || argc != 6 + works[i].args)
			continue;
		t.port = (int)strtol(argv[1], NULL, 10);
		t.tls = !strcmp(argv[2], "tls");
		t.user_format = argv[3];
		t.password = *argv[4] ? argv[4] : NULL;
		works[i].run(&t, argc - 6, argv + 6);
		return 0;
	}
	fprintf(stderr, "usage: client PORT tls|plain USER|FORMAT%%d PASSWORD WORK ARGS\n");
	for (size_t i = 0; i < sizeof(works) / sizeof(*works); i++)
		fprintf(stderr, "  %s %s\n", works[i].name, works[i].usage);
	return 2;
}
