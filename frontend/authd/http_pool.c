/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/authd/http_pool.h"
#include "common/base/list.h"
#include "common/base/log.h"
#include "common/config/url.h"
#include "common/io/loop.h"
#include "frontend/authd/http_endpoint.h"

enum { ENDPOINTS_MAX = 16, TRIES = 2 };

struct http_pool {
	struct loop *loop;
	const struct settings *set;
	struct http_client *client;
	struct http_endpoint endpoints[ENDPOINTS_MAX];
	size_t n, next;
	struct list waiting, running; /* struct http_ask */
	unsigned nrunning;	      /* requests, not questions */
	struct loop_defer *pump;      /* starts those that wait, or fails them */
};

struct attempt {
	struct http_ask *ask;
	struct http_endpoint *endpoint;
	struct http_call *call;
};

struct http_ask {
	struct list link;
	struct http_pool *pool;
	const struct http_request *request;
	bool host;
	struct attempt attempts[TRIES];
	unsigned tries;
	uint64_t deadline;
	struct loop_timer
		*timer; /* while it waits: the deadline; then: time to ask a second endpoint */
	const struct http_ask_ops *ops;
	void *ctx;
};

/* ---- which endpoint ----------------------------------------------------------------------------- */

static bool tried(const struct http_ask *ask, const struct http_endpoint *ep)
{
	for (unsigned i = 0; i < ask->tries; i++)
		if (ask->attempts[i].endpoint == ep)
			return true;
	return false;
}

/* The endpoint that is to be asked next, or NULL; *more: there would be another one behind it. */
static struct http_endpoint *pick(struct http_pool *p, const struct http_ask *ask, bool *more)
{
	bool rotate = strcmp(p->set->http_auth_order, "rotate") == 0;
	size_t first = rotate ? p->next : 0;
	struct http_endpoint *found = NULL;

	*more = false;
	for (size_t i = 0; i < p->n; i++) {
		size_t at = (first + i) % p->n;
		struct http_endpoint *ep = &p->endpoints[at];

		if (ep->resting || tried(ask, ep))
			continue;
		if (found) {
			*more = true;
			break;
		}
		found = ep;
		p->next = (at + 1) % p->n;
	}
	return found;
}

static bool all_rest(const struct http_pool *p)
{
	for (size_t i = 0; i < p->n; i++)
		if (!p->endpoints[i].resting)
			return false;
	return true;
}

/* ---- questions ---------------------------------------------------------------------------------- */

static void ask_free(struct http_ask *ask)
{
	struct http_pool *p = ask->pool;

	for (unsigned i = 0; i < ask->tries; i++)
		if (ask->attempts[i].call) {
			http_cancel(&ask->attempts[i].call);
			p->nrunning--;
		}
	list_remove(&ask->link);
	loop_timer_free(&ask->timer);
	free(ask);
	loop_defer_set(p->pump);
}

static void finish(struct http_ask *ask, const struct err *e)
{
	const struct http_ask_ops *ops = ask->ops;
	void *ctx = ask->ctx;

	ask_free(ask);
	ops->done(ctx, e);
}

static void call_done(void *ctx, const struct http_answer *a);

static struct http_call *start_call(struct attempt *at, uint64_t timeout_ms, struct err *e)
{
	struct http_ask *ask = at->ask;
	struct http_request r = *ask->request;
	struct str *headers = xcalloc(r.nheaders + 1, sizeof *headers);
	struct http_call *call;

	headers[0] = buf_str(&at->endpoint->host);
	if (r.nheaders)
		memcpy(headers + 1, r.headers, r.nheaders * sizeof *headers);
	r.headers = ask->host ? headers : headers + 1;
	r.nheaders += ask->host;
	r.url = at->endpoint->url;
	r.timeout_ms = timeout_ms;
	call = http_start(ask->pool->client, &r, call_done, at, e);
	free(headers);
	return call;
}

/* Asks one endpoint more. False: there is none left, or no time; e says so. */
static bool try_one(struct http_ask *ask, struct err *e)
{
	struct http_pool *p = ask->pool;
	uint64_t now = loop_now(p->loop);
	struct attempt *at = &ask->attempts[ask->tries];
	struct http_endpoint *ep;
	bool more;

	if (ask->tries == TRIES || now >= ask->deadline)
		return false;
	ep = pick(p, ask, &more);
	if (!ep)
		return false;
	*at = (struct attempt){ask, ep, NULL};
	ask->tries++;
	/* Where there is another one, it must have its time too. */
	at->call =
		start_call(at, (ask->deadline - now) / (more && ask->tries < TRIES ? 2 : 1) + 1, e);
	p->nrunning += at->call != NULL;
	if (at->call && more && p->set->http_auth_hedge)
		loop_timer_set(ask->timer, p->set->http_auth_hedge);
	return at->call != NULL;
}

static bool under_way(const struct http_ask *ask)
{
	for (unsigned i = 0; i < ask->tries; i++)
		if (ask->attempts[i].call)
			return true;
	return false;
}

static void call_done(void *ctx, const struct http_answer *a)
{
	struct attempt *at = ctx;
	struct http_ask *ask = at->ask;
	struct err e = a->err;

	at->call = NULL;
	ask->pool->nrunning--;
	if (a->whole && ask->ops->answered(ask->ctx, a, &e)) {
		http_endpoint_good(at->endpoint);
		finish(ask, NULL);
		return;
	}
	http_endpoint_bad(at->endpoint, &e);
	if (!under_way(ask) && !try_one(ask, &e))
		finish(ask, &e);
}

/* ---- waiting ------------------------------------------------------------------------------------ */

static void out_of_time(void *ctx)
{
	struct http_ask *ask = ctx;
	struct err e;

	if (ask->tries == 0) {
		err_set(&e, ETIMEDOUT, "too many requests to the http endpoints are under way");
		finish(ask, &e);
	} else if (ask->pool->nrunning < ask->pool->set->http_auth_max_calls) {
		try_one(ask, &e);
	}
}

static void start_waiting(struct http_pool *p)
{
	struct http_ask *ask = list_entry(p->waiting.next, struct http_ask, link);
	struct err e;

	err_set(&e, EHOSTDOWN, "no http endpoint is there");
	loop_timer_stop(ask->timer);
	list_remove(&ask->link);
	list_append(&p->running, &ask->link);
	if (!try_one(ask, &e))
		finish(ask, &e);
}

static void pump(void *ctx)
{
	struct http_pool *p = ctx;

	while (!list_empty(&p->waiting) &&
	       (p->nrunning < p->set->http_auth_max_calls || all_rest(p)))
		start_waiting(p);
}

static void health_changed(void *ctx)
{
	struct http_pool *p = ctx;

	loop_defer_set(p->pump);
}

struct http_ask *http_pool_ask(struct http_pool *p, const struct http_request *r, bool host,
			       const struct http_ask_ops *ops, void *ctx)
{
	struct http_ask *ask = xcalloc(1, sizeof *ask);

	ask->pool = p;
	ask->request = r;
	ask->host = host;
	ask->ops = ops;
	ask->ctx = ctx;
	ask->deadline = loop_now(p->loop) + p->set->http_auth_timeout;
	ask->timer = loop_timer_new(p->loop, out_of_time, ask);
	loop_timer_set(ask->timer, p->set->http_auth_timeout);
	list_append(&p->waiting, &ask->link);
	loop_defer_set(p->pump);
	return ask;
}

void http_pool_cancel(struct http_ask **ask)
{
	if (*ask)
		ask_free(*ask);
	*ask = NULL;
}

/* ---- the pool ----------------------------------------------------------------------------------- */

static int add_endpoints(struct http_pool *p, struct err *e)
{
	struct str rest = str_c(p->set->http_auth_url);
	struct url u;

	while (rest.p) {
		struct str url = str_trim(str_split(&rest, ' '));

		if (!url.n)
			continue;
		if (p->n == ENDPOINTS_MAX || !url_parse(url, &u))
			return err_set(e, EINVAL,
				       "HTTP_AUTH_URL: more than %d URLs, or what is none",
				       ENDPOINTS_MAX);
		http_endpoint_init(&p->endpoints[p->n++], p->loop, p->client, url,
				   p->set->http_auth_rest_max, health_changed, p);
	}
	return p->n ? 0 : err_set(e, EINVAL, "HTTP_AUTH_URL is empty");
}

struct http_pool *http_pool_new(struct loop *l, const struct settings *set,
				struct http_client *client, struct err *e)
{
	struct http_pool *p = xcalloc(1, sizeof *p);

	p->loop = l;
	p->set = set;
	p->client = client;
	p->pump = loop_defer_new(l, pump, p);
	list_init(&p->waiting);
	list_init(&p->running);
	if (add_endpoints(p, e))
		http_pool_free(&p);
	return p;
}

void http_pool_free(struct http_pool **pp)
{
	struct http_pool *p = *pp;

	if (!p)
		return;
	while (!list_empty(&p->waiting))
		ask_free(list_entry(p->waiting.next, struct http_ask, link));
	while (!list_empty(&p->running))
		ask_free(list_entry(p->running.next, struct http_ask, link));
	for (size_t i = 0; i < p->n; i++)
		http_endpoint_deinit(&p->endpoints[i]);
	loop_defer_free(&p->pump);
	free(p);
	*pp = NULL;
}
