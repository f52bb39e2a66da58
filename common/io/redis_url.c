/* SPDX-License-Identifier: Apache-2.0 */
#include "common/io/redis_url.h"

#include <sys/un.h>

#include "common/base/ensure.h"

static int hex(char c)
{
	return c >= '0' && c <= '9'		    ? c - '0'
	       : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10
						    : -1;
}

static int decode(struct arena *a, struct str s, const char *what, struct str *out, struct err *e)
{
	char *to = arena_alloc(a, s.n + 1);
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		int high, low;

		if (s.p[i] != '%') {
			to[n++] = s.p[i];
			continue;
		}
		high = i + 2 < s.n ? hex(s.p[i + 1]) : -1;
		low = i + 2 < s.n ? hex(s.p[i + 2]) : -1;
		if (high < 0 || low < 0)
			return err_set(e, 0, "a %% in the %s without two hexadecimal digits", what);
		to[n++] = (char)(high << 4 | low);
		i += 2;
	}
	if (memchr(to, 0, n))
		return err_set(e, 0, "a NUL in the %s", what);
	*out = str_mem(to, n);
	return 0;
}

/* "host", "host:port", "[v6]", "[v6]:port" */
static int parse_host(struct arena *a, struct str s, uint16_t port, struct redis_host *out,
		      struct err *e)
{
	bool bracket = s.n && s.p[0] == '[';
	size_t end = bracket ? str_find(s, ']') : str_rfind(s, ':');
	struct str name = bracket ? str_sub(s, 1, end - 1) : str_sub(s, 0, end);
	struct str rest = str_from(s, bracket ? end + 1 : end);
	uint32_t number = port;

	if (bracket && end == s.n)
		return err_set(e, 0, "a [ without ]");
	if (!bracket && str_find(name, ':') != name.n)
		return err_set(e, 0, "an IPv6 address has to be in [ ]");
	if (rest.n &&
	    (rest.p[0] != ':' || !str_u32(str_from(rest, 1), &number) || !number || number > 65535))
		return err_set(e, 0, "not a port number behind the host");
	if (!name.n || name.n > 255 || str_has_nul(name))
		return err_set(e, 0, "no host name");
	out->name = arena_cstr(a, name);
	out->port = (uint16_t)number;
	return 0;
}

static int parse_db(struct str s, unsigned *db, struct err *e)
{
	uint32_t n;

	if (!s.n)
		return 0;
	if (!str_u32(s, &n) || n > 1000000)
		return err_set(e, 0, "the database is not a number");
	*db = n;
	return 0;
}

static int parse_query(struct arena *a, struct str query, struct redis_url *out, struct err *e)
{
	while (query.n) {
		struct str value = str_split(&query, '&'), name = str_split(&value, '=');
		int rc;

		if (str_eq(name, STR("db")))
			rc = parse_db(value, &out->db, e);
		else if (str_eq(name, STR("sentinel_user")))
			rc = decode(a, value, "sentinels' user", &out->sentinel_user, e);
		else if (str_eq(name, STR("sentinel_password")))
			rc = decode(a, value, "sentinels' password", &out->sentinel_password, e);
		else
			rc = err_set(
				e, 0,
				"behind the ? there may be db, sentinel_user, sentinel_password");
		if (rc)
			return -1;
	}
	return 0;
}

/* Cuts "[user]:password@" or "password@" off. The last @ counts: a password may hold one. */
static int parse_login(struct arena *a, struct str *rest, size_t end, struct redis_url *out,
		       struct err *e)
{
	struct str authority = str_sub(*rest, 0, end), login;
	size_t at = str_rfind(authority, '@'), colon;

	if (at == authority.n)
		return 0;
	login = str_sub(authority, 0, at);
	*rest = str_from(*rest, at + 1);
	colon = str_find(login, ':');
	if (colon == login.n) /* as redis-cli takes it: what stands alone is the user */
		return err_set(
			e, 0,
			"no password before the @ (it is written user:password@ or :password@)");
	if (decode(a, str_sub(login, 0, colon), "user", &out->user, e))
		return -1;
	return decode(a, str_from(login, colon + 1), "password", &out->password, e);
}

static int parse_unix(struct arena *a, struct str rest, struct redis_url *out, struct err *e)
{
	struct str path;

	if (decode(a, rest, "path", &path, e))
		return -1;
	if (!path.n || path.p[0] != '/')
		return err_set(e, 0, "the socket's path has to begin with /");
	if (path.n >= sizeof((struct sockaddr_un *)0)->sun_path)
		return err_set(e, 0, "the socket's path is too long");
	out->path = arena_cstr(a, path);
	return 0;
}

static int parse_hosts(struct arena *a, struct str rest, struct redis_url *out, struct err *e)
{
	bool sentinel = out->kind == REDIS_SENTINEL;
	struct str hosts = str_split(&rest, '/');

	do {
		struct str host = sentinel ? str_split(&hosts, ',') : hosts;

		if (out->nhosts == REDIS_HOSTS_MAX)
			return err_set(e, 0, "more than %d hosts", REDIS_HOSTS_MAX);
		if (parse_host(a, host, sentinel ? REDIS_SENTINEL_PORT : REDIS_PORT,
			       &out->hosts[out->nhosts++], e))
			return -1;
	} while (sentinel && hosts.p);
	if (sentinel) {
		struct str service;

		if (decode(a, str_split(&rest, '/'), "service", &service, e))
			return -1;
		if (!service.n)
			return err_set(e, 0, "no service name behind the sentinels");
		out->service = arena_cstr(a, service);
	}
	return parse_db(rest, &out->db, e);
}

static bool scheme(struct str *rest, const char *name)
{
	if (!str_istarts(*rest, str_c(name)))
		return false;
	*rest = str_from(*rest, strlen(name));
	return true;
}

int redis_url_parse(struct arena *a, struct str url, struct redis_url *out, struct err *e)
{
	struct redis_url u = {.path = "", .service = ""};
	struct str rest = url, query;
	size_t end;

	if (scheme(&rest, "rediss://") || scheme(&rest, "rediss+sentinel://"))
		return err_set(
			e, 0,
			"rediss:// (TLS) is not built in, since hiredis before 1.0 has none; "
			"let stunnel listen on 127.0.0.1 or a Unix socket, and name that");
	if (scheme(&rest, "redis://"))
		u.kind = REDIS_TCP;
	else if (scheme(&rest, "redis+unix://") || scheme(&rest, "unix://"))
		u.kind = REDIS_UNIX;
	else if (scheme(&rest, "redis+sentinel://"))
		u.kind = REDIS_SENTINEL;
	else
		return err_set(e, 0, "it begins with redis://, redis+unix:// or redis+sentinel://");
	query = rest;
	rest = str_split(&query, '?');
	end = str_find(rest, '/');
	if (parse_login(a, &rest, end, &u, e) || parse_query(a, query, &u, e))
		return -1;
	if (u.kind == REDIS_UNIX ? parse_unix(a, rest, &u, e) : parse_hosts(a, rest, &u, e))
		return -1;
	*out = u;
	return 0;
}
