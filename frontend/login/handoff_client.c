/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/login/handoff_client.h"
#include "common/base/log.h"
#include "frontend/login/login.h"

enum { STOCK_LOW = HANDOFF_NONCES_MAX / 4, STOCK_MAX = 2 * HANDOFF_NONCES_MAX };

struct handoff_client {
	struct worker *worker;
	struct link *link;
	struct hmap *passed; /* struct login by id */
	uint32_t last, epoch;
	uint8_t stock[STOCK_MAX][TICKET_NONCE_LEN];
	unsigned nstock, wanted; /* wanted: asked for and not come */
	struct list waiting;     /* struct login.waiting */
	bool serving;
};

struct handoff_client *handoff_client_new(struct worker *w)
{
	struct handoff_client *h = xcalloc(1, sizeof(*h));

	h->worker = w;
	h->passed = hmap_new();
	list_init(&h->waiting);
	return h;
}

void handoff_client_free(struct handoff_client **hp)
{
	struct handoff_client *h = *hp;

	if (!h)
		return;
	link_free(&h->link);
	hmap_free(&h->passed);
	free(h);
	*hp = NULL;
}

bool handoff_client_up(const struct handoff_client *h)
{
	return h->link && link_open(h->link);
}

static void order(struct handoff_client *h)
{
	unsigned count = HANDOFF_NONCES_MAX / 2;
	struct buf b = BUF_INIT;

	if (h->wanted || h->nstock >= STOCK_LOW || !handoff_client_up(h))
		return;
	wire_u32(&b, count);
	if (link_send(h->link, HANDOFF_NONCES_WANTED, buf_str(&b), NULL, 0) == 0)
		h->wanted = count;
	buf_deinit(&b);
}

/* A login that fails at once gives its nonce back: that is for the next round here, not for a call
 * within the call. */
static void serve_waiting(struct handoff_client *h)
{
	if (h->serving)
		return;
	h->serving = true;
	while (h->nstock && !list_empty(&h->waiting)) {
		struct login *l = list_entry(h->waiting.next, struct login, waiting);

		list_remove(&l->waiting);
		login_nonces_came(l);
	}
	h->serving = false;
}

static int nonces(struct handoff_client *h, struct str body)
{
	if (body.n == 0 || body.n % TICKET_NONCE_LEN)
		return -1;
	for (; body.n && h->nstock < STOCK_MAX; body = str_from(body, TICKET_NONCE_LEN))
		memcpy(h->stock[h->nstock++], body.p, TICKET_NONCE_LEN);
	h->wanted = 0;
	serve_waiting(h);
	order(h);
	return 0;
}

static int taken(struct handoff_client *h, struct str body)
{
	struct wire w = wire_reader(body);
	uint32_t id = wire_get_u32(&w);
	struct login *l;

	if (!wire_end(&w))
		return -1;
	l = hmap_del_u64(h->passed, id);
	if (l)
		login_taken(l);
	return 0;
}

static int refused(struct handoff_client *h, struct str body)
{
	struct handoff_refused r;
	struct login *l;

	if (!handoff_refused_get(body, &r))
		return -1;
	l = hmap_del_u64(h->passed, r.id);
	if (l)
		login_refused(l, r.code, r.text);
	return 0;
}

static int on_msg(void *ctx, struct link_msg *m)
{
	struct handoff_client *h = ctx;

	if (m->nfds)
		return -1;
	switch (m->type) {
	case HANDOFF_NONCES:
		return nonces(h, m->body);
	case HANDOFF_TAKEN:
		return taken(h, m->body);
	case HANDOFF_REFUSED:
		return refused(h, m->body);
	default:
		return -1;
	}
}

/* Nonces are good for one link only, so all that wait and all that were passed lose. */
static void lose_all(struct handoff_client *h)
{
	struct hmap *passed = h->passed;
	size_t it = 0;
	struct str key;
	void *l;

	h->passed = hmap_new();
	h->nstock = h->wanted = 0;
	h->epoch++;
	while (hmap_next(passed, &it, &key, &l))
		login_lost(l);
	hmap_free(&passed);
	while (!list_empty(&h->waiting)) {
		struct login *w = list_entry(h->waiting.next, struct login, waiting);

		list_remove(&w->waiting);
		login_lost(w);
	}
}

static void on_close(void *ctx, const char *why)
{
	struct handoff_client *h = ctx;

	LOG(L_WARN, "backend link lost", L_C("why", why), L_U("logins", hmap_count(h->passed)));
	link_free(&h->link);
	lose_all(h);
	if (h->worker->sup)
		link_send(h->worker->sup, SUP_BACKEND_LOST, STR(""), NULL, 0);
}

void handoff_client_set_link(struct handoff_client *h, int fd)
{
	static const struct link_ops ops = {on_msg, on_close, NULL};

	link_free(&h->link);
	lose_all(h);
	h->link = link_new(h->worker->loop, fd, 1024, &ops, h);
	order(h);
}

bool handoff_client_nonce(struct handoff_client *h, struct login *l, struct nonce *n)
{
	order(h);
	if (!h->nstock) {
		list_append(&h->waiting, &l->waiting);
		return false;
	}
	memcpy(n->bytes, h->stock[--h->nstock], TICKET_NONCE_LEN);
	n->epoch = h->epoch;
	return true;
}

void handoff_client_no_nonce(struct handoff_client *h, struct login *l)
{
	list_remove(&l->waiting);
}

void handoff_client_give_back(struct handoff_client *h, const struct nonce *n)
{
	if (n->epoch == h->epoch && h->nstock < STOCK_MAX)
		memcpy(h->stock[h->nstock++], n->bytes, TICKET_NONCE_LEN);
	serve_waiting(h);
}

uint32_t handoff_client_pass(struct handoff_client *h, struct handoff_give *g, int fd, struct login *l)
{
	struct buf b = BUF_INIT;
	bool sent;

	do {
		g->id = ++h->last;
	} while (g->id == 0 || hmap_get_u64(h->passed, g->id));
	handoff_give_put(&b, g);
	sent = handoff_client_up(h) && link_send(h->link, HANDOFF_GIVE, buf_str(&b), &fd, 1) == 0;
	buf_deinit(&b);
	if (!sent)
		return 0;
	hmap_put_u64(h->passed, g->id, l);
	return g->id;
}

void handoff_client_forget(struct handoff_client *h, uint32_t id)
{
	hmap_del_u64(h->passed, id);
}
