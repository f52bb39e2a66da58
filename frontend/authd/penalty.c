/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/authd/penalty.h"
#include <arpa/inet.h>
#include "common/base/buf.h"
#include "common/base/hmap.h"
#include "common/base/list.h"
#include "common/base/rand.h"
#include "common/io/loop.h"
#include "common/io/netlist.h"

enum { PROOFS = 8, FRIEND_DAYS = 30 };

struct culprit { /* an account or a network with refusals, or a pair of both that has logged in */
	struct list lru;
	uint64_t count;
	uint64_t last_ms;
	uint64_t proofs[PROOFS]; /* hashes of the wrong passwords seen last (accounts only) */
	unsigned nproofs;
	size_t key_n; /* a stranger's text: any byte may be in it */
	char key[];
};
struct table {
	struct hmap *by_key;
	struct list lru; /* oldest first */
};
struct penalty {
	struct loop *loop;
	const struct settings *set;
	uint64_t salt; /* of the proofs: a hash of this process, not of the password alone */
	struct netlist exempt; /* LIMIT_EXEMPT */
	struct table users, networks, friends;
};

static void table_init(struct table *t)
{
	t->by_key = hmap_new();
	list_init(&t->lru);
}

static void remove_culprit(struct table *t, struct culprit *c)
{
	hmap_del(t->by_key, str_mem(c->key, c->key_n));
	list_remove(&c->lru);
	free(c);
}

static void table_free(struct table *t)
{
	while (!list_empty(&t->lru))
		remove_culprit(t, list_entry(t->lru.next, struct culprit, lru));
	hmap_free(&t->by_key);
}

struct penalty *penalty_new(struct loop *l, const struct settings *set)
{
	struct penalty *p = xcalloc(1, sizeof(*p));

	p->loop = l;
	p->set = set;
	p->salt = rand_u64();
	/* Frontend main has looked at it; a list that is wrong all the same exempts nobody. */
	netlist_parse(&p->exempt, set->limit_exempt ? set->limit_exempt : "", "LIMIT_EXEMPT", NULL);
	table_init(&p->users);
	table_init(&p->networks);
	table_init(&p->friends);
	return p;
}

void penalty_free(struct penalty **pp)
{
	struct penalty *p = *pp;

	if (!p)
		return;
	table_free(&p->users);
	table_free(&p->networks);
	table_free(&p->friends);
	netlist_deinit(&p->exempt);
	free(p);
	*pp = NULL;
}

/* ---- tables ------------------------------------------------------------------------------------ */

static struct culprit *find(struct penalty *p, struct table *t, struct str key, uint64_t max_age_ms)
{
	struct culprit *c = hmap_get(t->by_key, key);

	if (c && loop_now(p->loop) - c->last_ms >= max_age_ms) {
		remove_culprit(t, c);
		return NULL;
	}
	return c;
}

static struct culprit *touch(struct penalty *p, struct table *t, struct str key,
			     uint64_t max_age_ms)
{
	struct culprit *c = find(p, t, key, max_age_ms);

	if (!c) {
		if (hmap_count(t->by_key) >= p->set->login_penalty_kept)
			remove_culprit(t, list_entry(t->lru.next, struct culprit, lru));
		c = xcalloc(1, sizeof(*c) + key.n);
		c->key_n = key.n;
		if (key.n)
			memcpy(c->key, key.p, key.n);
		list_init(&c->lru);
		hmap_put(t->by_key, key, c);
	}
	list_remove(&c->lru);
	list_append(&t->lru, &c->lru);
	c->last_ms = loop_now(p->loop);
	return c;
}

static uint64_t window_ms(const struct penalty *p)
{
	return p->set->login_penalty_window * 1000;
}

void penalty_network(const struct settings *set, struct str rip, char out[64])
{
	unsigned bits = (unsigned)set->login_penalty_net6;
	char text[INET6_ADDRSTRLEN];
	struct net_addr a;

	if (!net_addr_parse(rip, &a)) {
		snprintf(out, 64, "%.*s", STR_ARG(rip));
	} else if (net_addr_is4(&a)) {
		bits = (unsigned)set->login_penalty_net4;
		net_addr_cut(&a, 96 + bits);
		inet_ntop(AF_INET, a.b + 12, text, sizeof(text));
		snprintf(out, 64, "%s/%u", text, bits);
	} else {
		net_addr_cut(&a, bits);
		inet_ntop(AF_INET6, a.b, text, sizeof(text));
		snprintf(out, 64, "%s/%u", text, bits);
	}
}

static struct str pair_key(const struct settings *set, struct str user, struct str rip,
			   struct buf *b)
{
	char net[64];

	penalty_network(set, rip, net);
	buf_printf(b, "%s ", net);
	buf_str_put(b, user);
	return buf_str(b);
}

/* ---- what it is for ------------------------------------------------------------------------------ */

static bool is_friend(struct penalty *p, struct str user, struct str rip)
{
	struct buf b = BUF_INIT;
	bool yes = find(p, &p->friends, pair_key(p->set, user, rip, &b),
			(uint64_t)FRIEND_DAYS * 86400 * 1000) != NULL;

	buf_deinit(&b);
	return yes;
}

static uint64_t wait_for(const struct penalty *p, const struct culprit *c)
{
	uint64_t over, ms = p->set->login_failure_delay, max = p->set->login_penalty_max;

	if (!c || c->count <= p->set->login_penalty_free)
		return 0;
	for (over = c->count - p->set->login_penalty_free; over > 1 && ms < max; over--)
		ms *= 2;
	return ms < max ? ms : max;
}

uint64_t penalty_wait(struct penalty *p, struct str user, struct str rip)
{
	uint64_t by_user, by_net;
	char net[64];

	if (netlist_has_ip(&p->exempt, rip))
		return 0;
	penalty_network(p->set, rip, net);
	by_user = user.n ? wait_for(p, find(p, &p->users, user, window_ms(p))) : 0;
	by_net = wait_for(p, find(p, &p->networks, str_c(net), window_ms(p)));
	if (by_net > by_user)
		by_user = by_net;
	return by_user && is_friend(p, user, rip) ? 0 : by_user;
}

/* True: this wrong password was seen before. */
static bool seen(struct penalty *p, struct culprit *c, struct str proof)
{
	struct buf b = BUF_INIT;
	uint64_t h;

	buf_put(&b, &p->salt, sizeof(p->salt));
	buf_str_put(&b, proof);
	h = hash_bytes(buf_str(&b));
	buf_wipe(&b);
	for (unsigned i = 0; i < PROOFS && i < c->nproofs; i++)
		if (c->proofs[i] == h)
			return true;
	c->proofs[c->nproofs++ % PROOFS] = h;
	return false;
}

bool penalty_failed(struct penalty *p, struct str user, struct str rip, struct str proof)
{
	struct culprit *c;
	char net[64];

	if (netlist_has_ip(&p->exempt, rip))
		return false;
	c = touch(p, &p->users, user, window_ms(p));
	if (proof.p && seen(p, c, proof))
		return false;
	c->count++;
	penalty_network(p->set, rip, net);
	touch(p, &p->networks, str_c(net), window_ms(p))->count++;
	return true;
}

void penalty_succeeded(struct penalty *p, struct str user, struct str rip)
{
	struct buf b = BUF_INIT;

	touch(p, &p->friends, pair_key(p->set, user, rip, &b), UINT64_MAX)->count++;
	buf_deinit(&b);
}

void penalty_merge(struct penalty *p, bool is_user, struct str name, uint64_t count)
{
	struct culprit *c = touch(p, is_user ? &p->users : &p->networks, name, window_ms(p));

	if (c->count < count)
		c->count = count;
}

void penalty_forgive(struct penalty *p, struct str user)
{
	struct culprit *c = hmap_get(p->users.by_key, user);

	if (c)
		remove_culprit(&p->users, c);
}
