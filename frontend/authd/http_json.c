/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/authd/http_json.h"
#include <jansson.h>
#include <malloc.h>
#include "common/base/rand.h"
#include "common/base/utf8.h"
#include "frontend/authd/record_json.h"

static void wipe_and_free(void *p)
{
	if (p)
		secret_zero(p, malloc_usable_size(p));
	free(p);
}

void http_json_init(void)
{
	uint64_t seed;

	rand_bytes(&seed, sizeof seed);
	json_object_seed(seed | 1);
	json_set_alloc_funcs(malloc, wipe_and_free);
}

/* ---- questions ---------------------------------------------------------------------------------- */

static void put_string(struct buf *b, struct str s)
{
	buf_putc(b, '"');
	for (size_t i = 0; i < s.n; i++) {
		unsigned char ch = (unsigned char)s.p[i];

		if (ch < ' ' || ch == 0x7f)
			buf_printf(b, "\\u%04x", ch);
		else if (ch == '"' || ch == '\\')
			buf_printf(b, "\\%c", ch);
		else
			buf_putc(b, s.p[i]);
	}
	buf_putc(b, '"');
}

static int put_text(struct buf *b, const char *name, struct str value, struct err *e)
{
	if (!utf8_valid(value) || str_has_nul(value))
		return err_set(e, EILSEQ, "%s is not UTF-8 text, so it can't be asked for in JSON",
			       name);
	buf_printf(b, "%s\"%s\":", b->n > 1 ? "," : "", name);
	put_string(b, value);
	return 0;
}

/* Where it is there. */
static int put_more(struct buf *b, const char *name, struct str value, struct err *e)
{
	return value.n ? put_text(b, name, value, e) : 0;
}

static int put_proof(struct buf *b, const struct check *c, struct err *e)
{
	if (c->kind == CHECK_PASSWORD)
		return put_text(b, "password", secret_str(&c->password), e);
	if (c->kind == CHECK_CRAM &&
	    (put_text(b, "challenge", c->challenge, e) || put_text(b, "digest", c->digest, e)))
		return -1;
	return 0;
}

static const char *wanted(const struct check *c)
{
	static const char *const names[CHECK_KIND_N] = {
		[CHECK_PASSWORD] = "password",
		[CHECK_CRAM] = "cram-md5",
		[CHECK_SCRAM] = "hashes",
		[CHECK_TRUSTED] = "account",
	};

	return names[c->kind];
}

static int put_connection(struct buf *b, const struct check *c, struct err *e)
{
	const struct session_facts *f = &c->facts;

	buf_printf(b, ",\"tls\":%s", f->tls ? "true" : "false");
	if (put_more(b, "tls_info", f->tls_info, e) || put_text(b, "session", f->session, e) ||
	    put_more(b, "sni", c->peer.sni, e) || put_text(b, "local_ip", f->lip, e))
		return -1;
	buf_printf(b, ",\"real_rport\":%u,\"local_port\":%u,\"attempt\":%u", f->rport, f->lport,
		   c->attempt);
	return c->peer.proxied ? put_more(b, "proxy_ip", c->peer.proxy_addr, e) : 0;
}

static int put_cert(struct buf *b, const struct http_client_cert *cert, struct err *e)
{
	return put_more(b, "cert_verify", cert->verify, e) ||
			       put_more(b, "cert_subject", cert->subject, e) ||
			       put_more(b, "cert_issuer", cert->issuer, e) ||
			       put_more(b, "cert_serial", cert->serial, e) ||
			       put_more(b, "cert_fingerprint", cert->fingerprint, e) ||
			       put_more(b, "cert", cert->pem, e)
		       ? -1
		       : 0;
}

int http_json_request(struct buf *b, const struct check *c, const struct http_client_cert *cert,
		      struct err *e)
{
	buf_putc(b, '{');
	if (put_text(b, "username", c->user, e) || put_proof(b, c, e) ||
	    put_text(b, "real_rip", c->facts.rip, e) ||
	    put_text(b, "service", c->facts.protocol, e) ||
	    put_text(b, "mechanism", c->mechanism, e) ||
	    put_text(b, "wanted", str_c(wanted(c)), e) || put_connection(b, c, e) ||
	    put_cert(b, cert, e))
		return -1;
	buf_putc(b, '}');
	return 0;
}

/* ---- answers ------------------------------------------------------------------------------------ */

/* Words that mean nothing here leave it a mismatch. */
static void reason(struct http_reply *r, struct str why)
{
	static const struct {
		const char *name;
		enum auth_result result;
	} reasons[] = {
		{"mismatch", AUTH_MISMATCH},
		{"unknown", AUTH_UNKNOWN},
		{"disabled", AUTH_DISABLED},
		{"expired", AUTH_EXPIRED},
		{"impossible", AUTH_IMPOSSIBLE},
		{"unavailable", AUTH_TEMPFAIL},
		{"next", AUTH_NEXT},
	};

	for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
		if (str_eq(why, str_c(reasons[i].name)))
			r->result = reasons[i].result;
}

/* Anything but success: true. */
static void no(struct arena *a, struct http_reply *r)
{
	struct str code = r->fields.code;

	r->says = HTTP_SAYS_NO;
	r->result = AUTH_MISMATCH;
	r->fields.code = STR_NONE;
	if (r->fields.enabled == RECORD_NO)
		r->result = AUTH_DISABLED;
	else if (r->fields.expired == RECORD_YES)
		r->result = AUTH_EXPIRED;
	reason(r, r->fields.reason);
	http_reply_code(r, a, code);
}

static bool hashes(const struct http_reply *r)
{
	return r->fields.password.n || r->fields.npasswords;
}

static int yes(struct http_reply *r, struct err *e)
{
	if (r->fields.success != RECORD_YES && !hashes(r))
		return err_set(e, 0, "answer says neither success true nor false");
	r->says = HTTP_SAYS_YES;
	return 0;
}

void http_json_answer(struct arena *a, const struct http_answer *h, struct http_reply *r,
		      struct err *e)
{
	bool refused = h->status == 401 || h->status == 403;
	struct err broken;

	r->says = HTTP_SAYS_FAULT;
	if (!refused && h->status / 100 != 2) {
		err_set(e, 0, "status %u", h->status);
		return;
	}
	if (record_json(a, h->body, &r->fields, &broken)) {
		if (!refused) {
			err_set(e, 0, "%s", broken.text);
			return;
		}
		memset(&r->fields, 0, sizeof r->fields); /* a page for people */
	}
	r->fields.text = http_reply_text(a, r->fields.text);
	if (refused && r->fields.success == RECORD_YES)
		err_set(e, 0, "status %u, but success true", h->status);
	else if (refused || r->fields.success == RECORD_NO)
		no(a, r);
	else
		yes(r, e);
}
