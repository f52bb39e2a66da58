/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_json: questions and answers as JSON, beginning with what mailcow's endpoint has (username,
 * password, real_rip, service; success). docs/authentication.md lists the names. Pure.
 *
 * 2xx: the body is a JSON object and says success true or false (or has hashes, where those were asked for);
 * 401 and 403: refused, the body may say more; everything else is the endpoint's fault.
 */
#pragma once
#include "common/io/http.h"
#include "frontend/authd/http_nginx.h"

/* Once, before anything is parsed: what was parsed is wiped when freed, and hashing is seeded (from here on no
 * file need be opened for it). */
void http_json_init(void);
/* -1: user, password or another text is not UTF-8, or has a NUL, and can't be asked in JSON; e says which. */
int http_json_request(struct buf *out, const struct check *c, const struct http_client_cert *cert,
		      struct err *e);
/* e says what is wrong with an answer that says nothing. */
void http_json_answer(struct arena *a, const struct http_answer *h, struct http_reply *r,
		      struct err *e);
