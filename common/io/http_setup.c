/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/ensure.h"
#include "common/io/http_call.h"

/* Of an answer's parts: most fit, so that no copies of them lie about. */
enum { FIRST_ROOM = 4096 };
/* Connections are kept so long: most servers close them after 60 s or more. */
#define IDLE_S 55L

/* ---- what comes in ------------------------------------------------------------------------------ */

static size_t take(struct http_call *call, struct buf *to, const char *p, size_t n)
{
	if (n > call->client->o.answer_max - to->n) {
		call->too_large = true;
		return 0;
	}
	if (!to->p)
		buf_reserve(to, FIRST_ROOM);
	buf_put(to, p, n);
	return n;
}

/* One line at a time, the status line and the empty one at the end too; trailers come behind that. */
static size_t on_header(char *p, size_t size, size_t n, void *ctx)
{
	struct http_call *call = ctx;
	struct str line = str_mem(p, n);

	call->head_total += n;
	if (call->head_total > call->client->o.answer_max) {
		call->too_large = true;
		return 0;
	}
	if (str_starts(line, STR("HTTP/"))) { /* of the answer, or of one more behind a 100 */
		buf_reset(&call->head);
		call->head_whole = false;
		return n;
	}
	if (!str_trim(line).n) {
		call->head_whole = true;
		return n;
	}
	return call->head_whole ? n : take(call, &call->head, p, n);
}

static size_t on_body(char *p, size_t size, size_t n, void *ctx)
{
	struct http_call *call = ctx;

	return take(call, &call->body, p, n);
}

struct str http_header(const struct http_answer *a, const char *name)
{
	struct str rest = a->headers;

	while (rest.p) {
		struct str value = str_split(&rest, '\n'), field = str_split(&value, ':');

		if (value.p && str_ieq(field, str_c(name)))
			return value.n ? str_trim(value) : STR("");
	}
	return STR_NONE;
}

/* ---- starting a call ---------------------------------------------------------------------------- */

static int check_url(const char *url, struct err *e)
{
	CURLU *u = curl_url();
	char *scheme = NULL;
	int rc = 0;

	if (!u || curl_url_set(u, CURLUPART_URL, url, CURLU_DISALLOW_USER) ||
	    curl_url_get(u, CURLUPART_SCHEME, &scheme, 0))
		rc = err_set(e, EINVAL, "not a URL, or one with a password: %.80s", url);
	else if (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0)
		rc = err_set(e, EINVAL, "neither http:// nor https://: %.80s", url);
	curl_free(scheme);
	curl_url_cleanup(u);
	return rc;
}

static int check_headers(const struct http_request *r, struct err *e)
{
	for (size_t i = 0; i < r->nheaders; i++) {
		struct str h = r->headers[i];
		size_t colon = str_find(h, ':');

		if (str_find(h, '\n') != h.n || str_find(h, '\r') != h.n || str_has_nul(h))
			return err_set(e, EINVAL, "a header with a line end or NUL in it");
		if (colon == 0 || colon == h.n)
			return err_set(e, EINVAL, "a header without a name");
	}
	return 0;
}

/* These of curl's own are not wanted; one of the caller's by the same name is sent all the same. */
static const char *const unwanted[] = {"Accept:", "Expect:", "Content-Type:"};

static bool empty_value(struct str header)
{
	return !str_trim(str_from(header, str_find(header, ':') + 1)).n;
}

/*
 * The list that curl wants, in memory of ours. curl drops a header that has no value, so that one
 * rides on the line before it.
 */
static void put_headers(struct http_call *call, const struct http_request *r)
{
	size_t *at = xcalloc(r->nheaders + 1, sizeof *at), n = 0;
	struct curl_slist *l;

	for (size_t i = 0; i < r->nheaders; i++) {
		if (i && empty_value(r->headers[i])) {
			buf_cut(&call->request, call->request.n - 1);
			buf_puts(&call->request, "\r\n");
		} else {
			at[n++] = call->request.n;
		}
		buf_str_put(&call->request, r->headers[i]);
		buf_putc(&call->request, '\0');
	}
	buf_str_put(&call->request, r->body); /* last: from here on nothing moves */
	l = call->headers = xcalloc(n + ARRAY_LEN(unwanted), sizeof *l);
	for (size_t i = 0; i < n + ARRAY_LEN(unwanted); i++) {
		l[i].data = i < n ? call->request.p + at[i] : (char *)unwanted[i - n];
		l[i].next = i + 1 < n + ARRAY_LEN(unwanted) ? &l[i + 1] : NULL;
	}
	free(at);
}

static struct curl_blob blob(const char *pem)
{
	return (struct curl_blob){(void *)pem, strlen(pem), CURL_BLOB_NOCOPY};
}

static void set_tls(CURL *h, const struct http_client *c)
{
	struct curl_blob ca = blob(c->ca), cert = blob(c->cert), key = blob(c->key);

	if (ca.len)
		curl_easy_setopt(h, CURLOPT_CAINFO_BLOB, &ca);
	if (cert.len)
		curl_easy_setopt(h, CURLOPT_SSLCERT_BLOB, &cert);
	if (key.len)
		curl_easy_setopt(h, CURLOPT_SSLKEY_BLOB, &key);
	curl_easy_setopt(h, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
}

static void set_limits(CURL *h, const struct http_client *c, const struct http_request *r)
{
	curl_easy_setopt(h, CURLOPT_TIMEOUT_MS, (long)r->timeout_ms);
	curl_easy_setopt(h, CURLOPT_CONNECTTIMEOUT_MS, (long)c->o.connect_ms);
	curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
	/* Else it would wait for the thread that looks a name up, before it gives up. */
	curl_easy_setopt(h, CURLOPT_QUICK_EXIT, 1L);
	curl_easy_setopt(h, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(h, CURLOPT_PROXY, ""); /* not the environment's either */
	curl_easy_setopt(h, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(h, CURLOPT_MAXAGE_CONN, IDLE_S);
}

static void set_request(struct http_call *call, const struct http_request *r)
{
	CURL *h = call->easy;

	curl_easy_setopt(h, CURLOPT_URL, r->url);
	curl_easy_setopt(h, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(h, CURLOPT_HTTP_VERSION,
			 (long)(r->http10 ? CURL_HTTP_VERSION_1_0 : CURL_HTTP_VERSION_1_1));
	if (strcmp(r->method, "GET") != 0)
		curl_easy_setopt(h, CURLOPT_CUSTOMREQUEST, r->method);
	if (strcmp(r->method, "POST") == 0) {
		curl_easy_setopt(h, CURLOPT_POSTFIELDSIZE, (long)r->body.n);
		curl_easy_setopt(h, CURLOPT_POSTFIELDS,
				 call->request.p + call->request.n - r->body.n);
	}
	curl_easy_setopt(h, CURLOPT_HTTPHEADER, call->headers);
	curl_easy_setopt(h, CURLOPT_USERAGENT, call->client->agent);
	curl_easy_setopt(h, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(h, CURLOPT_HEADERDATA, call);
	curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(h, CURLOPT_WRITEDATA, call);
	curl_easy_setopt(h, CURLOPT_ERRORBUFFER, call->fault);
	curl_easy_setopt(h, CURLOPT_PRIVATE, call);
}

int http_call_check(const struct http_request *r, struct err *e)
{
	return check_url(r->url, e) || check_headers(r, e) ? -1 : 0;
}

void http_call_setup(struct http_call *call, const struct http_request *r)
{
	put_headers(call, r);
	set_request(call, r);
	set_limits(call->easy, call->client, r);
	set_tls(call->easy, call->client);
}
