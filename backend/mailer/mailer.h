/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mailer: what its files share. main.c takes messages from imapds and forks a process for each; that
 * one (attempt.c) outlives the mailer if need be, and has a child (agent.c) which becomes the account, looks the
 * message over (check.c) and is SENDMAIL from then on, or talks SMTP.
 */
#pragma once
#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/vec.h"
#include "common/config/settings.h"
#include "common/ipc/mailer.h"

struct attempt {
	const struct settings *set;
	struct mailer_serve who; /* slices into memory that stays */
	int link;		 /* to imapd */
	int message, area;	 /* descriptors that imapd gave: not to be believed */
	int64_t wall;		 /* the end, by the clock on the wall */
};
/* In a process of its own: sends, writes the verdict down, tells it, ends. */
_Noreturn void attempt_run(struct attempt *a);

/* The sender may stand behind -f and in a header line. */
bool attempt_sender_ok(struct str sender);

/* What the agent says on the descriptor report: a verdict, or AGENT_BEGINS and then perhaps a verdict. */
#define AGENT_BEGINS 'X'
struct agent {
	const struct settings *set;
	const struct mailer_serve *who;
	int message; /* the copy that is sent: its position is at the start */
	int err;     /* becomes its stderr */
	int report;
	unsigned seconds;
};
_Noreturn void agent_run(const struct agent *a);

/* ---- check.c ------------------------------------------------------------------------------------ */
struct envelope {
	VEC(char *) to;
	struct str header; /* of the message, with the blank line */
};
/* Whether a message may be sent. -1: *v says why not. */
int check_message(const struct settings *set, struct str sender, struct str message,
		  struct envelope *env, struct mailer_verdict *v);
void envelope_deinit(struct envelope *env);
/* The header as it goes to other hosts: without Bcc and Resent-Bcc. */
void check_put_header(struct buf *out, struct str header);
