/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/authd/http_nginx.h"
#include "common/config/url.h"

/* ---- questions ---------------------------------------------------------------------------------- */

void http_nginx_escape(struct buf *out, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char ch = (unsigned char)s.p[i];

		if (ch <= ' ' || ch == '%')
			buf_printf(out, "%%%02X", ch);
		else
			buf_putc(out, s.p[i]);
	}
}

static void line(struct buf *b, const char *name, struct str value)
{
	buf_puts(b, name);
	buf_puts(b, ": ");
	buf_str_put(b, value);
	buf_putc(b, '\n');
}

static void escaped(struct buf *b, const char *name, struct str value)
{
	buf_puts(b, name);
	buf_puts(b, ": ");
	http_nginx_escape(b, value);
	buf_putc(b, '\n');
}

static void number(struct buf *b, const char *name, uint32_t n)
{
	buf_printf(b, "%s: %u\n", name, n);
}

static const char *method(const struct check *c)
{
	switch (c->kind) {
	case CHECK_CRAM:
		return "cram-md5";
	case CHECK_TRUSTED:
		return "external";
	default:
		return "plain";
	}
}

static void put_tls(struct buf *b, const struct check *c, const struct http_client_cert *cert)
{
	struct str cipher = c->facts.tls_info, protocol = str_split(&cipher, ' ');

	if (!c->facts.tls)
		return;
	line(b, "Auth-SSL", STR("on"));
	line(b, "Auth-SSL-Protocol", protocol);
	line(b, "Auth-SSL-Cipher", cipher);
	if (!cert->verify.n)
		return;
	line(b, "Auth-SSL-Verify", cert->verify);
	if (cert->subject.n)
		line(b, "Auth-SSL-Subject", cert->subject);
	if (cert->issuer.n)
		line(b, "Auth-SSL-Issuer", cert->issuer);
	if (cert->serial.n)
		line(b, "Auth-SSL-Serial", cert->serial);
	if (cert->fingerprint.n)
		line(b, "Auth-SSL-Fingerprint", cert->fingerprint);
	if (cert->pem.n)
		escaped(b, "Auth-SSL-Cert", cert->pem);
}

void http_nginx_request(struct buf *b, const struct check *c, const struct http_client_cert *cert)
{
	line(b, "Auth-Method", str_c(method(c)));
	escaped(b, "Auth-User", c->user);
	escaped(b, "Auth-Pass", c->kind == CHECK_CRAM ? c->digest : secret_str(&c->password));
	if (c->kind == CHECK_CRAM)
		line(b, "Auth-Salt", c->challenge);
	line(b, "Auth-Protocol", c->facts.protocol);
	number(b, "Auth-Login-Attempt", c->attempt);
	line(b, "Client-IP", c->facts.rip);
	if (c->peer.proxied) {
		line(b, "Proxy-Protocol-Addr", c->facts.rip);
		number(b, "Proxy-Protocol-Port", c->facts.rport);
		line(b, "Proxy-Protocol-Server-Addr", c->facts.lip);
		number(b, "Proxy-Protocol-Server-Port", c->facts.lport);
	}
	put_tls(b, c, cert);
}

/* ---- answers ------------------------------------------------------------------------------------ */

enum { STATUS, WAIT, SERVER, USER, ERROR_CODE, OWN_CODE, KNOWN_N };
static const char *const known[KNOWN_N] = {"Auth-Status", "Auth-Wait",	     "Auth-Server",
					   "Auth-User",	  "Auth-Error-Code", "Posthouse-Code"};
static const char *const own[] = {"User",    "Uid",   "Gid",	 "Home",
				  "Maildir", "Quota", "Options", "Mailhost"};
#define OWN STR("Posthouse-")

static int set_known(struct str seen[KNOWN_N], struct str name, struct str value, struct err *e)
{
	for (size_t i = 0; i < KNOWN_N; i++) {
		if (!str_ieq(name, str_c(known[i])))
			continue;
		if (seen[i].p && !str_eq(seen[i], value))
			return err_set(e, 0, "answer has %s twice", known[i]);
		seen[i] = value;
	}
	return 0;
}

/* "Posthouse-Uid" is the field uid, and so on. */
static int set_own(struct arena *a, struct record_fields *f, struct str name, struct str value,
		   struct err *e)
{
	char lower[16];

	if (!str_istarts(name, OWN))
		return 0;
	name = str_from(name, OWN.n);
	for (size_t i = 0; i < ARRAY_LEN(own); i++) {
		if (!str_ieq(name, str_c(own[i])))
			continue;
		snprintf(lower, sizeof lower, "%s", own[i]);
		lower[0] = (char)(lower[0] | 0x20);
		return record_field(a, f, str_c(lower), value, e);
	}
	return 0;
}

static int read_headers(struct arena *a, struct str headers, struct str seen[KNOWN_N],
			struct record_fields *f, struct err *e)
{
	while (headers.p) {
		struct str value = str_split(&headers, '\n'), name = str_split(&value, ':');

		if (!value.p)
			continue;
		value = value.n ? str_trim(value) : STR("");
		if (str_has_nul(value))
			return err_set(e, 0, "answer has a NUL byte");
		if (set_known(seen, name, value, e) || set_own(a, f, name, value, e))
			return -1;
	}
	return 0;
}

static int wait_more(struct str seconds, struct http_reply *r, struct err *e)
{
	if (!seconds.n)
		r->wait_s = 1;
	else if (!str_u32(seconds, &r->wait_s))
		return err_set(e, 0, "Auth-Wait is not a number");
	r->wait_s = r->wait_s ? r->wait_s : 1;
	r->says = HTTP_SAYS_WAIT;
	return 0;
}

static int yes(struct arena *a, const struct str seen[KNOWN_N], bool route, struct http_reply *r,
	       struct err *e)
{
	if (!r->fields.user.n && record_field(a, &r->fields, STR("user"), seen[USER], e))
		return -1;
	if (route && seen[SERVER].n && !r->fields.mailhost.n) {
		if (!url_is_address(seen[SERVER]))
			return err_set(e, 0, "Auth-Server is not an IP address");
		r->fields.mailhost = arena_str(a, seen[SERVER]);
	}
	r->says = HTTP_SAYS_YES;
	return 0;
}

static void no(struct arena *a, const struct str seen[KNOWN_N], struct http_reply *r)
{
	r->says = HTTP_SAYS_NO;
	r->result = AUTH_MISMATCH;
	r->fields.text = http_reply_text(a, seen[STATUS]);
	if (!http_reply_code(r, a, seen[OWN_CODE]))
		http_reply_code(
			r, a,
			seen[ERROR_CODE]); /* Mailu puts IMAP's there; SMTP's are nothing to us */
}

void http_nginx_answer(struct arena *a, const struct http_answer *h, bool route,
		       struct http_reply *r, struct err *e)
{
	struct str seen[KNOWN_N] = {0};

	r->says = HTTP_SAYS_FAULT;
	if (read_headers(a, h->headers, seen, &r->fields, e))
		return;
	if (str_eq(seen[STATUS], STR("OK")))
		yes(a, seen, route, r, e);
	else if (str_eq(seen[STATUS], STR("WAIT")))
		wait_more(seen[WAIT], r, e);
	else if (seen[STATUS].n || (!seen[STATUS].p && (h->status == 401 || h->status == 403)))
		no(a, seen, r);
	else
		err_set(e, 0, "status %u without Auth-Status", h->status);
}
