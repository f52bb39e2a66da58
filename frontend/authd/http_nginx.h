/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_nginx: questions and answers as nginx's mail proxy has them (auth_http; ngx_mail_auth_http_module
 * of nginx 1.22). Pure.
 *
 * The answer counts by its headers alone: the status line and the body are passed over, as nginx does, where
 * Auth-Status is there. Without it 401 and 403 are a refusal, and everything else is the endpoint's fault.
 */
#pragma once
#include "common/io/http.h"
#include "frontend/authd/http_reply.h"

/* What nginx would tell of the client's certificate; all empty: there is none. */
struct http_client_cert {
	struct str verify; /* "SUCCESS", "FAILED:why", "NONE"; empty: nobody asked for one */
	struct str subject, issuer, serial, fingerprint;
	struct str pem; /* empty: not told */
};

/* Appends the header lines behind Host, in nginx's order, each with LF at its end. */
void http_nginx_request(struct buf *lines, const struct check *c,
			const struct http_client_cert *cert);
/* Escapes as nginx does: exactly 0x00 to 0x1f, space and %. */
void http_nginx_escape(struct buf *out, struct str s);

/* route: Auth-Server names the host that has the mail (HTTP_AUTH_ROUTE). e says what is wrong with an
 * answer that says nothing. */
void http_nginx_answer(struct arena *a, const struct http_answer *h, bool route,
		       struct http_reply *r, struct err *e);
