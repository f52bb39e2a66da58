/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/authd/http_provider.h"
#include "common/base/list.h"
#include "common/base/log.h"
#include "common/io/loop.h"
#include "common/sys/tlspolicy.h"
#include "frontend/authd/clientcert.h"
#include "frontend/authd/http_json.h"
#include "frontend/authd/http_nginx.h"
#include "frontend/authd/http_pool.h"

enum { PROBES = 16 };

struct http_provider {
	struct provider provider;
	struct loop *loop;
	const struct settings *set;
	const struct clientcert *certs;
	struct http_client *client;
	struct http_pool *pool;
	struct buf headers; /* HTTP_AUTH_HEADERS, one per line */
	bool json;
	struct list work;
};

struct http_work {
	struct list link;
	struct http_provider *hp;
	struct check *check;
	struct http_ask *ask;
	struct buf lines, body;
	VEC(struct str) headers;
	struct http_request request;
	struct http_reply reply;
	struct loop_timer *wait; /* until it asks again */
	uint64_t waited_s;
};

static void ask(struct http_work *w);

static void work_free(struct http_work *w)
{
	w->check->work = NULL;
	list_remove(&w->link);
	http_pool_cancel(&w->ask);
	loop_timer_free(&w->wait);
	buf_wipe(&w->lines);
	buf_wipe(&w->body);
	vec_free(&w->headers);
	free(w);
}

static void work_end(struct http_work *w, enum auth_result result)
{
	struct check *c = w->check;

	work_free(w);
	check_done(c, result);
}

/* ---- the answer --------------------------------------------------------------------------------- */

static bool answered(void *ctx, const struct http_answer *a, struct err *e)
{
	struct http_work *w = ctx;

	memset(&w->reply, 0, sizeof w->reply);
	if (w->hp->json)
		http_json_answer(&w->check->arena, a, &w->reply, e);
	else
		http_nginx_answer(&w->check->arena, a, w->hp->set->http_auth_route, &w->reply, e);
	return w->reply.says != HTTP_SAYS_FAULT;
}

static void ask_again(void *ctx)
{
	ask(ctx);
}

static void wait_more(struct http_work *w)
{
	struct http_provider *hp = w->hp;

	w->waited_s += w->reply.wait_s;
	if (w->waited_s > hp->set->http_auth_wait_max) {
		LOG(L_WARN, "http endpoint puts a login off for too long",
		    L_S("user", w->check->user), L_U("seconds", w->waited_s));
		work_end(w, AUTH_TEMPFAIL);
		return;
	}
	if (!w->wait)
		w->wait = loop_timer_new(hp->loop, ask_again, w);
	loop_timer_set(w->wait, (uint64_t)w->reply.wait_s * 1000);
}

static void apply(struct http_work *w)
{
	struct check *c = w->check;
	struct err e;
	enum auth_result result = http_reply_apply(&w->reply, w->hp->set, c, &e);

	if (result == AUTH_TEMPFAIL && w->reply.says == HTTP_SAYS_YES)
		LOG(L_ERROR, "account unusable", L_S("user", c->user), L_C("module", "http"),
		    L_C("error", e.text));
	work_end(w, result);
}

static void done(void *ctx, const struct err *e)
{
	struct http_work *w = ctx;

	w->ask = NULL;
	if (e) {
		LOG(L_DEBUG, "no answer by http", L_S("user", w->check->user),
		    L_C("error", e->text));
		work_end(w, AUTH_TEMPFAIL);
	} else if (w->reply.says == HTTP_SAYS_WAIT) {
		wait_more(w);
	} else {
		apply(w);
	}
}

/* ---- the question ------------------------------------------------------------------------------- */

static void ask(struct http_work *w)
{
	static const struct http_ask_ops ops = {answered, done};

	w->ask = http_pool_ask(w->hp->pool, &w->request, !w->hp->json, &ops, w);
}

static void describe(struct http_work *w, struct http_client_cert *cert)
{
	struct http_provider *hp = w->hp;
	struct clientcert_facts f;

	if (!hp->certs || !w->check->facts.tls || tlspolicy_verify(hp->set) == TLSPOLICY_NONE)
		return;
	clientcert_describe(hp->certs, &w->check->peer, &f, &w->check->arena);
	*cert = (struct http_client_cert){.verify = f.verify,
					  .subject = f.subject,
					  .issuer = f.issuer,
					  .serial = f.serial,
					  .fingerprint = f.fingerprint};
	if (hp->set->http_auth_pass_cert)
		cert->pem = f.pem;
}

static int fill(struct http_work *w, struct err *e)
{
	struct http_client_cert cert = {.verify = STR_NONE};
	struct buf *b = &w->lines;

	describe(w, &cert);
	if (!w->hp->json) {
		http_nginx_request(b, w->check, &cert);
		return 0;
	}
	buf_puts(b, "Content-Type: application/json\nAccept: application/json\n");
	return http_json_request(&w->body, w->check, &cert, e);
}

static void make_request(struct http_work *w)
{
	const struct settings *set = w->hp->set;
	struct str rest;

	buf_str_put(&w->lines, buf_str(&w->hp->headers));
	rest = buf_str(&w->lines);
	while (rest.n)
		*vec_push(&w->headers) = str_split(&rest, '\n');
	w->request = (struct http_request){
		.method = w->hp->json ? "POST" : "GET",
		.http10 = !w->hp->json && !set->http_auth_keepalive,
		.headers = w->headers.a,
		.nheaders = w->headers.n,
		.body = buf_str(&w->body),
	};
}

static void start(struct provider *p, struct check *c)
{
	struct http_provider *hp = container_of(p, struct http_provider, provider);
	struct http_work *w = xcalloc(1, sizeof *w);
	struct err e;

	w->hp = hp;
	w->check = c;
	c->work = w;
	list_append(&hp->work, &w->link);
	buf_reserve(&w->lines, c->password.n * 3 + 2048); /* enough, so that no copy lies about */
	buf_reserve(&w->body, c->password.n * 6 + 2048);
	if (fill(w, &e)) {
		LOG(L_INFO, "http endpoint can't be asked", L_S("user", c->user),
		    L_C("error", e.text));
		c->text = STR("Name or password is not UTF-8 text.");
		work_end(w, AUTH_IMPOSSIBLE);
		return;
	}
	make_request(w);
	ask(w);
}

static void cancel(struct provider *p, struct check *c)
{
	if (c->work)
		work_end(c->work, AUTH_TEMPFAIL);
}

/* ---- the provider ------------------------------------------------------------------------------- */

static void free_provider(struct provider *p)
{
	struct http_provider *hp = container_of(p, struct http_provider, provider);

	while (!list_empty(&hp->work))
		work_free(list_entry(hp->work.next, struct http_work, link));
	http_pool_free(&hp->pool);
	http_client_free(&hp->client);
	buf_wipe(&hp->headers);
	free(hp);
}

/* One header per line in a file; on the settings' own line " | " stands between them. */
static int read_headers(struct http_provider *hp, struct err *e)
{
	struct str rest = str_c(hp->set->http_auth_headers);

	while (rest.n) {
		const char *bar = memmem(rest.p, rest.n, " | ", 3);
		size_t n = str_find(rest, '\n');
		struct str line;

		if (bar && (size_t)(bar - rest.p) < n)
			n = (size_t)(bar - rest.p);
		line = str_trim(str_sub(rest, 0, n));
		rest = str_from(rest, n + (bar == rest.p + n ? 3 : 1));
		if (!line.n)
			continue;
		if (str_find(line, ':') == line.n || line.p[0] == ':' ||
		    str_find(line, '\r') < line.n)
			return err_set(
				e, EINVAL,
				"HTTP_AUTH_HEADERS: \"Name: value\" is wanted, with \" | \" between two of them");
		buf_str_put(&hp->headers, line);
		buf_putc(&hp->headers, '\n');
	}
	return 0;
}

static int make_client(struct http_provider *hp, const struct http_files *f, struct err *e)
{
	const struct settings *set = hp->set;
	struct http_opts o = {
		.max_calls = (unsigned)set->http_auth_max_calls + PROBES,
		.max_connections = (unsigned)set->http_auth_max_calls,
		.connect_ms = set->http_auth_connect_timeout,
		.answer_max = set->http_auth_answer_max,
		.ca_pem = buf_str(&f->ca),
		.cert_pem = buf_str(&f->cert),
		.key_pem = buf_str(&f->key),
	};

	hp->client = http_client_new(hp->loop, &o, e);
	if (!hp->client)
		return -1;
	hp->pool = http_pool_new(hp->loop, set, hp->client, e);
	return hp->pool ? 0 : -1;
}

struct provider *http_provider_new(struct loop *l, const struct settings *set,
				   const struct http_files *f, struct err *e)
{
	struct http_provider *hp = xcalloc(1, sizeof *hp);

	hp->loop = l;
	hp->set = set;
	hp->json = strcmp(set->http_auth_format, "json") == 0;
	list_init(&hp->work);
	http_json_init();
	hp->provider = (struct provider){
		.name = "http",
		.kinds = CHECK_BIT(CHECK_PASSWORD) | CHECK_BIT(CHECK_CRAM) |
			 CHECK_BIT(CHECK_TRUSTED) |
			 (hp->json && set->http_auth_scram ? CHECK_BIT(CHECK_SCRAM) : 0),
		.start = start,
		.cancel = cancel,
		.free = free_provider,
	};
	if (read_headers(hp, e) || make_client(hp, f, e)) {
		free_provider(&hp->provider);
		return NULL;
	}
	return &hp->provider;
}

void http_provider_certs(struct provider *p, const struct clientcert *c)
{
	container_of(p, struct http_provider, provider)->certs = c;
}
