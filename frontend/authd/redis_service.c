/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/authd/redis_service.h"
#include "common/base/log.h"
#include "common/io/redis_url.h"
#include "common/io/resolve.h"
#include "common/ipc/wire.h"
#include "frontend/authd/authd.h"
#include "frontend/authd/redis_template.h"

enum { REPLICA_LAG_MS = 5000 };

static bool module_used(const struct settings *set)
{
	struct str rest = str_c(set->authmodules);

	while (rest.n)
		if (str_eq(str_split(&rest, ' '), STR("redis")))
			return true;
	return false;
}

static int check_replicas(struct arena *a, const struct settings *set, struct err *e)
{
	struct str rest = str_c(set->redis_replica_url);

	while (rest.n) {
		struct str word = str_split(&rest, ' ');
		struct redis_url u;

		if (word.n && redis_url_parse(a, word, &u, e))
			return err_in(e, "REDIS_REPLICA_URL");
		if (word.n && u.kind == REDIS_SENTINEL)
			return err_set(e, 0,
				       "REDIS_REPLICA_URL: replicas of sentinels are read with "
				       "REDIS_READ_FROM_REPLICAS=1");
	}
	return 0;
}

int redis_service_check(const struct settings *set, struct err *e)
{
	struct arena a = ARENA_INIT;
	struct redis_url u;
	struct redis_template t;
	int rc = 0;

	if (!set->redis_url[0]) {
		if (module_used(set))
			return err_set(e, 0, "AUTHMODULES has redis, but REDIS_URL is not set");
		if (strcmp(set->limits_shared, "redis") == 0)
			return err_set(e, 0, "LIMITS_SHARED=redis, but REDIS_URL is not set");
		return 0;
	}
	if (redis_url_parse(&a, str_c(set->redis_url), &u, e))
		rc = err_in(e, "REDIS_URL");
	else if (check_replicas(&a, set, e) ||
		 redis_template_parse(&a, str_c(set->redis_command), str_c(set->redis_prefix), &t,
				      e))
		rc = -1;
	arena_deinit(&a);
	return rc;
}

static void notice(void *ctx, enum redis_notice n, const char *server, const char *why)
{
	switch (n) {
	case REDIS_CONNECTED:
		LOG(L_INFO, "redis connected", L_C("server", server), L_C("as", why));
		break;
	case REDIS_LOST:
		LOG(L_WARN, "redis lost", L_C("server", server), L_C("error", why));
		break;
	case REDIS_TROUBLE:
		LOG(L_WARN, "redis trouble", L_C("server", server), L_C("error", why));
		break;
	}
}

struct redis *redis_service_new(struct authd *ad)
{
	const struct settings *set = ad->set;
	struct redis_opts o = {
		.url = str_c(set->redis_url),
		.replica_urls = str_c(set->redis_replica_url),
		.read_from_replicas = set->redis_read_from_replicas,
		.queue_max = set->redis_queue_max,
		.answer_max = set->redis_answer_max,
		.connect_ms = set->redis_connect_timeout,
		.command_ms = set->redis_timeout,
		.notice = notice,
		.ctx = ad,
	};
	struct err e;
	struct redis *r;

	if (!set->redis_url[0])
		return NULL;
	r = redis_new(ad->loop, &o, &e);
	if (!r)
		LOG(L_ERROR, "REDIS_URL", L_C("error", e.text));
	return r;
}

void redis_service_changed(struct authd *ad)
{
	if (ad->redis)
		redis_prefer_master(ad->redis, REPLICA_LAG_MS);
}

void redis_service_counts(const struct authd *ad, struct buf *out)
{
	struct redis_counts c;

	if (!ad->redis)
		return;
	c = redis_counts(ad->redis);
	wire_count(out, "redis_started", c.started);
	wire_count(out, "redis_refused", c.refused);
	wire_count(out, "redis_failed", c.failed);
	wire_count(out, "redis_again", c.again);
	wire_count(out, "redis_lost", c.lost);
	wire_count(out, "redis_pending", c.pending);
	wire_count(out, "redis_connected", c.connected);
}

static void url_needs(struct str url, struct confine_needs *n)
{
	struct arena a = ARENA_INIT;
	struct redis_url u;
	struct sock_addr addr;

	if (url.n && redis_url_parse(&a, url, &u, NULL) == 0 && u.kind != REDIS_UNIX) {
		n->tcp = true;
		/* sentinels may name servers by name, too */
		n->names = n->names || u.kind == REDIS_SENTINEL ||
			   !resolve_numeric(u.hosts[0].name, u.hosts[0].port, &addr);
	}
	arena_deinit(&a);
}

void redis_service_needs(const struct settings *set, struct confine_needs *n)
{
	struct str rest = str_c(set->redis_replica_url);

	url_needs(str_c(set->redis_url), n);
	while (set->redis_url[0] && rest.n)
		url_needs(str_split(&rest, ' '), n);
}
