/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/login/loglines.h"

static const struct {
	const char *courier;
	enum log_level level;
} events[LOGLINES_EVENT_N] = {
	[LOGLINES_PASSED] = {"LOGIN PASSED", L_INFO},
	[LOGLINES_FAILED] = {"LOGIN FAILED", L_INFO},
	[LOGLINES_DENIED] = {"LOGIN DENIED", L_INFO},
	[LOGLINES_DEFERRED] = {"LOGIN DEFERRED", L_WARN},
};

static bool is_dovecot(const struct settings *set)
{
	return strcmp(set->log_login, "dovecot") == 0 && strcmp(set->log_format, "json") != 0;
}

const char *loglines_program(const struct settings *set)
{
	return is_dovecot(set) ? "dovecot" : "imaplogin";
}

static void courier(const struct session *s, const struct loglines_login *l)
{
	LOG_COURIER(events[l->event].level, events[l->event].courier, L_S("user", l->user),
		    L_B("ip", s->rip), L_P("port", s->rport), L_C("session", s->id),
		    L_C("method", l->method), L_C("tls", session_secure(s) ? "1" : "0"),
		    L_C("proxy", s->proxied ? s->proxied->addr : "none"), L_C("reason", l->reason));
}

static void dovecot(const struct session *s, const struct loglines_login *l)
{
	struct buf b = BUF_INIT;

	buf_puts(&b, "imap-login: ");
	if (l->event == LOGLINES_PASSED)
		buf_puts(&b, "Login");
	else if (l->event == LOGLINES_FAILED)
		buf_printf(&b, "Aborted login (auth failed, 1 attempts in %u secs)",
			   (unsigned)(l->took_ms / 1000));
	else
		buf_printf(&b, "Login %s (%s)", l->event == LOGLINES_DENIED ? "denied" : "deferred",
			   l->reason);
	buf_puts(&b, ": user=<");
	log_escape(&b, l->user);
	buf_printf(&b, ">, method=%s, rip=%s, lip=%s, %ssession=<%s>", l->method, s->rip, s->lip,
		   session_secure(s) ? "TLS, " : "", s->id);
	log_event(events[l->event].level, buf_cstr(&b), NULL, 0);
	buf_deinit(&b);
}

void loglines_login(const struct session *s, const struct loglines_login *l)
{
	if (is_dovecot(s->worker->set))
		dovecot(s, l);
	else
		courier(s, l);
}
