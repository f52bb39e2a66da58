/* SPDX-License-Identifier: Apache-2.0 */
/* OAUTHBEARER (RFC 7628) and XOAUTH2: an access token says who it is. */
#include "common/base/log.h"
#include "frontend/authd/authd.h"
#include "frontend/authd/exchange.h"
#include "frontend/authd/oauth/oauth.h"
#include "frontend/authd/sasl/mechs.h"
#include "frontend/authd/sasl/oauth_message.h"

struct bearer {
	struct mech_exchange *x;
	struct oauth_waiter waiter;
	struct oauth_message message;
	bool refused; /* the client has been told why; it has to answer that */
};

static bool possible(const struct settings *set)
{
	return oauth_configured(set);
}

static bool is_xoauth2(const struct mech_exchange *x)
{
	return x->mech->id == SASL_XOAUTH2;
}

/* RFC 7628 3.2.3: the error is a challenge; the client's empty answer to it ends the exchange. */
static enum mech_step refuse(struct bearer *b, bool scope, const char *why)
{
	struct mech_exchange *x = b->x;
	const char *status = is_xoauth2(x) ? (scope ? "403" : "401")
			     : scope	   ? "insufficient_scope"
					   : "invalid_token";

	LOG(L_INFO, "token refused", L_S("session", x->facts->session),
	    L_S("user", b->message.user), L_C("error", why));
	oauth_message_error(&x->challenge, is_xoauth2(x), status, x->set->oauth_scope,
			    x->set->oauth_openid_configuration);
	/* One who shows the same bad token again and again guesses once. */
	secret_set(&x->password, b->message.token);
	if (!x->authcid.n)
		x->authcid = b->message.user;
	x->result = AUTH_MISMATCH;
	x->told = b->refused = true;
	return MECH_CHALLENGE;
}

/* "joe" is joe@DEFDOMAIN on either side. */
static struct str full_name(struct mech_exchange *x, struct str user)
{
	if (!user.n || str_find(user, '@') != user.n)
		return user;
	return str_c(arena_printf(&x->arena, "%.*s%s", STR_ARG(user), x->set->defdomain));
}

static struct str lower_name(struct mech_exchange *x, struct str user)
{
	struct str copy = arena_str(&x->arena, user);
	char *p = arena_cstr(&x->arena, user);

	for (size_t i = 0; i < user.n; i++)
		if (p[i] >= 'A' && p[i] <= 'Z')
			p[i] = (char)(p[i] + ('a' - 'A'));
	return x->set->oauth_username_lower ? str_mem(p, user.n) : copy;
}

static enum mech_step answer(struct bearer *b)
{
	struct mech_exchange *x = b->x;
	struct str wanted;

	switch (b->waiter.verdict) {
	case OAUTH_INVALID:
	case OAUTH_SCOPE:
		return refuse(b, b->waiter.verdict == OAUTH_SCOPE, b->waiter.why);
	case OAUTH_UNAVAILABLE:
		LOG(L_WARN, "token not checked", L_S("session", x->facts->session),
		    L_S("user", b->message.user), L_C("error", b->waiter.why));
		x->authcid = b->message.user;
		x->result = AUTH_TEMPFAIL;
		return MECH_REFUSED;
	case OAUTH_VALID:
		break;
	}
	x->authcid = full_name(x, arena_str(&x->arena, b->waiter.user));
	wanted = full_name(x, lower_name(x, b->message.user));
	/* Whom the client names is whom it wants to act for: another than the token's is for exchange.c to
	 * allow or not. */
	if (wanted.n && !str_eq(wanted, x->authcid))
		x->authzid = full_name(x, b->message.user);
	x->kind = CHECK_TRUSTED;
	return MECH_CHECK;
}

static void token_checked(struct oauth_waiter *w)
{
	struct bearer *b = container_of(w, struct bearer, waiter);

	exchange_go_on(b->x->exchange, answer(b));
}

static enum mech_step look(struct bearer *b)
{
	return oauth_check(b->x->authd->oauth, b->message.token, &b->waiter) ? answer(b)
									     : MECH_WAIT;
}

static void waited(void *ctx)
{
	struct bearer *b = ctx;

	exchange_go_on(b->x->exchange, look(b));
}

static enum mech_step first(struct bearer *b, struct str message)
{
	struct mech_exchange *x = b->x;
	struct str kept = arena_str(&x->arena, message), user;

	if (!(is_xoauth2(x) ? oauth_message_xoauth2 : oauth_message_bearer)(&b->message, &x->arena,
									    kept))
		return MECH_MALFORMED;
	b->waiter.done = token_checked;
	/* Who shows bad tokens doesn't make us ask about all of them at once. */
	user = full_name(x, lower_name(x, b->message.user));
	return exchange_wait(x->exchange, user, waited, b) ? MECH_WAIT : look(b);
}

static enum mech_step step(struct mech_exchange *x, struct str message)
{
	struct bearer *b = x->state;

	if (b->refused)
		return MECH_REFUSED; /* whatever it says: ^A by the RFC, nothing with XOAUTH2 */
	return b->message.token.p ? MECH_MALFORMED : first(b, message);
}

static enum mech_step begin(struct mech_exchange *x, struct str initial, bool has_initial)
{
	struct bearer *b = arena_new(&x->arena, struct bearer);

	x->state = b;
	b->x = x;
	list_init(&b->waiter.link);
	return has_initial ? step(x, initial) : MECH_CHALLENGE;
}

static void end(struct mech_exchange *x)
{
	struct bearer *b = x->state;

	if (!b)
		return;
	oauth_leave(&b->waiter);
	/* The arena is not wiped when it goes. */
	if (b->message.token.p)
		secret_zero((char *)(uintptr_t)b->message.token.p, b->message.token.n);
}

#define BEARER(name, sasl)                                                                         \
	const struct mech name = {.id = sasl,                                                      \
				  .kinds = CHECK_BIT(CHECK_TRUSTED),                               \
				  .possible = possible,                                            \
				  .begin = begin,                                                  \
				  .step = step,                                                    \
				  .end = end}
BEARER(mech_oauthbearer, SASL_OAUTHBEARER);
BEARER(mech_xoauth2, SASL_XOAUTH2);
