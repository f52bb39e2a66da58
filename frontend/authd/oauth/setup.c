/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/authd/oauth/setup.h"
#include <fcntl.h>
#include <unistd.h>
#include "common/base/log.h"
#include "common/config/url.h"
#include "common/io/http.h"
#include "frontend/authd/confine.h"
#include "frontend/authd/oauth/oauth.h"

enum { ANSWER_MAX = 1 << 20, CONNECTIONS_MAX = 32 };

bool oauth_configured(const struct settings *set)
{
	return set->oauth_introspection_url[0] || set->oauth_jwks_url[0] || set->oauth_jwks_file[0];
}

static int read_pem(const char *path, struct buf *b, struct err *e)
{
	enum { PEM_MAX = 4 << 20 };
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return err_sys(e, "OAUTH_CA_FILE %s", path);
	do {
		n = read(fd, buf_reserve(b, 65536), 65536);
		if (n > 0)
			buf_added(b, (size_t)n);
	} while (n > 0 && b->n <= PEM_MAX);
	close(fd);
	return n == 0 ? 0 : err_set(e, 0, "OAUTH_CA_FILE %s can't be read", path);
}

static void url_needs(const char *url, const struct settings *set, struct confine_needs *n)
{
	struct url u;

	if (!url_parse(str_c(url), &u))
		return;
	n->tcp = true;
	n->names |= !u.address;
	n->trust |= u.tls && !set->oauth_ca_file[0];
}

static int check_url(const char *name, const char *url, struct err *e)
{
	struct url u;

	if (!url[0] || url_parse(str_c(url), &u))
		return 0;
	return err_set(e, 0, "%s is no http:// or https:// URL", name);
}

int oauth_settings_check(const struct settings *set, struct err *e)
{
	if (check_url("OAUTH_INTROSPECTION_URL", set->oauth_introspection_url, e) ||
	    check_url("OAUTH_JWKS_URL", set->oauth_jwks_url, e))
		return -1;
	if (oauth_configured(set) && !set->oauth_username_field[0])
		return err_set(e, 0,
			       "OAUTH_USERNAME_FIELD is empty: no token would name an account");
	return 0;
}

void oauth_needs(const struct settings *set, struct confine_needs *n)
{
	url_needs(set->oauth_introspection_url, set, n);
	if (set->oauth_jwks_file[0])
		n->file = set->oauth_jwks_file;
	else
		url_needs(set->oauth_jwks_url, set, n);
}

struct http_client *oauth_setup_client(struct loop *l, const struct settings *set, struct err *e)
{
	struct buf ca = BUF_INIT;
	struct http_client *c = NULL;
	struct http_opts opts = {.max_calls = (unsigned)set->oauth_calls_max + 1,
				 .max_connections = CONNECTIONS_MAX,
				 .connect_ms = set->oauth_timeout,
				 .answer_max = ANSWER_MAX,
				 .user_agent = "posthouse"};

	if (!set->oauth_ca_file[0] || read_pem(set->oauth_ca_file, &ca, e) == 0) {
		opts.ca_pem = buf_str(&ca);
		c = http_client_new(l, &opts, e);
	}
	buf_deinit(&ca);
	return c;
}

void oauth_setup_warn(const struct settings *set)
{
	if ((set->oauth_jwks_url[0] || set->oauth_jwks_file[0]) &&
	    (!set->oauth_issuer[0] || !set->oauth_audience[0]))
		LOG(L_WARN, "tokens are taken that were made for others",
		    L_C("hint", "set OAUTH_ISSUER and OAUTH_AUDIENCE"));
}
