/* SPDX-License-Identifier: Apache-2.0 */
/* kick and revoke: end sessions; revoke also has what authd keeps of the account forgotten. */
#include "ctl/ctl.h"

static int usage(const char *how)
{
	fprintf(stderr, "posthousectl: usage: posthousectl %s\n", how);
	return EXIT_USAGE;
}

int ctl_kick(const struct ctl *c)
{
	struct buf text = BUF_INIT;
	struct err e;
	int rc;

	if (c->argc != 2 ||
	    (strcmp(c->argv[0], "user") != 0 && strcmp(c->argv[0], "session") != 0 &&
	     strcmp(c->argv[0], "address") != 0))
		return usage("kick user NAME | session ID | address IP");
	rc = ctl_ask(c, "backend", "kick", NULL, NULL, &text, &e);
	if (rc == 0)
		printf("sessions ended: %s\n", buf_cstr(&text));
	buf_deinit(&text);
	return rc == 0 ? 0 : ctl_fault("%s", e.text);
}

int ctl_revoke(const struct ctl *c)
{
	struct buf text = BUF_INIT;
	struct err e;
	int rc;

	if (c->argc != 1)
		return usage("revoke USER");
	rc = ctl_ask(c, "frontend", "revoke", NULL, NULL, &text, &e);
	if (rc == 0)
		printf("%s: kept answers dropped, sessions ended: %s\n", c->argv[0],
		       buf_cstr(&text));
	buf_deinit(&text);
	return rc == 0 ? 0 : ctl_fault("%s", e.text);
}
