/* SPDX-License-Identifier: Apache-2.0 */
#include "notifyd/notifyd.h"

struct sub *sub_new(struct subscriber *owner, uint32_t id)
{
	struct sub *s = xcalloc(1, sizeof *s);

	s->owner = owner;
	s->id = id;
	list_init(&s->holder[WATCH_NEW]);
	list_init(&s->holder[WATCH_CUR]);
	list_init(&s->shard_node);
	list_init(&s->lost_node);
	list_init(&s->news_node);
	list_init(&s->folder_node);
	list_append(&owner->all, &s->owner_node);
	hmap_put_u64(owner->subs, id, s);
	owner->use->folders++;
	owner->nd->n.folders++;
	return s;
}

void sub_free(struct sub *s)
{
	struct subscriber *owner = s->owner;

	enrol_forget(s);
	watch_release(s, WATCH_NEW);
	watch_release(s, WATCH_CUR);
	circle_leave(&s->folder, &s->folder_node);
	if (!list_empty(&s->lost_node))
		owner->nlost--;
	list_remove(&s->lost_node);
	list_remove(&s->shard_node);
	list_remove(&s->news_node);
	list_remove(&s->owner_node);
	hmap_del_u64(owner->subs, s->id);
	owner->use->folders--;
	owner->nd->n.folders--;
	free(s);
}

struct circle *circle_join(struct hmap *in, const void *key, size_t keylen, struct list *node)
{
	struct circle *g = hmap_get(in, str_mem(key, keylen));

	if (!g) {
		ASSERT(keylen <= sizeof g->key);
		g = xcalloc(1, sizeof *g);
		g->in = in;
		g->keylen = keylen;
		memcpy(g->key, key, keylen);
		list_init(&g->members);
		hmap_put(in, str_mem(key, keylen), g);
	}
	list_append(&g->members, node);
	return g;
}

void circle_leave(struct circle **gp, struct list *node)
{
	struct circle *g = *gp;

	list_remove(node);
	*gp = NULL;
	if (!g || !list_empty(&g->members))
		return;
	hmap_del(g->in, str_mem(g->key, g->keylen));
	free(g);
}

struct uid_use *uid_get(struct notifyd *nd, uint64_t uid)
{
	struct uid_use *u = hmap_get_u64(nd->uids, uid);

	if (!u) {
		u = xcalloc(1, sizeof *u);
		u->uid = uid;
		hmap_put_u64(nd->uids, uid, u);
	}
	u->refs++;
	return u;
}

void uid_put(struct notifyd *nd, struct uid_use **up)
{
	struct uid_use *u = *up;

	*up = NULL;
	if (!u || --u->refs)
		return;
	hmap_del_u64(nd->uids, u->uid);
	free(u);
}
