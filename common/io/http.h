/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http: HTTP requests on our loop, by libcurl's multi interface; the one place that knows curl.
 * Nothing blocks: names are looked up on curl's own thread, connections are kept and used again,
 * everything has a time limit and a size limit. Redirects and proxies are never followed; only
 * http:// and https:// are spoken.
 */
#pragma once
#include "common/base/err.h"
#include "common/base/str.h"

struct loop;
struct http_client;
struct http_call;

struct http_opts {		  /* strings are copied; PEM texts may be empty */
	unsigned max_calls;	  /* under way at the same time; http_start refuses more */
	unsigned max_connections; /* kept open, in all */
	uint64_t connect_ms;	  /* to be connected, TLS included */
	size_t answer_max; /* bytes of an answer's headers and of its body; more is a fault */
	struct str ca_pem; /* certificates to trust instead of the system's */
	struct str cert_pem, key_pem; /* our own, for servers that ask */
	const char *user_agent;	      /* NULL: none is sent */
};
struct http_client *http_client_new(struct loop *l, const struct http_opts *o, struct err *e);
void http_client_free(struct http_client **c); /* calls under way never complete */

struct http_request {	    /* everything is copied */
	const char *method; /* "GET", "POST", "OPTIONS" */
	const char *url;
	bool http10; /* HTTP/1.0, as nginx asks its auth_http */
	const struct str *
		headers; /* whole lines "Name: value", sent in this order behind Host (or, where one
				    * of them is "Host: x", with that one in its place); no CR, LF or NUL in
				    * them, or http_start refuses. Nothing else is sent but what the body needs */
	size_t nheaders;
	struct str body;     /* with POST */
	uint64_t timeout_ms; /* for all of it */
};
struct http_answer {
	bool whole; /* a complete answer came; else err says what went wrong */
	unsigned status;
	struct str headers; /* lines with CRLF, without the status line */
	struct str body;
	struct err
		err; /* not whole. Code: ECONNREFUSED where it wasn't even connected (name, TCP, TLS),
			     * ETIMEDOUT, EMSGSIZE, else EIO */
};
/* Value of the first header of this name (in any case), blanks trimmed; p == NULL: there is none. */
struct str http_header(const struct http_answer *a, const char *name);

/* a is valid during the call only; wiped afterwards. Never called from within http_start. */
typedef void http_done_fn(void *ctx, const struct http_answer *a);
/* NULL: refused (e says why: too many calls, a URL that is none, a header with a line end). */
struct http_call *http_start(struct http_client *c, const struct http_request *r,
			     http_done_fn *done, void *ctx, struct err *e);
void http_cancel(struct http_call **call); /* done is not called any more */
