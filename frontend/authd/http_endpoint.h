/* SPDX-License-Identifier: Apache-2.0 */
/* http_endpoint: one URL of HTTP_AUTH_URL and its health (http_pool.h). */
#pragma once
#include "common/base/buf.h"
#include "common/config/settings.h"
#include "common/io/http.h"

struct loop;
struct loop_timer;

typedef void http_endpoint_fn(void *ctx); /* its health has changed */

struct http_endpoint {
	struct http_client *client;
	char *url;
	struct str shown; /* url as far as logs may show it */
	struct buf host;  /* "Host: name" */
	unsigned faults;  /* in a row */
	bool resting;
	uint64_t rest_ms; /* how long it rests from the next fault on */
	uint64_t rest_max;
	struct loop_timer *timer; /* its rest is over */
	struct http_call *probe;
	http_endpoint_fn *changed;
	void *ctx;
};

/* url has passed url_parse(). */
void http_endpoint_init(struct http_endpoint *ep, struct loop *l, struct http_client *client,
			struct str url, uint64_t rest_max, http_endpoint_fn *changed, void *ctx);
void http_endpoint_deinit(struct http_endpoint *ep);
void http_endpoint_good(struct http_endpoint *ep);		       /* it gave a usable answer */
void http_endpoint_bad(struct http_endpoint *ep, const struct err *e); /* e as http_answer has it */
