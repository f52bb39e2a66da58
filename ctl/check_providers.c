/* SPDX-License-Identifier: Apache-2.0 */
/* Whether anybody listens where AUTHMODULES's Redis and HTTP endpoints are said to be. */
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "common/config/url.h"
#include "common/io/redis_url.h"
#include "ctl/check.h"

#define CONNECT_MS 2000

/* 0, or the errno value of why not. */
static int try_connect(const struct sockaddr *sa, socklen_t n)
{
	int fd = socket(sa->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int fault = fd < 0 || connect(fd, sa, n) < 0 ? errno : 0;
	socklen_t size = sizeof fault;

	if (fault == EINPROGRESS) {
		struct pollfd p = {.fd = fd, .events = POLLOUT};

		if (poll(&p, 1, CONNECT_MS) == 0)
			fault = ETIMEDOUT;
		else
			getsockopt(fd, SOL_SOCKET, SO_ERROR, &fault, &size);
	}
	if (fd >= 0)
		close(fd);
	return fault;
}

/* NULL: one of the host's addresses takes a connection; else why not. */
static const char *try_host(const char *host, uint16_t port)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *all;
	int fault = 0, rc = getaddrinfo(host, NULL, &hints, &all);

	if (rc != 0)
		return gai_strerror(rc);
	for (struct addrinfo *a = all; a; a = a->ai_next) {
		if (a->ai_family == AF_INET)
			((struct sockaddr_in *)a->ai_addr)->sin_port = htons(port);
		else
			((struct sockaddr_in6 *)a->ai_addr)->sin6_port = htons(port);
		fault = try_connect(a->ai_addr, a->ai_addrlen);
		if (fault == 0)
			break;
	}
	freeaddrinfo(all);
	return fault ? strerror(fault) : NULL;
}

static void say(struct check *k, const char *item, const char *where, const char *fault)
{
	if (fault)
		check_say(k, CHECK_FAULT, item, "%s: %s; is it running, and is the name right?",
			  where, fault);
	else
		check_say(k, CHECK_OK, item, "%s takes connections", where);
}

static void check_hosts(struct check *k, const char *item, const struct redis_url *u)
{
	for (size_t i = 0; i < u->nhosts; i++) {
		struct buf where = BUF_INIT;

		buf_printf(&where, "%s:%u", u->hosts[i].name, u->hosts[i].port);
		say(k, item, buf_cstr(&where), try_host(u->hosts[i].name, u->hosts[i].port));
		buf_deinit(&where);
	}
}

/* A URL that is none was reported with the settings. */
static void check_redis(struct check *k)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	struct arena a = ARENA_INIT;
	struct redis_url u;
	int fault;

	if (redis_url_parse(&a, str_c(k->ctl->set->redis_url), &u, NULL) == 0) {
		if (u.kind == REDIS_UNIX) {
			memcpy(sa.sun_path, u.path, strlen(u.path)); /* its length was checked */
			fault = try_connect((struct sockaddr *)&sa, sizeof sa);
			say(k, "REDIS_URL", u.path, fault ? strerror(fault) : NULL);
		}
		check_hosts(k, "REDIS_URL", &u);
	}
	arena_deinit(&a);
}

static void check_endpoints(struct check *k)
{
	struct str rest = str_c(k->ctl->set->http_auth_url);

	while (rest.n > 0) {
		struct buf host = BUF_INIT, where = BUF_INIT;
		struct url u;

		if (url_parse(str_trim(str_split(&rest, ' ')), &u)) {
			struct str name = u.host;

			if (name.p[0] == '[')
				name = str_sub(name, 1, name.n - 2);
			buf_str_put(&host, name);
			buf_printf(&where, "%.*s:%u", STR_ARG(u.host), u.port);
			say(k, "HTTP_AUTH_URL", buf_cstr(&where),
			    try_host(buf_cstr(&host), u.port));
		}
		buf_deinit(&host);
		buf_deinit(&where);
	}
}

void check_providers(struct check *k)
{
	const char *modules = k->ctl->set->authmodules;

	if (settings_list_has(modules, STR("redis")) ||
	    strcmp(k->ctl->set->limits_shared, "redis") == 0)
		check_redis(k);
	if (settings_list_has(modules, STR("http")))
		check_endpoints(k);
}
