/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/authd/oauth/introspect.h"
#include "common/base/base64.h"
#include "common/base/clock.h"
#include "common/io/http.h"

static bool mode_is(const struct settings *set, const char *mode)
{
	return strcmp(set->oauth_introspection_mode, mode) == 0;
}

/* ---- the question ---------------------------------------------------------------------------------- */

/* application/x-www-form-urlencoded, for a body, a URL, and the halves of Basic (RFC 6749 2.3.1). */
static void put_encoded(struct buf *b, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
		    c == '-' || c == '.' || c == '_' || c == '~')
			buf_putc(b, (char)c);
		else
			buf_printf(b, "%%%02X", c);
	}
}

static void put_basic(struct buf *b, const struct settings *set)
{
	struct buf pair = BUF_INIT;

	put_encoded(&pair, str_c(set->oauth_client_id));
	buf_putc(&pair, ':');
	put_encoded(&pair, str_c(set->oauth_client_secret));
	buf_puts(b, "Authorization: Basic ");
	base64_encode(b, buf_str(&pair));
	buf_wipe(&pair);
}

static void judge_failure(struct claims_verdict *v, const char *why)
{
	*v = (struct claims_verdict){.verdict = OAUTH_UNAVAILABLE, .why = why};
}

static void answered(void *ctx, const struct http_answer *a)
{
	struct introspect *in = ctx;
	struct claims_verdict v;

	in->call = NULL;
	if (a->whole)
		introspect_judge(&v, in->set, a->status, a->body, clock_wall_s());
	else
		judge_failure(&v, a->err.text);
	in->done(in->ctx, &v);
}

int introspect_start(struct introspect *in, struct http_client *http, struct str token,
		     struct err *e)
{
	const struct settings *set = in->set;
	struct buf url = BUF_INIT, body = BUF_INIT, auth = BUF_INIT;
	struct str headers[3] = {STR("Accept: application/json")};
	struct http_request r = {
		.headers = headers, .nheaders = 1, .timeout_ms = set->oauth_timeout};
	bool post = mode_is(set, "post");

	buf_puts(&url, set->oauth_introspection_url);
	if (post) {
		headers[r.nheaders++] = STR("Content-Type: application/x-www-form-urlencoded");
		buf_puts(&body, "token_type_hint=access_token&token=");
		put_encoded(&body, token);
	} else if (mode_is(set, "get")) {
		put_encoded(&url, token);
	}
	if (mode_is(set, "auth"))
		buf_printf(&auth, "Authorization: Bearer %.*s", STR_ARG(token));
	else if (set->oauth_client_id[0])
		put_basic(&auth, set);
	if (auth.n)
		headers[r.nheaders++] = buf_str(&auth);
	r.method = post ? "POST" : "GET";
	r.url = buf_cstr(&url);
	r.body = buf_str(&body);
	in->call = http_start(http, &r, answered, in, e);
	buf_wipe(&url);
	buf_wipe(&body);
	buf_wipe(&auth);
	return in->call ? 0 : -1;
}

/* ---- the answer ------------------------------------------------------------------------------------ */

/* With "post", 401 and 403 mean that it doesn't know us (RFC 7662 2.3); a bad token is told by 200 and
 * "active": false. The other modes show the endpoint nothing but the token. */
static bool refuses_token(const struct settings *set, unsigned status)
{
	return !mode_is(set, "post") && (status == 400 || status == 401 || status == 403);
}

void introspect_judge(struct claims_verdict *v, const struct settings *set, unsigned status,
		      struct str body, int64_t now)
{
	json_t *j = NULL, *active;

	*v = (struct claims_verdict){.verdict = OAUTH_INVALID,
				     .why = "the endpoint doesn't take it"};
	if (refuses_token(set, status))
		return;
	if (status == 200)
		j = json_loadb(body.p ? body.p : "", body.n, JSON_REJECT_DUPLICATES, NULL);
	active = json_object_get(j, "active");
	if (status != 200)
		judge_failure(v, status == 401 || status == 403
					 ? "the endpoint doesn't know OAUTH_CLIENT_ID"
					 : "the endpoint's status is not 200");
	else if (!json_is_object(j) || (active && !json_is_boolean(active)) ||
		 (!active && mode_is(set, "post")))
		judge_failure(v, "the endpoint's answer is not what RFC 7662 says");
	else if (json_is_false(active))
		v->why = "it is not active";
	else
		claims_check(v, set, j, now, false);
	json_decref(j);
}
