/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/authd/http_endpoint.h"
#include "common/base/log.h"
#include "common/config/url.h"
#include "common/io/loop.h"

enum { FAULTS = 3, REST_MS = 100, PROBE_MS = 900 };

static void probe(void *ctx);

/* The next look is so long after the last one began, so that a slow one doesn't put it off. */
static void rest_on(struct http_endpoint *ep, uint64_t spent)
{
	loop_timer_set(ep->timer, ep->rest_ms > spent ? ep->rest_ms - spent : 0);
	ep->rest_ms = ep->rest_ms * 2 < ep->rest_max ? ep->rest_ms * 2 : ep->rest_max;
}

/* Whatever it says to OPTIONS, it is there; only these are said by a proxy on behalf of a dead one. */
static bool alive(const struct http_answer *a)
{
	return a->whole && (a->status < 502 || a->status > 504);
}

static void probed(void *ctx, const struct http_answer *a)
{
	struct http_endpoint *ep = ctx;

	ep->probe = NULL;
	if (!alive(a)) {
		rest_on(ep, PROBE_MS);
		return;
	}
	ep->resting = false;
	ep->faults = FAULTS - 1; /* until it has shown that it really works */
	LOG(L_INFO, "http endpoint is back", L_S("url", ep->shown));
	ep->changed(ep->ctx);
}

static void probe(void *ctx)
{
	struct http_endpoint *ep = ctx;
	struct http_request r = {.method = "OPTIONS", .url = ep->url, .timeout_ms = PROBE_MS};
	struct err e;

	ep->probe = http_start(ep->client, &r, probed, ep, &e);
	if (!ep->probe)
		rest_on(ep, 0);
}

void http_endpoint_init(struct http_endpoint *ep, struct loop *l, struct http_client *client,
			struct str url, uint64_t rest_max, http_endpoint_fn *changed, void *ctx)
{
	struct url u;

	url_parse(url, &u);
	*ep = (struct http_endpoint){.client = client,
				     .url = str_dup(url),
				     .rest_max = rest_max,
				     .changed = changed,
				     .ctx = ctx};
	ep->shown = str_sub(str_c(ep->url), 0, str_find(url, '?'));
	ep->rest_ms = REST_MS < rest_max ? REST_MS : rest_max;
	buf_puts(&ep->host, "Host: ");
	buf_str_put(&ep->host, u.host);
	ep->timer = loop_timer_new(l, probe, ep);
}

void http_endpoint_deinit(struct http_endpoint *ep)
{
	http_cancel(&ep->probe);
	loop_timer_free(&ep->timer);
	buf_deinit(&ep->host);
	free(ep->url);
}

void http_endpoint_good(struct http_endpoint *ep)
{
	ep->faults = 0;
	if (!ep->resting)
		ep->rest_ms = REST_MS < ep->rest_max ? REST_MS : ep->rest_max;
}

void http_endpoint_bad(struct http_endpoint *ep, const struct err *e)
{
	if (ep->resting)
		return;
	ep->faults = e->code == ECONNREFUSED ? FAULTS : ep->faults + 1;
	LOG(L_WARN,
	    ep->faults < FAULTS ? "http endpoint gave no usable answer" : "http endpoint rests",
	    L_S("url", ep->shown), L_C("error", e->text));
	if (ep->faults < FAULTS)
		return;
	ep->resting = true;
	rest_on(ep, 0);
	ep->changed(ep->ctx);
}
