/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/authd/requests.h"
#include "common/base/log.h"
#include "frontend/authd/exchange.h"

static void requester_drop(struct requester *w)
{
	link_free(&w->channel);
	while (!list_empty(&w->exchanges)) {
		struct exchange *x = exchange_of(w->exchanges.next);

		exchange_cancel(&x);
	}
	list_remove(&w->link);
	hmap_free(&w->by_id);
	free(w);
}

static void send_to(struct requester *w, uint16_t type, struct buf *b)
{
	if (link_send(w->channel, type, buf_str(b), NULL, 0))
		LOG(L_WARN, "answer lost", L_U("worker", w->number));
	buf_wipe(b);
}

void requests_answer(struct requester *w, const struct auth_answer *a)
{
	struct buf b = BUF_INIT;

	auth_answer_put(&b, a);
	send_to(w, AUTH_ANSWER, &b);
}

void requests_challenge(struct requester *w, uint32_t id, struct str message)
{
	struct auth_step s = {.id = id, .message = message};
	struct buf b = BUF_INIT;

	auth_step_put(&b, &s);
	send_to(w, AUTH_CHALLENGE, &b);
}

static void tell_mechanisms(struct requester *w)
{
	struct buf b = BUF_INIT;

	wire_u32(&b, w->authd->mechanisms);
	send_to(w, AUTH_MECHANISMS, &b);
}

void requests_tell_mechanisms(struct authd *ad)
{
	list_foreach(e, &ad->requesters)
		tell_mechanisms(list_entry(e, struct requester, link));
}

/* A worker has no more clients than this; one that was taken over doesn't get our memory for them. */
static void refuse_more(struct requester *w, uint32_t id)
{
	struct auth_answer a = {.id = id, .result = AUTH_TEMPFAIL};

	if (!w->refused_more)
		LOG(L_WARN, "worker has too many logins under way", L_U("worker", w->number),
		    L_U("logins", hmap_count(w->by_id)));
	w->refused_more = true;
	requests_answer(w, &a);
}

static int on_request(struct requester *w, struct str body)
{
	struct auth_request r;

	if (!auth_request_get(body, &r) || hmap_get_u64(w->by_id, r.id))
		return -1;
	if (hmap_count(w->by_id) >= w->authd->set->maxprelogin) {
		refuse_more(w, r.id);
		return 0;
	}
	w->refused_more = false;
	exchange_begin(w, &r);
	return 0;
}

/* One that is over already crossed its answer on the way. */
static int on_response(struct requester *w, struct str body)
{
	struct auth_step s;
	struct exchange *x;

	if (!auth_step_get(body, &s))
		return -1;
	x = hmap_get_u64(w->by_id, s.id);
	if (x)
		exchange_response(x, s.message);
	return 0;
}

static int on_cancel(struct requester *w, struct str body)
{
	struct wire r = wire_reader(body);
	uint32_t id = wire_get_u32(&r);
	struct exchange *x;

	if (!wire_end(&r))
		return -1;
	x = hmap_get_u64(w->by_id, id);
	exchange_cancel(&x);
	return 0;
}

static int on_msg(void *ctx, struct link_msg *m)
{
	if (m->nfds)
		return -1;
	switch (m->type) {
	case AUTH_REQUEST:
		return on_request(ctx, m->body);
	case AUTH_RESPONSE:
		return on_response(ctx, m->body);
	case AUTH_CANCEL:
		return on_cancel(ctx, m->body);
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
		if (w->number == number)
			requester_drop(w);
	}
	w = xcalloc(1, sizeof(*w));
	w->authd = ad;
	w->number = number;
	list_init(&w->exchanges);
	w->by_id = hmap_new();
	list_append(&ad->requesters, &w->link);
	w->channel = link_new(ad->loop, fd, ad->set->auth_queue_max, &ops, w);
	tell_mechanisms(w);
}
