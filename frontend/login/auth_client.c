/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/login/auth_client.h"
#include "common/base/log.h"
#include "frontend/login/login.h"

struct auth_client {
	struct worker *worker;
	struct link *link;
	struct hmap *asked; /* struct login by id */
	uint32_t last;
};

struct auth_client *auth_client_new(struct worker *w)
{
	struct auth_client *c = xcalloc(1, sizeof(*c));

	c->worker = w;
	c->asked = hmap_new();
	return c;
}

void auth_client_free(struct auth_client **cp)
{
	struct auth_client *c = *cp;

	if (!c)
		return;
	link_free(&c->link);
	hmap_free(&c->asked);
	free(c);
	*cp = NULL;
}

bool auth_client_up(const struct auth_client *c)
{
	return c->link && link_open(c->link);
}

static void fail_all(struct auth_client *c)
{
	struct hmap *asked = c->asked;
	size_t it = 0;
	struct str key;
	void *l;

	c->asked = hmap_new();
	while (hmap_next(asked, &it, &key, &l)) {
		struct auth_answer a = {.result = AUTH_TEMPFAIL};

		login_auth_answer(l, &a);
	}
	hmap_free(&asked);
}

static int on_answer(struct auth_client *c, struct str body)
{
	struct auth_answer a;
	struct login *l;

	if (!auth_answer_get(body, &a))
		return -1;
	l = hmap_del_u64(c->asked, a.id);
	if (l)
		login_auth_answer(l, &a);
	return 0;
}

static int on_challenge(struct auth_client *c, struct str body)
{
	struct auth_step s;
	struct login *l;

	if (!auth_step_get(body, &s))
		return -1;
	l = hmap_get_u64(c->asked, s.id);
	if (l)
		login_challenge(l, s.message);
	return 0;
}

static int on_mechanisms(struct auth_client *c, struct str body)
{
	struct wire r = wire_reader(body);
	uint32_t bits = wire_get_u32(&r);

	if (!wire_end(&r))
		return -1;
	c->worker->mechanisms = bits;
	worker_mechanisms_came(c->worker);
	return 0;
}

static int on_msg(void *ctx, struct link_msg *m)
{
	if (m->nfds)
		return -1;
	switch (m->type) {
	case AUTH_ANSWER:
		return on_answer(ctx, m->body);
	case AUTH_CHALLENGE:
		return on_challenge(ctx, m->body);
	case AUTH_MECHANISMS:
		return on_mechanisms(ctx, m->body);
	default:
		return -1;
	}
}

static void on_close(void *ctx, const char *why)
{
	struct auth_client *c = ctx;

	LOG(L_WARN, "authd link lost", L_C("why", why), L_U("logins", hmap_count(c->asked)));
	link_free(&c->link);
	fail_all(c);
}

void auth_client_set_link(struct auth_client *c, int fd)
{
	static const struct link_ops ops = {on_msg, on_close, NULL};

	link_free(&c->link);
	fail_all(c);
	c->link = link_new(c->worker->loop, fd, c->worker->set->auth_queue_max, &ops, c);
}

uint32_t auth_client_ask(struct auth_client *c, struct auth_request *r, struct login *l)
{
	struct buf b = BUF_INIT;
	bool sent;

	do {
		r->id = ++c->last;
	} while (r->id == 0 || hmap_get_u64(c->asked, r->id));
	/* No copy of a password is left behind. */
	buf_reserve(&b, r->initial.n + r->peer.cert.n + r->peer.cert_proof.n + 4096);
	auth_request_put(&b, r);
	sent = auth_client_up(c) && link_send(c->link, AUTH_REQUEST, buf_str(&b), NULL, 0) == 0;
	buf_wipe(&b);
	if (!sent)
		return 0;
	hmap_put_u64(c->asked, r->id, l);
	return r->id;
}

bool auth_client_respond(struct auth_client *c, uint32_t id, struct str message)
{
	struct auth_step s = {.id = id, .message = message};
	struct buf b = BUF_INIT;
	bool sent;

	buf_reserve(&b, message.n + 64);
	auth_step_put(&b, &s);
	sent = auth_client_up(c) && link_send(c->link, AUTH_RESPONSE, buf_str(&b), NULL, 0) == 0;
	buf_wipe(&b);
	return sent;
}

void auth_client_cancel(struct auth_client *c, uint32_t id)
{
	struct buf b = BUF_INIT;

	if (!hmap_del_u64(c->asked, id) || !auth_client_up(c))
		return;
	wire_u32(&b, id);
	link_send(c->link, AUTH_CANCEL, buf_str(&b), NULL, 0);
	buf_deinit(&b);
}
