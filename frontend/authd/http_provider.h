/* SPDX-License-Identifier: Apache-2.0 */
/* http_provider: accounts and verdicts from HTTP endpoints (HTTP_AUTH_URL). */
#pragma once
#include "common/config/settings.h"
#include "frontend/authd/provider.h"

struct clientcert;
struct confine_needs;
struct loop;

/* What it must reach when authd is locked in; nothing where AUTHMODULES doesn't name it. */
void http_provider_needs(const struct settings *set, struct confine_needs *n);

/* The files of HTTP_AUTH_CA, _CERT and _KEY: read while the process may still read them. */
struct http_files {
	struct buf ca, cert, key;
};
/* -1: one of them can't be read, or is no PEM text. */
int http_files_read(struct http_files *f, const struct settings *set, struct err *e);
void http_files_wipe(struct http_files *f);

/* NULL: the settings name no endpoint, or one that is no URL. */
struct provider *http_provider_new(struct loop *l, const struct settings *set,
				   const struct http_files *f, struct err *e);
/* Where client certificates are asked for, the endpoints are told what they say. */
void http_provider_certs(struct provider *p, const struct clientcert *c);
