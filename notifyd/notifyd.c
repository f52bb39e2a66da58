/* SPDX-License-Identifier: Apache-2.0 */
#include "notifyd/notifyd.h"

#include "common/base/clock.h"

bool notifyd_may_say(struct notifyd *nd, enum complaint what)
{
	uint64_t now = clock_ms();

	if (nd->said[what] && now - nd->said[what] < LOG_EVERY_MS)
		return false;
	nd->said[what] = now;
	return true;
}

int notifyd_start(struct notifyd *nd, struct loop *l, const struct settings *set, int listen_fd,
		  struct err *e)
{
	nd->loop = l;
	nd->set = set;
	nd->nshards = (unsigned)set->notify_shards;
	list_init(&nd->subscribers);
	list_init(&nd->dead);
	list_init(&nd->dirty);
	nd->uids = hmap_new();
	nd->folders = hmap_new();
	nd->stores = hmap_new();
	nd->devices = hmap_new();
	nd->jobs = jobs_new(l, ENROL_THREADS);
	if (shards_init(nd, e) < 0)
		return -1;
	subscribers_init(nd, listen_fd);
	return 0;
}

bool notifyd_stop(struct notifyd *nd)
{
	subscribers_deinit(nd);
	if (jobs_pending(nd->jobs) > 0)
		return false;
	jobs_free(&nd->jobs);
	shards_deinit(nd);
	hmap_free(&nd->uids);
	hmap_free(&nd->folders);
	hmap_free(&nd->stores);
	hmap_free(&nd->devices);
	return true;
}
