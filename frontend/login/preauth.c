/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/login/preauth.h"
#include <sys/utsname.h>
#include "common/base/base64.h"
#include "common/base/log.h"
#include "common/imap/args.h"
#include "common/imap/reply.h"
#include "frontend/login/login.h"
#include "frontend/login/tlsctx.h"

struct command {
	const char *name;
	bool password; /* its arguments are wiped */
	void (*run)(struct session *s);
};

static struct buf *out(struct session *s)
{
	return conn_out(s->conn);
}

static void ok(struct session *s, const char *text)
{
	imap_put_tagged(out(s), s->parser.tag, "OK %s", text);
}

static void bad(struct session *s, const char *text)
{
	imap_put_tagged(out(s), s->parser.tag, "BAD %s", text);
	session_count_bad(s);
}

void preauth_greet(struct session *s)
{
	struct buf *b = out(s), bye = BUF_INIT;

	s->state = SESSION_COMMANDS;
	if (s->worker->shutdown[0]) {
		buf_printf(&bye, "[ALERT] %s", s->worker->shutdown);
		session_bye(s, buf_cstr(&bye));
		buf_deinit(&bye);
		return;
	}
	buf_puts(b, "* OK [CAPABILITY ");
	session_put_caps(s, b);
	buf_puts(b, "] Posthouse ready.\r\n");
	if (s->worker->motd[0])
		imap_put_untagged(b, "OK [ALERT] %s", s->worker->motd);
}

static void run_capability(struct session *s)
{
	struct buf *b = out(s);

	if (s->parser.args) {
		bad(s, "CAPABILITY has no arguments.");
		return;
	}
	buf_puts(b, "* CAPABILITY ");
	session_put_caps(s, b);
	buf_puts(b, "\r\n");
	ok(s, "CAPABILITY completed");
}

static void run_noop(struct session *s)
{
	if (s->parser.args)
		bad(s, "NOOP has no arguments.");
	else
		ok(s, "NOOP completed");
}

static void run_logout(struct session *s)
{
	if (s->parser.args) {
		bad(s, "LOGOUT has no arguments.");
		return;
	}
	imap_put_untagged(out(s), "BYE Posthouse shutting down the connection.");
	ok(s, "LOGOUT completed");
	s->state = SESSION_CLOSING;
	conn_finish(s->conn, 2000);
}

/* RFC 2971 3.3: NIL, or at most 30 pairs of string and nstring. The values are not used. */
static bool id_params(const struct imap_arg *a)
{
	const struct imap_arg *e;
	struct str field, value;
	unsigned pairs = 0;

	if (imap_arg_word(&a, "NIL"))
		return imap_arg_end(a);
	if (!imap_arg_list(&a, &e) || !imap_arg_end(a))
		return false;
	while (e) {
		if (!imap_arg_string(&e, &field) || field.n > IMAP_ID_FIELD_MAX ||
		    !imap_arg_nstring(&e, &value) || value.n > IMAP_ID_VALUE_MAX ||
		    ++pairs > IMAP_ID_PAIRS)
			return false;
	}
	return true;
}

static void run_id(struct session *s)
{
	uint64_t fields = s->worker->set->imap_id_fields;
	struct buf *b = out(s);
	struct utsname u;

	if (!id_params(s->parser.args)) {
		bad(s, "ID takes NIL or a list of at most 30 pairs.");
		return;
	}
	if (uname(&u))
		fields &= 1;
	buf_puts(b, "* ID (\"name\" \"Posthouse\"");
	if (fields & 1)
		buf_puts(b, " \"version\" \"" POSTHOUSE_VERSION "\"");
	if (fields & 2) {
		buf_puts(b, " \"os\" ");
		imap_put_string(b, str_c(u.sysname));
	}
	if (fields & 4) {
		buf_puts(b, " \"os-version\" ");
		imap_put_string(b, str_c(u.release));
	}
	buf_puts(b, ")\r\n");
	ok(s, "ID completed");
}

/* B1: what came behind STARTTLS came in clear, whoever sent it. It is neither run nor kept. */
static void run_starttls(struct session *s)
{
	if (s->parser.args) {
		bad(s, "STARTTLS has no arguments.");
		return;
	}
	if (session_secure(s) || !s->worker->set->imapdstarttls) {
		bad(s, session_secure(s) ? "TLS is in use already." : "STARTTLS is not offered.");
		return;
	}
	if (!tlsctx_get(s->worker->tls)) {
		imap_put_tagged(out(s), s->parser.tag, "NO [UNAVAILABLE] No certificate.");
		return;
	}
	if (conn_in(s->conn).n) {
		LOG(L_WARN, "input behind STARTTLS", L_C("ip", s->rip), L_C("session", s->id));
		conn_in_drop(s->conn);
		session_bye(s, "Nothing may follow STARTTLS before its answer.");
		return;
	}
	ok(s, "Begin SSL/TLS negotiation now.");
	if (session_start_tls(s))
		session_bye(s, "TLS can't start here.");
}

/* True: the client was told that it must use TLS first. Its password is not looked at. */
static bool refuse_plain(struct session *s)
{
	if (session_may_login(s))
		return false;
	imap_put_tagged(out(s), s->parser.tag, "NO [PRIVACYREQUIRED] STARTTLS required");
	return true;
}

/* As a PLAIN message: no argument of a command has a NUL (B4). */
static void run_login(struct session *s)
{
	const struct imap_arg *a = s->parser.args;
	struct login_start st = {.tag = s->parser.tag,
				 .verb = STR("LOGIN"),
				 .mechanism = SASL_PLAIN,
				 .method = "LOGIN"};
	struct buf message = BUF_INIT;
	struct str password;

	if (refuse_plain(s))
		return;
	if (!imap_arg_astring(&a, &st.user) || !imap_arg_astring(&a, &password) ||
	    !imap_arg_end(a)) {
		bad(s, "LOGIN takes a user name and a password.");
		return;
	}
	buf_reserve(&message, st.user.n + password.n + 2);
	buf_putc(&message, '\0');
	buf_str_put(&message, st.user);
	buf_putc(&message, '\0');
	buf_str_put(&message, password);
	st.initial = buf_str(&message);
	if (st.user.n)
		login_begin(s, &st);
	else
		bad(s, "The user name is empty.");
	buf_wipe(&message);
}

static void run_authenticate(struct session *s)
{
	const struct imap_arg *a = s->parser.args;
	struct login_start st = {.tag = s->parser.tag, .verb = STR("AUTHENTICATE")};
	struct str name, initial = STR_NONE;
	struct buf message = BUF_INIT;

	if (refuse_plain(s))
		return;
	if (!imap_arg_atom(&a, &name) || (a && !imap_arg_atom(&a, &initial)) || !imap_arg_end(a)) {
		bad(s, "AUTHENTICATE takes a mechanism and, perhaps, an initial response.");
		return;
	}
	st.mechanism = sasl_find(name);
	if (st.mechanism == SASL_ID_N || !(session_mechanisms(s) & SASL_BIT(st.mechanism))) {
		imap_put_tagged(out(s), s->parser.tag, "NO [CANNOT] Mechanism is not offered.");
		session_count_bad(s);
		return;
	}
	st.method = sasl_name(st.mechanism);
	/* RFC 4959 3: "=" is the empty message. */
	if (initial.p && !str_eq(initial, STR("=")) && base64_decode(&message, initial)) {
		bad(s, "Broken SASL message.");
	} else {
		if (initial.p)
			st.initial = message.n ? buf_str(&message) : STR("");
		login_begin(s, &st);
	}
	buf_wipe(&message);
}

static const struct command commands[] = {
	{"AUTHENTICATE", true, run_authenticate},
	{"CAPABILITY", false, run_capability},
	{"ID", false, run_id},
	{"LOGIN", true, run_login},
	{"LOGOUT", false, run_logout},
	{"NOOP", false, run_noop},
	{"STARTTLS", false, run_starttls},
};

static void run_command(struct session *s)
{
	struct str name = s->parser.name;

	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		if (!str_ieq(name, str_c(commands[i].name)))
			continue;
		commands[i].run(s);
		if (commands[i].password)
			imap_parser_wipe(&s->parser);
		else
			imap_parser_done(&s->parser);
		return;
	}
	bad(s, "Unknown command, or not before login.");
	imap_parser_wipe(&s->parser);
}

static bool step_sasl(struct session *s)
{
	struct buf copy = BUF_INIT;
	struct str line;
	size_t used;
	int r = imap_take_line(conn_in(s->conn), session_in_max(s->worker) - 2, &line, &used);

	if (r < 0) {
		session_bye(s, "[TOOBIG] SASL message is too long.");
		return false;
	}
	if (r == 0)
		return false;
	buf_str_put(&copy, line);
	conn_consume(s->conn, used);
	login_respond(s->login, buf_str(&copy));
	buf_wipe(&copy);
	return true;
}

static bool step_command(struct session *s)
{
	char text[256];
	size_t used;
	enum imap_parse r = imap_parse_step(&s->parser, conn_in(s->conn), &used);

	conn_consume(s->conn, used);
	switch (r) {
	case IMAP_PARSE_MORE:
		return false;
	case IMAP_PARSE_LITERAL:
		if (imap_parser_take(&s->parser) && s->parser.literal.sync)
			imap_put_continue(out(s), "OK");
		return true;
	case IMAP_PARSE_COMMAND:
		run_command(s);
		return true;
	case IMAP_PARSE_BAD:
		imap_parser_put_bad(&s->parser, out(s));
		imap_parser_wipe(&s->parser);
		session_count_bad(s);
		return true;
	default:
		snprintf(text, sizeof(text), "%s", s->parser.text);
		session_bye(s, text);
		return false;
	}
}

void preauth_input(struct session *s)
{
	bool more = true;

	while (more) {
		if (s->state == SESSION_COMMANDS && !conn_full(s->conn))
			more = step_command(s);
		else if (s->state == SESSION_SASL && !conn_full(s->conn))
			more = step_sasl(s);
		else
			more = false;
	}
}
