/* SPDX-License-Identifier: Apache-2.0 */
#include "common/io/http.h"

#include <malloc.h>

#include "common/base/secret.h"
#include "common/io/http_call.h"
#include "common/io/loop.h"

#if LIBCURL_VERSION_NUM < 0x075700
#error "libcurl 7.87 or later is needed: CURLOPT_QUICK_EXIT keeps a slow name server from blocking"
#endif

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

/* Whether the request was ready to be sent: looked up, connected, TLS done. */
static bool connected(const struct http_call *call)
{
	curl_off_t us = 0;

	curl_easy_getinfo(call->easy, CURLINFO_PRETRANSFER_TIME_T, &us);
	return us > 0;
}

static void call_fault(const struct http_call *call, struct err *e)
{
	const char *text = call->fault[0] ? call->fault : curl_easy_strerror(call->result);

	if (call->too_large)
		err_set(e, EMSGSIZE, "answer is larger than %zu bytes", call->client->o.answer_max);
	else if (call->result == CURLE_OK)
		err_set(e, EIO, "answer ends within its headers");
	else if (!connected(call))
		err_set(e, ECONNREFUSED, "%s", text);
	else
		err_set(e, call->result == CURLE_OPERATION_TIMEDOUT ? ETIMEDOUT : EIO, "%s", text);
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

/* ---- starting a call ---------------------------------------------------------------------------- */

struct http_call *http_start(struct http_client *c, const struct http_request *r,
			     http_done_fn *done, void *ctx, struct err *e)
{
	struct http_call *call;

	if (c->ncalls >= c->o.max_calls) {
		err_set(e, EAGAIN, "%u requests are under way already", c->ncalls);
		return NULL;
	}
	if (http_call_check(r, e))
		return NULL;
	call = xcalloc(1, sizeof *call);
	call->client = c;
	call->done = done;
	call->ctx = ctx;
	call->easy = curl_easy_init();
	ASSERT(call->easy);
	list_append(&c->calls, &call->link);
	c->ncalls++;
	http_call_setup(call, r);
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
