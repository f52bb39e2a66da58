/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_pool: the endpoints of HTTP_AUTH_URL. Which of them is asked, when another one is asked
 * instead, and which rests.
 *
 * An endpoint that can't be connected to rests at once; one that was reached and gave no usable
 * answer, when it did so FAULTS times in a row: a single login that makes its program stumble must not
 * shut others out. While one rests no login waits for it: after a while, which doubles up to
 * HTTP_AUTH_REST_MAX, it is sent an OPTIONS request, and is back when it answers that. When all rest
 * every question fails at once.
 */
#pragma once
#include "common/config/settings.h"
#include "common/io/http.h"

struct loop;
struct http_pool;
struct http_ask;

/* client stays the caller's and outlives the pool. NULL: HTTP_AUTH_URL has none, too many, or what is no URL. */
struct http_pool *http_pool_new(struct loop *l, const struct settings *set,
				struct http_client *client, struct err *e);
void http_pool_free(struct http_pool **p); /* questions under way are never answered */

struct http_ask_ops {
	/* A whole answer. True: it settles the question, and done comes next; false: it is the endpoint's
	 * fault (e says which), and another one may be asked. */
	bool (*answered)(void *ctx, const struct http_answer *a, struct err *e);
	/* The question is over, and gone: e is NULL, or says why nobody could answer it. Never called
	 * from within http_pool_ask. */
	void (*done)(void *ctx, const struct err *e);
};
/* r stays the caller's and must stay as it is until done or http_pool_cancel; its url and timeout_ms
 * don't count. host: the first header is to be "Host: <name in the URL, without port>", as nginx says. */
struct http_ask *http_pool_ask(struct http_pool *p, const struct http_request *r, bool host,
			       const struct http_ask_ops *ops, void *ctx);
void http_pool_cancel(struct http_ask **ask);
