/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/authd/authtest.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/ipc/supervise.h"
#include "frontend/authd/account.h"
#include "frontend/authd/chain.h"
#include "frontend/authd/username.h"

struct authtest {
	struct authd *authd;
	struct arena arena;
	uint32_t id;
	struct str user;
	struct session_facts facts;
	struct auth_peer peer;
	struct chain_waiter waiter;
};

static void answer(struct authtest *t, enum auth_result r, const struct check *c)
{
	struct str text = c ? c->text : STR_NONE;
	struct buf b = BUF_INIT;
	const char *why = "";

	/* What the account's options say of a login comes after the password, as it does there. */
	if (r == AUTH_OK) {
		r = str_eq(t->facts.protocol, STR("imap"))
			    ? account_allows(&c->record, &t->facts, &why)
			    : account_valid(&c->record, &why);
		text = str_c(why);
	}
	LOG(L_INFO, "authtest", L_S("user", t->user),
	    L_C("result", r == AUTH_OK ? "ok" : "refused"));
	wire_u32(&b, t->id);
	wire_u8(&b, (uint8_t)r);
	wire_str(&b, c ? c->by : STR(""));
	wire_str(&b, str_sub(text, 0, IPC_TEXT_MAX));
	if (c && c->record.home.n && (r == AUTH_OK || r == AUTH_DISABLED || r == AUTH_EXPIRED))
		user_record_put(&b, &c->record);
	link_send(t->authd->sup, SUP_AUTHTESTED, buf_str(&b), NULL, 0);
	buf_deinit(&b);
	arena_deinit(&t->arena);
	free(t);
}

static void on_chain(struct chain_waiter *w, enum auth_result r, const struct check *c)
{
	answer(container_of(w, struct authtest, waiter), r, c);
}

int authtest_begin(struct authd *ad, struct str body)
{
	struct wire w = wire_reader(body);
	uint32_t id = wire_get_u32(&w);
	struct str service = wire_get_str(&w, IPC_NAME_MAX), user = wire_get_str(&w, IPC_NAME_MAX);
	bool has_password = wire_get_bool(&w);
	struct str password = wire_get_str(&w, AUTH_MESSAGE_MAX);
	struct authtest *t;

	if (!wire_end(&w))
		return -1;
	t = xcalloc(1, sizeof(*t));
	t->authd = ad;
	t->id = id;
	list_init(&t->waiter.link);
	t->waiter.done = on_chain;
	t->user = str_c(arena_printf(&t->arena, "%.*s%s", STR_ARG(user),
				     str_find(user, '@') == user.n ? ad->set->defdomain : ""));
	t->facts = (struct session_facts){.protocol = arena_str(&t->arena, service),
					  .session = STR("authtest"),
					  .rip = STR("127.0.0.1"),
					  .lip = STR("127.0.0.1"),
					  .begun_ms = (uint64_t)clock_wall_ms()};
	struct chain_query q = {.kind = has_password ? CHECK_PASSWORD : CHECK_TRUSTED,
				.user = t->user,
				.mechanism = STR("PLAIN"),
				.password = password,
				.attempt = 1,
				.facts = &t->facts,
				.peer = &t->peer};
	if (!username_valid(t->user))
		answer(t, AUTH_UNKNOWN, NULL);
	else if (chain_pending(ad->chain) >= ad->set->auth_queue_max)
		answer(t, AUTH_TEMPFAIL, NULL);
	else
		chain_ask(ad->chain, &q, &t->waiter);
	return 0;
}
