/* SPDX-License-Identifier: Apache-2.0 */
#include "common/config/kv.h"
#include "common/config/url.h"
#include "frontend/authd/confine.h"
#include "frontend/authd/http_provider.h"

enum { FILE_MAX = 4 << 20 };

static int read_pem(struct buf *to, const char *name, const char *file, const char *kind,
		    struct err *e)
{
	struct err inner;
	char begin[40];

	if (!*file)
		return 0;
	if (kv_load(file, FILE_MAX, to, &inner))
		return err_set(e, inner.code, "%s: %s", name, inner.text);
	snprintf(begin, sizeof begin, "-----BEGIN %s", kind);
	if (str_has_nul(buf_str(to)) || !memmem(to->p, to->n, begin, strlen(begin)))
		return err_set(e, EINVAL, "%s: %s has no %s in PEM form", name, file, kind);
	return 0;
}

int http_files_read(struct http_files *f, const struct settings *set, struct err *e)
{
	const char *key = *set->http_auth_key ? set->http_auth_key : set->http_auth_cert;

	*f = (struct http_files){BUF_INIT, BUF_INIT, BUF_INIT};
	if (read_pem(&f->ca, "HTTP_AUTH_CA", set->http_auth_ca, "CERTIFICATE", e) ||
	    read_pem(&f->cert, "HTTP_AUTH_CERT", set->http_auth_cert, "CERTIFICATE", e) ||
	    read_pem(&f->key, "HTTP_AUTH_KEY", key, "", e)) {
		http_files_wipe(f);
		return -1;
	}
	return 0;
}

void http_files_wipe(struct http_files *f)
{
	buf_deinit(&f->ca);
	buf_deinit(&f->cert);
	buf_wipe(&f->key);
}

static bool wanted(const struct settings *set)
{
	struct str rest = str_c(set->authmodules);

	while (rest.p)
		if (str_eq(str_trim(str_split(&rest, ' ')), STR("http")))
			return true;
	return false;
}

void http_provider_needs(const struct settings *set, struct confine_needs *n)
{
	struct str rest = str_c(set->http_auth_url);
	struct url u;

	if (!wanted(set))
		return;
	n->tcp = true;
	while (rest.p) {
		if (!url_parse(str_trim(str_split(&rest, ' ')), &u))
			continue;
		n->names |= !u.address;
		n->trust |= u.tls && !*set->http_auth_ca;
	}
}
