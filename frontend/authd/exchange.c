/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/authd/exchange.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "frontend/authd/account.h"
#include "frontend/authd/chain.h"
#include "frontend/authd/copies.h"
#include "frontend/authd/master.h"
#include "frontend/authd/penalty.h"
#include "frontend/authd/penalty_redis.h"
#include "frontend/authd/requests.h"
#include "frontend/authd/username.h"

struct exchange {
	struct requester *from;
	struct list link;
	uint32_t id, attempt;
	uint8_t nonce[TICKET_NONCE_LEN];
	struct session_facts facts;
	struct auth_peer peer;
	struct mech_exchange m;				     /* its arena holds all strings here */
	enum { X_BUSY, X_CLIENT, X_PENALTY, X_CHAIN } state; /* X_CLIENT: a challenge is out */
	struct chain_waiter waiter;
	struct loop_timer *penalty;
	struct str user;	   /* that the chain was asked for */
	struct user_record record; /* of user, once the chain has said OK */
	struct str by, code, text; /* from the provider */
	enum auth_result after;	   /* AUTH_OK, or what the proven user is told: disabled, expired */
};

struct exchange *exchange_of(struct list *link)
{
	return list_entry(link, struct exchange, link);
}

static void exchange_free(struct exchange *x)
{
	chain_leave(&x->waiter);
	if (x->m.mech && x->m.mech->end)
		x->m.mech->end(&x->m);
	list_remove(&x->link);
	hmap_del_u64(x->from->by_id, x->id);
	loop_timer_free(&x->penalty);
	secret_wipe(&x->m.password);
	buf_wipe(&x->m.challenge);
	arena_deinit(&x->m.arena);
	free(x);
}

void exchange_cancel(struct exchange **xp)
{
	if (*xp)
		exchange_free(*xp);
	*xp = NULL;
}

/* ---- the end ----------------------------------------------------------------------------------- */

static bool counts_as_guess(enum auth_result r)
{
	return r == AUTH_MISMATCH || r == AUTH_UNKNOWN;
}

static void refuse(struct exchange *x, enum auth_result r)
{
	struct authd *ad = x->from->authd;
	struct auth_answer a = {.id = x->id,
				.result = (uint8_t)r,
				.code = x->code,
				.text = x->text,
				.user = x->user.n ? x->user : x->m.authcid,
				.provider = x->by};
	struct str proof = x->m.password.n ? secret_str(&x->m.password) : STR_NONE;

	if (!a.user.p || a.user.n > IPC_NAME_MAX)
		a.user = STR("");
	if (r != AUTH_TEMPFAIL && r != AUTH_DISABLED)
		a.delay_ms = (uint32_t)ad->set->login_failure_delay;
	if (counts_as_guess(r) && penalty_failed(ad->penalty, a.user, x->facts.rip, proof))
		penalty_redis_report(ad->penalty_redis, a.user, x->facts.rip);
	requests_answer(x->from, &a);
	exchange_free(x);
}

static void admit(struct exchange *x)
{
	struct authd *ad = x->from->authd;
	struct auth_answer a = {.id = x->id,
				.result = AUTH_OK,
				.user = x->record.user,
				.mailhost = x->record.mailhost,
				.provider = x->by};
	struct buf ticket = BUF_INIT;
	const char *text = "";
	enum auth_result r = account_allows(&x->record, &x->facts, &text);

	if (r != AUTH_OK) {
		x->text = str_c(text);
		refuse(x, r);
		return;
	}
	if (!signer_ticket(&ad->signer, &ticket, x->nonce, &x->record, &x->facts)) {
		LOG(L_ERROR, "no ticket key", L_C("dir", ad->set->rundir),
		    L_C("hint", "the backend makes ticket.key when it starts"));
		refuse(x, AUTH_TEMPFAIL);
		return;
	}
	penalty_succeeded(ad->penalty, x->user, x->facts.rip);
	a.ticket = buf_str(&ticket);
	requests_answer(x->from, &a);
	buf_wipe(&ticket);
	exchange_free(x);
}

static struct str full_name(struct exchange *x, struct str user)
{
	const char *domain = x->m.set->defdomain;

	if (str_find(user, '@') != user.n)
		domain = "";
	return str_c(arena_printf(&x->m.arena, "%.*s%s", STR_ARG(user), domain));
}

/* ---- for whom ---------------------------------------------------------------------------------- */

static void not_from_here(struct exchange *x)
{
	/* To the client it is a wrong password: who has stolen one doesn't learn that it is right. */
	LOG(L_WARN, "network not allowed", L_S("user", x->user), L_S("ip", x->facts.rip),
	    L_S("session", x->facts.session));
	x->text = STR_NONE;
	refuse(x, AUTH_MISMATCH);
}

/* With MASTER_SEPARATOR the name says both. */
static void split_login(struct exchange *x, struct str *login)
{
	struct str user, master;

	*login = x->m.authcid;
	if (x->m.kind == CHECK_TRUSTED || !master_split(x->m.set, x->m.authcid, &user, &master))
		return;
	*login = master;
	if (!x->m.authzid.n || str_eq(x->m.authzid, x->m.authcid))
		x->m.authzid = user;
}

static void on_target(struct chain_waiter *w, enum auth_result r, const struct check *c)
{
	struct exchange *x = container_of(w, struct exchange, waiter);

	x->state = X_BUSY;
	x->by = arena_str(&x->m.arena, c->by);
	if (r == AUTH_OK) {
		x->record = copy_record(&x->m.arena, &c->record);
		LOG(L_INFO, "master login", L_S("user", x->record.user), L_S("master", x->user),
		    L_S("ip", x->facts.rip), L_S("session", x->facts.session));
		admit(x);
		return;
	}
	x->text = arena_str(&x->m.arena, c->text);
	if (r == AUTH_UNKNOWN || r == AUTH_IMPOSSIBLE || r == AUTH_MISMATCH) {
		r = AUTH_DISABLED;
		x->text = STR("There is no such account to act for.");
	}
	refuse(x, r);
}

static void act_for(struct exchange *x, struct str target)
{
	struct authd *ad = x->from->authd;
	struct chain_query q = {.kind = CHECK_TRUSTED,
				.user = target,
				.mechanism = str_c(sasl_name(x->m.mech->id)),
				.attempt = x->attempt,
				.facts = &x->facts,
				.peer = &x->peer};
	const char *text = "";
	enum auth_result r = account_valid(&x->record, &text);

	if (r == AUTH_OK && !master_is(ad->set, x->user, &x->record, x->m.mech->id)) {
		LOG(L_WARN, "no master", L_S("user", x->user), L_S("authzid", target),
		    L_S("ip", x->facts.rip), L_S("session", x->facts.session));
		r = AUTH_DISABLED;
		text = "This account may not act for others.";
	}
	if (r != AUTH_OK) {
		x->text = str_c(text);
		refuse(x, r);
		return;
	}
	x->state = X_CHAIN;
	x->waiter.done = on_target;
	chain_ask(ad->chain, &q, &x->waiter);
}

/* Who it is, is proven. */
static void proven(struct exchange *x)
{
	struct str target = x->m.authzid.n ? full_name(x, x->m.authzid) : x->user;

	if (x->after != AUTH_OK)
		refuse(x, x->after);
	else if (!account_from_here(&x->record, x->facts.rip))
		not_from_here(x);
	else if (str_eq(target, x->user) || str_eq(target, x->record.user))
		admit(x);
	else if (!username_valid(target))
		refuse(x, AUTH_MISMATCH);
	else
		act_for(x, target);
}

/* ---- asking ------------------------------------------------------------------------------------ */

static void run(struct exchange *x, enum mech_step step);

static void checked(struct exchange *x, enum auth_result r, const struct check *c)
{
	const struct mech *mech = x->m.mech;

	x->state = X_BUSY;
	x->m.result = r;
	if (r == AUTH_OK && !mech->checked)
		run(x, MECH_DONE);
	else if (!mech->checked)
		run(x, MECH_REFUSED);
	else
		run(x, mech->checked(&x->m, r, c));
}

static void on_chain(struct chain_waiter *w, enum auth_result r, const struct check *c)
{
	struct exchange *x = container_of(w, struct exchange, waiter);
	struct arena *a = &x->m.arena;

	x->by = arena_str(a, c->by);
	x->code = arena_str(a, c->code);
	x->text = arena_str(a, c->text);
	/* A mechanism that has yet to see a proof goes on; who gives it hears then. */
	if ((r == AUTH_DISABLED || r == AUTH_EXPIRED) && c->kind == CHECK_SCRAM) {
		x->after = r;
		r = AUTH_OK;
	}
	if (r == AUTH_OK)
		x->record = copy_record(&x->m.arena, &c->record);
	checked(x, r, c);
}

static void ask_now(void *ctx)
{
	struct exchange *x = ctx;
	struct chain *ch = x->from->authd->chain;
	struct chain_query q = {.kind = x->m.kind,
				.user = x->user,
				.mechanism = str_c(sasl_name(x->m.mech->id)),
				.password = secret_str(&x->m.password),
				.challenge = x->m.cram_challenge,
				.digest = x->m.cram_digest,
				.attempt = x->attempt,
				.facts = &x->facts,
				.peer = &x->peer};

	if (chain_pending(ch) >= x->from->authd->set->auth_queue_max) {
		LOG(L_WARN, "queue full", L_U("requests", chain_pending(ch)));
		refuse(x, AUTH_TEMPFAIL);
		return;
	}
	x->state = X_CHAIN;
	x->waiter.done = on_chain;
	chain_ask(ch, &q, &x->waiter);
}

static void ask(struct exchange *x)
{
	struct authd *ad = x->from->authd;
	struct str login;
	uint64_t wait;

	split_login(x, &login);
	if (!username_valid(login)) {
		struct check none = {.kind = x->m.kind};

		checked(x, AUTH_UNKNOWN, &none);
		return;
	}
	x->user = full_name(x, login);
	wait = penalty_wait(ad->penalty, x->user, x->facts.rip);
	if (wait == 0) {
		ask_now(x);
		return;
	}
	x->state = X_PENALTY;
	x->penalty = loop_timer_new(ad->loop, ask_now, x);
	loop_timer_set(x->penalty, wait);
}

/* ---- the mechanism ----------------------------------------------------------------------------- */

static void challenge(struct exchange *x)
{
	x->state = X_CLIENT;
	requests_challenge(x->from, x->id, buf_str(&x->m.challenge));
	buf_wipe(&x->m.challenge);
}

static void run(struct exchange *x, enum mech_step step)
{
	switch (step) {
	case MECH_CHALLENGE:
		challenge(x);
		break;
	case MECH_CHECK:
		ask(x);
		break;
	case MECH_WAIT:
		break;
	case MECH_DONE:
		proven(x);
		break;
	case MECH_REFUSED:
		if (x->m.text.n)
			x->text = x->m.text;
		refuse(x, x->m.result);
		break;
	case MECH_MALFORMED:
		refuse(x, AUTH_MALFORMED);
		break;
	}
}

void exchange_go_on(struct exchange *x, enum mech_step next)
{
	run(x, next);
}

void exchange_response(struct exchange *x, struct str message)
{
	if (x->state != X_CLIENT)
		return;
	x->state = X_BUSY;
	run(x, x->m.mech->step ? x->m.mech->step(&x->m, message) : MECH_MALFORMED);
}

void exchange_begin(struct requester *from, const struct auth_request *r)
{
	struct authd *ad = from->authd;
	struct exchange *x = xcalloc(1, sizeof(*x));

	x->from = from;
	x->id = r->id;
	x->attempt = r->attempt;
	x->after = AUTH_OK;
	memcpy(x->nonce, r->nonce, sizeof(x->nonce));
	x->facts = copy_facts(&x->m.arena, &r->facts);
	x->facts.begun_ms = (uint64_t)clock_wall_ms();
	x->peer = copy_peer(&x->m.arena, &r->peer);
	list_append(&from->exchanges, &x->link);
	hmap_put_u64(from->by_id, x->id, x);
	list_init(&x->waiter.link);
	x->m.set = ad->set;
	x->m.facts = &x->facts;
	x->m.peer = &x->peer;
	x->m.exchange = x;
	x->m.authd = ad;
	x->m.mech = mech_offered(ad->mechanisms, sasl_find(r->mechanism));
	if (!x->m.mech)
		refuse(x, AUTH_IMPOSSIBLE);
	else
		run(x, x->m.mech->begin(&x->m, r->initial, r->has_initial));
}
