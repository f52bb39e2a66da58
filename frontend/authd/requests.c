/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/log.h"
#include "frontend/authd/account.h"
#include "frontend/authd/authd.h"
#include "frontend/authd/username.h"

struct requester { /* a login worker */
	struct authd *authd;
	struct list link;
	struct link *channel; /* NULL: gone; freed with its last check */
	uint32_t number;
	struct list checks;
};

static void requester_release(struct requester *w)
{
	if (w->channel || !list_empty(&w->checks))
		return;
	list_remove(&w->link);
	free(w);
}

static void requester_drop(struct requester *w)
{
	link_free(&w->channel);
	list_foreach(e, &w->checks)
		list_entry(e, struct check, link)->cancelled = true;
	requester_release(w);
}

static void answer(struct requester *w, const struct auth_answer *a)
{
	struct buf b = BUF_INIT;

	auth_answer_put(&b, a);
	if (w->channel && link_send(w->channel, AUTH_ANSWER, buf_str(&b), NULL, 0))
		LOG(L_WARN, "answer lost", L_U("worker", w->number));
	buf_wipe(&b);
}

static void check_free(struct check *c)
{
	struct requester *w = c->from;

	list_remove(&c->link);
	w->authd->pending--;
	secret_wipe(&c->password);
	arena_deinit(&c->arena);
	free(c);
	requester_release(w);
}

static void chain_next(struct check *c)
{
	struct authd *ad = c->from->authd;

	if (c->at == ad->nproviders) {
		check_done(c, AUTH_UNKNOWN);
		return;
	}
	c->provider = ad->providers[c->at++];
	c->provider->start(c->provider, c);
}

void check_done(struct check *c, enum auth_result result)
{
	struct authd *ad = c->from->authd;
	struct auth_answer a = {.id = c->id, .result = result, .user = c->user};
	const char *text = "";
	struct buf ticket = BUF_INIT;

	if (result == AUTH_NEXT && !c->cancelled) {
		chain_next(c);
		return;
	}
	if (result == AUTH_OK)
		a.result = account_allows(&c->record, &c->facts, &text);
	if (a.result == AUTH_OK && !c->cancelled &&
	    !signer_ticket(&ad->signer, &ticket, c->nonce, &c->record, &c->facts)) {
		LOG(L_ERROR, "no ticket key", L_C("dir", ad->set->rundir),
		    L_C("hint", "the backend makes ticket.key when it starts"));
		a.result = AUTH_TEMPFAIL;
	}
	a.text = str_c(text);
	if (a.result == AUTH_OK) {
		a.user = c->record.user;
		a.mailhost = c->record.mailhost;
		a.ticket = buf_str(&ticket);
	}
	if (!c->cancelled)
		answer(c->from, &a);
	buf_wipe(&ticket);
	check_free(c);
}

static void answer_at_once(struct requester *w, const struct auth_request *r, enum auth_result res)
{
	struct auth_answer a = {.id = r->id, .result = (uint8_t)res, .text = STR("")};

	answer(w, &a);
}

static void copy_facts(struct check *c, const struct session_facts *f)
{
	c->facts = *f;
	c->facts.protocol = arena_str(&c->arena, f->protocol);
	c->facts.session = arena_str(&c->arena, f->session);
	c->facts.rip = arena_str(&c->arena, f->rip);
	c->facts.lip = arena_str(&c->arena, f->lip);
	c->facts.tls_info = arena_str(&c->arena, f->tls_info);
}

static struct str full_name(struct check *c, const char *defdomain, struct str user)
{
	if (str_find(user, '@') != user.n)
		defdomain = "";
	return str_c(arena_printf(&c->arena, "%.*s%s", STR_ARG(user), defdomain));
}

static void request(struct requester *w, const struct auth_request *r)
{
	struct authd *ad = w->authd;
	struct check *c;

	if (!username_valid(r->user)) {
		answer_at_once(w, r, AUTH_UNKNOWN);
		return;
	}
	/* Nobody may act for another account: there are no master users. */
	if (r->authzid.n && !str_eq(r->authzid, r->user)) {
		answer_at_once(w, r, AUTH_MISMATCH);
		return;
	}
	if (ad->pending >= ad->set->auth_queue_max) {
		LOG(L_WARN, "queue full", L_U("requests", ad->pending));
		answer_at_once(w, r, AUTH_TEMPFAIL);
		return;
	}
	c = xcalloc(1, sizeof(*c));
	c->from = w;
	c->id = r->id;
	c->user = full_name(c, ad->set->defdomain, r->user);
	c->mechanism = arena_str(&c->arena, r->mechanism);
	secret_set(&c->password, r->password);
	memcpy(c->nonce, r->nonce, sizeof(c->nonce));
	copy_facts(c, &r->facts);
	list_append(&w->checks, &c->link);
	ad->pending++;
	chain_next(c);
}

static void cancel(struct requester *w, uint32_t id)
{
	list_foreach(e, &w->checks) {
		struct check *c = list_entry(e, struct check, link);

		if (c->id == id)
			c->cancelled = true;
	}
}

static int on_msg(void *ctx, struct link_msg *m)
{
	struct requester *w = ctx;
	struct wire reader = wire_reader(m->body);
	struct auth_request r;
	uint32_t id;

	if (m->nfds)
		return -1;
	switch (m->type) {
	case AUTH_REQUEST:
		if (!auth_request_get(m->body, &r))
			return -1;
		request(w, &r);
		return 0;
	case AUTH_CANCEL:
		id = wire_get_u32(&reader);
		if (!wire_end(&reader))
			return -1;
		cancel(w, id);
		return 0;
	default:
		return -1;
	}
}

static void on_close(void *ctx, const char *why)
{
	struct requester *w = ctx;

	LOG(L_DEBUG, "worker link closed", L_U("worker", w->number), L_C("why", why));
	requester_drop(w);
}

void requests_add_worker(struct authd *ad, uint32_t number, int fd)
{
	static const struct link_ops ops = {on_msg, on_close, NULL};
	struct requester *w;

	list_foreach(e, &ad->requesters) {
		w = list_entry(e, struct requester, link);
		if (w->number == number && w->channel)
			requester_drop(w);
	}
	w = xcalloc(1, sizeof(*w));
	w->authd = ad;
	w->number = number;
	list_init(&w->checks);
	list_append(&ad->requesters, &w->link);
	w->channel = link_new(ad->loop, fd, ad->set->auth_queue_max, &ops, w);
}
