/* SPDX-License-Identifier: Apache-2.0 */
#include "common/io/http.h"

#include <curl/curl.h>
#include <malloc.h>

#include "common/base/buf.h"
#include "common/base/list.h"
#include "common/base/secret.h"
#include "common/io/loop.h"

#if LIBCURL_VERSION_NUM < 0x075700
#error "libcurl 7.87 or later is needed: CURLOPT_QUICK_EXIT keeps a slow name server from blocking"
#endif

enum {
	FIRST_ROOM = 4096
};		   /* of an answer's parts: most fit, so that no copies of them lie about */
#define IDLE_S 55L /* connections are kept so long: most servers close them after 60 s or more */

struct http_client {
	struct loop *loop;
	struct loop_timer *timer;
	CURLM *multi;
	struct http_opts o;
	char *ca, *cert, *key, *agent;
	struct list calls, finished, sockets;
	unsigned ncalls;
	bool finishing, gone; /* completions are being called; one of them freed the client */
};

struct http_call {
	struct list link; /* in calls, or finished */
	struct http_client *client;
	CURL *easy;		    /* NULL: done is running */
	struct buf request;	    /* header lines with a NUL behind each, then the body */
	struct curl_slist *headers; /* an array: the lines lie in request */
	struct buf head, body;
	size_t head_total; /* with those of interim answers */
	bool head_whole, too_large;
	CURLcode result;
	char fault[CURL_ERROR_SIZE];
	http_done_fn *done;
	void *ctx;
};

struct http_socket {
	struct list link;
	struct http_client *client;
	struct loop_io *io;
	int fd;
};

/* ---- curl's memory: it has passwords in it, so it is wiped when given back -------------------- */

static void mem_free(void *p)
{
	if (p)
		secret_zero(p, malloc_usable_size(p));
	free(p);
}

static void *mem_realloc(void *p, size_t n)
{
	size_t old = p ? malloc_usable_size(p) : 0;
	void *fresh;

	if (p && old >= n)
		return p;
	fresh = malloc(n);
	if (fresh && p) {
		memcpy(fresh, p, old);
		mem_free(p);
	}
	return fresh;
}

static int global_init(struct err *e)
{
	static bool ready;

	if (!ready &&
	    curl_global_init_mem(CURL_GLOBAL_ALL, malloc, mem_free, mem_realloc, strdup, calloc))
		return err_set(e, 0, "http: libcurl can't be initialised");
	ready = true;
	return 0;
}

/* ---- calls -------------------------------------------------------------------------------------- */

/* Out of curl and of the count, so that the next call finds room and perhaps this connection. */
static void call_stop(struct http_call *call)
{
	curl_multi_remove_handle(call->client->multi,
				 call->easy); /* no harm where it was not added */
	curl_easy_cleanup(call->easy);
	call->easy = NULL;
	list_remove(&call->link);
	call->client->ncalls--;
}

static void call_free(struct http_call *call)
{
	buf_wipe(&call->request);
	buf_wipe(&call->head);
	buf_wipe(&call->body);
	free(call->headers);
	free(call);
}

static int fault_code(CURLcode r)
{
	switch (r) {
	case CURLE_OPERATION_TIMEDOUT:
		return ETIMEDOUT;
	case CURLE_COULDNT_CONNECT:
		return ECONNREFUSED;
	case CURLE_COULDNT_RESOLVE_HOST:
		return EHOSTUNREACH;
	default:
		return EIO;
	}
}

static void call_fault(const struct http_call *call, struct err *e)
{
	if (call->too_large)
		err_set(e, EMSGSIZE, "answer is larger than %zu bytes", call->client->o.answer_max);
	else if (call->result != CURLE_OK)
		err_set(e, fault_code(call->result), "%s",
			call->fault[0] ? call->fault : curl_easy_strerror(call->result));
	else
		err_set(e, EIO, "answer ends within its headers");
}

static void call_finish(struct http_call *call)
{
	struct http_answer a = {.whole = call->result == CURLE_OK && call->head_whole};
	long status = 0;

	curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
	a.status = status > 0 ? (unsigned)status : 0;
	a.headers = buf_str(&call->head);
	a.body = buf_str(&call->body);
	if (!a.whole)
		call_fault(call, &a.err);
	call_stop(call);
	call->done(call->ctx, &a);
	call_free(call);
}

/* Tells about all that has finished; a completion may start, cancel and free what it likes. */
static void finish_all(struct http_client *c)
{
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(c->multi, &left))) {
		struct http_call *call = NULL;

		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &call);
		call->result = m->data.result;
		list_remove(&call->link);
		list_append(&c->finished, &call->link);
	}
	c->finishing = true;
	while (!c->gone && !list_empty(&c->finished))
		call_finish(list_entry(c->finished.next, struct http_call, link));
	c->finishing = false;
	if (c->gone)
		free(c);
}

/* ---- what curl asks of the loop ----------------------------------------------------------------- */

static void socket_ready(void *ctx, int events)
{
	struct http_socket *s = ctx;
	struct http_client *c = s->client;
	int mask = (events & LOOP_READ ? CURL_CSELECT_IN : 0) |
		   (events & LOOP_WRITE ? CURL_CSELECT_OUT : 0);
	int running;

	curl_multi_socket_action(c->multi, s->fd, mask, &running); /* may free s */
	finish_all(c);
}

static void timer_due(void *ctx)
{
	struct http_client *c = ctx;
	int running;

	curl_multi_socket_action(c->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	finish_all(c);
}

static int on_timer(CURLM *multi, long ms, void *ctx)
{
	struct http_client *c = ctx;

	if (ms < 0)
		loop_timer_stop(c->timer);
	else
		loop_timer_set(c->timer, (uint64_t)ms);
	return 0;
}

/* CURL_POLL_REMOVE comes before curl closes the descriptor. */
static int on_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *sockctx)
{
	struct http_client *c = ctx;
	struct http_socket *s = sockctx;
	int events =
		(what & CURL_POLL_IN ? LOOP_READ : 0) | (what & CURL_POLL_OUT ? LOOP_WRITE : 0);

	if (what == CURL_POLL_REMOVE) {
		if (s) {
			loop_io_free(&s->io);
			list_remove(&s->link);
			free(s);
		}
		return 0;
	}
	if (s) {
		loop_io_set(s->io, events);
		return 0;
	}
	s = xcalloc(1, sizeof *s);
	s->client = c;
	s->fd = fd;
	s->io = loop_io_new(c->loop, fd, events, socket_ready, s);
	list_append(&c->sockets, &s->link);
	curl_multi_assign(c->multi, fd, s);
	return 0;
}

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
	curl_easy_setopt(h, CURLOPT_QUICK_EXIT,
			 1L); /* never waits for a thread that looks a name up */
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

struct http_call *http_start(struct http_client *c, const struct http_request *r,
			     http_done_fn *done, void *ctx, struct err *e)
{
	struct http_call *call;

	if (c->ncalls >= c->o.max_calls) {
		err_set(e, EAGAIN, "%u requests are under way already", c->ncalls);
		return NULL;
	}
	if (check_url(r->url, e) || check_headers(r, e))
		return NULL;
	call = xcalloc(1, sizeof *call);
	call->client = c;
	call->done = done;
	call->ctx = ctx;
	call->easy = curl_easy_init();
	ASSERT(call->easy);
	list_append(&c->calls, &call->link);
	c->ncalls++;
	put_headers(call, r);
	set_request(call, r);
	set_limits(call->easy, c, r);
	set_tls(call->easy, c);
	if (curl_multi_add_handle(c->multi, call->easy)) {
		err_set(e, 0, "libcurl refuses the request");
		call_stop(call);
		call_free(call);
		return NULL;
	}
	return call;
}

void http_cancel(struct http_call **callp)
{
	struct http_call *call = *callp;

	*callp = NULL;
	if (!call || !call->easy) /* its completion is running */
		return;
	call_stop(call);
	call_free(call);
}

/* ---- client ------------------------------------------------------------------------------------- */

struct http_client *http_client_new(struct loop *l, const struct http_opts *o, struct err *e)
{
	struct http_client *c;

	if (global_init(e))
		return NULL;
	c = xcalloc(1, sizeof *c);
	c->loop = l;
	c->o = *o;
	c->ca = str_dup(o->ca_pem);
	c->cert = str_dup(o->cert_pem);
	c->key = str_dup(o->key_pem);
	c->agent = o->user_agent ? str_dup(str_c(o->user_agent)) : NULL;
	list_init(&c->calls);
	list_init(&c->finished);
	list_init(&c->sockets);
	c->timer = loop_timer_new(l, timer_due, c);
	c->multi = curl_multi_init();
	ASSERT(c->multi);
	curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c);
	curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, on_timer);
	curl_multi_setopt(c->multi, CURLMOPT_TIMERDATA, c);
	curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, (long)o->max_connections);
	return c;
}

static void drop_calls(struct list *calls)
{
	while (!list_empty(calls)) {
		struct http_call *call = list_entry(calls->next, struct http_call, link);

		call_stop(call);
		call_free(call);
	}
}

void http_client_free(struct http_client **cp)
{
	struct http_client *c = *cp;

	*cp = NULL;
	if (!c)
		return;
	drop_calls(&c->calls);
	drop_calls(&c->finished);
	curl_multi_cleanup(c->multi);
	list_foreach(l, &c->sockets) {
		struct http_socket *s = list_entry(l, struct http_socket, link);

		loop_io_free(&s->io);
		free(s);
	}
	loop_timer_free(&c->timer);
	secret_zero(c->key, strlen(c->key));
	free(c->ca);
	free(c->cert);
	free(c->key);
	free(c->agent);
	c->gone = true;
	if (!c->finishing)
		free(c);
}
