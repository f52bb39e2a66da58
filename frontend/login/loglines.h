/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loglines: what is logged of a login attempt, in the form of LOG_LOGIN: Courier's or Dovecot's, so
 * that the programs which read their logs (fail2ban) read ours. JSON has one form.
 */
#pragma once
#include "common/base/log.h"
#include "frontend/login/session.h"

enum loglines_event {
	LOGLINES_PASSED, /* the backend has the client */
	LOGLINES_FAILED, /* the client's word for who it is was wrong: what fail2ban counts, nothing else */
	LOGLINES_DENIED,   /* the account may not, or not so */
	LOGLINES_DEFERRED, /* our own side can't */
	LOGLINES_EVENT_N
};

struct loglines_login {
	enum loglines_event event;
	struct str user;
	const char *method, *reason;
	uint64_t took_ms;
};

void loglines_login(const struct session *s, const struct loglines_login *l);
/* The program's name in the log: that of the other server's login program, which fail2ban looks for. */
const char *loglines_program(const struct settings *set);
