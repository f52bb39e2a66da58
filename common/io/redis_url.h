/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis_url: where a Redis is, as a text. Pure.
 *
 *   redis://[[user]:password@]host[:port][/db]
 *   redis+unix://[[user]:password@]/path/of/socket[?db=N]     (unix:// is the same)
 *   redis+sentinel://[[user]:password@]host[:port][,host[:port]...]/service[/db]
 *
 * User and password are those of Redis; with Sentinel, ?sentinel_user=..&sentinel_password=.. are those
 * of the sentinels. %XX in user, password and path stands for a byte; IPv6 addresses are in [ ].
 */
#pragma once
#include "common/base/arena.h"
#include "common/base/err.h"

#define REDIS_PORT 6379
#define REDIS_SENTINEL_PORT 26379
#define REDIS_HOSTS_MAX 16

struct redis_host {
	const char *name;
	uint16_t port;
};
struct redis_url { /* strings lie in the arena; "" where there is none */
	enum redis_url_kind { REDIS_TCP, REDIS_UNIX, REDIS_SENTINEL } kind;
	struct redis_host hosts[REDIS_HOSTS_MAX]; /* one with REDIS_TCP; the sentinels */
	size_t nhosts;
	const char *path;    /* REDIS_UNIX */
	const char *service; /* REDIS_SENTINEL: the master's name */
	struct str user, password, sentinel_user, sentinel_password;
	unsigned db;
};

/* -1: e says what is wrong, and quotes nothing that may be a password. */
int redis_url_parse(struct arena *a, struct str url, struct redis_url *out, struct err *e);
