/* SPDX-License-Identifier: Apache-2.0 */
/* http_call: what http.c (calls on the loop) and http_setup.c (what curl is told and tells) share. */
#pragma once
#include <curl/curl.h>
#include "common/base/buf.h"
#include "common/base/list.h"
#include "common/io/http.h"

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

/* -1: r is nothing that can be sent; e says why. */
int http_call_check(const struct http_request *r, struct err *e);
/* Fills the new handle call->easy for r. */
void http_call_setup(struct http_call *call, const struct http_request *r);
