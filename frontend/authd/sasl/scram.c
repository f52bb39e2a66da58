/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SCRAM-SHA-1 and SCRAM-SHA-256 (RFC 5802, RFC 7677), and their -PLUS forms with the channel bindings
 * tls-exporter (RFC 9266) and tls-server-end-point (RFC 5929).
 */
#include "common/base/base64.h"
#include "common/base/log.h"
#include "common/base/rand.h"
#include "common/config/listener.h"
#include "common/io/jobs.h"
#include "frontend/authd/authd.h"
#include "frontend/authd/exchange.h"
#include "frontend/authd/sasl/mechs.h"
#include "frontend/authd/sasl/scram_account.h"
#include "frontend/authd/sasl/scram_message.h"

struct scram {
	struct mech_exchange *x; /* NULL: it is over; freed when the job has come back */
	enum { FIRST, FINAL, LAST } expected;
	struct scram_first first;
	struct str
		binding; /* the data that the client must have seen too; empty where none was asked for */
	struct str server_first, nonce;
	struct scram_account account;
	enum auth_result refusal; /* AUTH_OK where somebody can prove something */

	struct job job;
	bool running;
	struct buf auth_message, proof; /* the job's */
	bool proven;
};

static bool is_plus(const struct mech_exchange *x)
{
	return (SASL_BIT(x->mech->id) & SASL_BITS_PLUS) != 0;
}

static enum scram_hash hash_of(const struct mech_exchange *x)
{
	return x->mech->id == SASL_SCRAM_SHA_1 || x->mech->id == SASL_SCRAM_SHA_1_PLUS
		       ? SCRAM_SHA_1
		       : SCRAM_SHA_256;
}

static enum mech_step refuse(struct mech_exchange *x, enum auth_result r, const char *text)
{
	x->result = r;
	x->text = str_c(text);
	return MECH_REFUSED;
}

/* ---- channel binding ----------------------------------------------------------------------------- */

static bool names(struct str list, unsigned mechanism)
{
	struct str unknown;

	return list.n == 0 || (sasl_list(list, &unknown) & mechanism);
}

/* Was the -PLUS form of this mechanism named in CAPABILITY on this connection? */
static bool plus_was_offered(const struct mech_exchange *x)
{
	unsigned plus = SASL_BIT(hash_of(x) == SCRAM_SHA_1 ? SASL_SCRAM_SHA_1_PLUS
							   : SASL_SCRAM_SHA_256_PLUS);
	struct str starttls = listener_capability(x->set, LISTENER_STARTTLS);
	struct str ssl = listener_capability(x->set, LISTENER_SSL);

	return (x->authd->mechanisms & plus) && x->facts->tls &&
	       (x->peer->cb_exporter.n || x->peer->cb_endpoint.n) && names(starttls, plus) &&
	       names(ssl, plus);
}

static bool take_binding(struct mech_exchange *x, struct scram *s)
{
	struct str name = s->first.binding_name;

	if (str_eq(name, STR("tls-exporter")))
		s->binding = x->peer->cb_exporter;
	else if (str_eq(name, STR("tls-server-end-point")))
		s->binding = x->peer->cb_endpoint;
	return s->binding.n > 0;
}

/* RFC 5802 6. NULL: fine; else what to tell the client. */
static const char *binding_fault(struct mech_exchange *x, struct scram *s)
{
	if (is_plus(x)) {
		if (s->first.binding != 'p')
			return "This mechanism needs a channel binding.";
		return take_binding(x, s) ? NULL : "This channel binding is not supported here.";
	}
	if (s->first.binding == 'p')
		return "This mechanism has no channel binding.";
	/* The client could bind, and didn't see that we can: somebody has changed what we said. */
	if (s->first.binding == 'y' && plus_was_offered(x))
		return "Channel binding is supported here.";
	return NULL;
}

/* c= has the GS2 header and the binding data, one behind the other. */
static bool binding_matches(const struct scram *s, struct str cbind)
{
	struct str header = s->first.gs2;

	return cbind.n == header.n + s->binding.n && str_starts(cbind, header) &&
	       secret_equal(str_from(cbind, header.n), s->binding);
}

/* ---- first messages --------------------------------------------------------------------------------- */

static enum mech_step client_first(struct mech_exchange *x, struct str message)
{
	struct scram *s = x->state;
	const char *fault;

	if (!scram_first_parse(&s->first, &x->arena, arena_str(&x->arena, message)))
		return MECH_MALFORMED;
	x->authcid = s->first.user;
	x->authzid = s->first.authzid;
	fault = binding_fault(x, s);
	if (fault) {
		LOG(L_WARN, "channel binding refused", L_S("session", x->facts->session),
		    L_C("mechanism", sasl_name(x->mech->id)), L_S("flag", s->first.gs2),
		    L_C("error", fault));
		return refuse(x, AUTH_IMPOSSIBLE, fault);
	}
	x->kind = CHECK_SCRAM;
	return MECH_CHECK;
}

/* What salts of nobodies are made of: the same on all hosts with AUTH_SECRET, else on this one for as
 * long as its run directory lives. */
static bool get_secret(struct mech_exchange *x, uint8_t out[32])
{
	struct str label = STR("posthouse SCRAM salts");

	if (x->set->auth_secret[0]) {
		scram_hmac(SCRAM_SHA_256, str_c(x->set->auth_secret), label, out);
		return true;
	}
	return signer_derive(&x->authd->signer, label, out);
}

static void server_first(struct mech_exchange *x, struct scram *s)
{
	struct buf nonce = BUF_INIT, m = BUF_INIT;
	uint8_t bytes[18];

	rand_bytes(bytes, sizeof bytes);
	base64_encode(&nonce, str_mem(bytes, sizeof bytes));
	scram_server_first(&m, s->first.nonce, buf_str(&nonce),
			   str_mem(s->account.offer.salt, s->account.offer.salt_n),
			   s->account.offer.iterations);
	s->server_first = arena_str(&x->arena, buf_str(&m));
	s->nonce = str_sub(s->server_first, 2, s->first.nonce.n + nonce.n);
	buf_str_put(&x->challenge, s->server_first);
	buf_deinit(&nonce);
	buf_deinit(&m);
}

static enum mech_step checked(struct mech_exchange *x, enum auth_result r, const struct check *c)
{
	struct scram *s = x->state;
	uint8_t secret[32];

	if (r == AUTH_TEMPFAIL)
		return refuse(x, r, "");
	if (!get_secret(x, secret))
		return refuse(x, AUTH_TEMPFAIL, "");
	s->account.offer = (struct scram_keys){.hash = hash_of(x),
					       .iterations = (uint32_t)x->set->scram_iterations};
	scram_account_salt(&s->account.offer, secret, c->user.n ? c->user : x->authcid);
	secret_zero(secret, sizeof secret);
	s->refusal = r;
	if (!scram_account_choose(&s->account, r == AUTH_OK ? c : NULL) && r == AUTH_OK)
		s->refusal = AUTH_IMPOSSIBLE;
	server_first(x, s);
	s->expected = FINAL;
	return MECH_CHALLENGE;
}

/* ---- final messages --------------------------------------------------------------------------------- */

static void compute(struct scram *s)
{
	s->proven = scram_account_prove(&s->account, buf_str(&s->auth_message), buf_str(&s->proof));
}

static enum mech_step server_final(struct mech_exchange *x, struct scram *s)
{
	uint8_t signature[SCRAM_KEY_MAX];
	const struct scram_keys *k = &s->account.offer;
	size_t n = scram_size(k->hash);

	if (s->refusal != AUTH_OK || !s->proven)
		return refuse(x, s->refusal != AUTH_OK ? s->refusal : AUTH_MISMATCH, "");
	scram_hmac(k->hash, str_mem(k->server, n), buf_str(&s->auth_message), signature);
	scram_server_final(&x->challenge, str_mem(signature, n));
	s->expected = LAST;
	return MECH_CHALLENGE;
}

static void scram_free(struct scram *s)
{
	scram_account_wipe(&s->account);
	buf_wipe(&s->auth_message);
	buf_wipe(&s->proof);
	free(s);
}

static void job_run(struct job *j)
{
	compute(container_of(j, struct scram, job));
}

static void job_done(struct job *j)
{
	struct scram *s = container_of(j, struct scram, job);

	s->running = false;
	if (s->x)
		exchange_go_on(s->x->exchange, server_final(s->x, s));
	else
		scram_free(s);
}

static enum mech_step client_final(struct mech_exchange *x, struct str message)
{
	struct scram *s = x->state;
	struct scram_final f;

	if (!scram_final_parse(&f, &x->arena, message))
		return MECH_MALFORMED;
	if (!secret_equal(f.nonce, s->nonce))
		return refuse(x, AUTH_MISMATCH, "");
	if (!binding_matches(s, f.cbind)) {
		LOG(L_WARN, "channel binding differs", L_S("session", x->facts->session),
		    L_S("binding", s->first.binding_name));
		return refuse(x, AUTH_IMPOSSIBLE, "The channel bindings differ.");
	}
	buf_str_put(&s->auth_message, s->first.bare);
	buf_putc(&s->auth_message, ',');
	buf_str_put(&s->auth_message, s->server_first);
	buf_putc(&s->auth_message, ',');
	buf_str_put(&s->auth_message, f.unproven);
	buf_str_put(&s->proof, f.proof);
	if (!s->account.slow) {
		compute(s);
		return server_final(x, s);
	}
	s->job = (struct job){.run = job_run, .done = job_done};
	s->running = true;
	jobs_submit(x->authd->jobs, &s->job);
	return MECH_WAIT;
}

static enum mech_step step(struct mech_exchange *x, struct str message)
{
	struct scram *s = x->state;

	switch (s->expected) {
	case FIRST:
		return client_first(x, message);
	case FINAL:
		return client_final(x, message);
	case LAST:
		return message.n == 0 ? MECH_DONE : MECH_MALFORMED;
	}
	return MECH_MALFORMED;
}

static enum mech_step begin(struct mech_exchange *x, struct str initial, bool has_initial)
{
	struct scram *s = xcalloc(1, sizeof *s);

	x->state = s;
	s->x = x;
	s->binding = STR("");
	return has_initial ? step(x, initial) : MECH_CHALLENGE;
}

static void end(struct mech_exchange *x)
{
	struct scram *s = x->state;

	if (s && s->running)
		s->x = NULL;
	else if (s)
		scram_free(s);
	x->state = NULL;
}

#define SCRAM(name, sasl)                                                                          \
	const struct mech name = {.id = sasl,                                                      \
				  .kinds = CHECK_BIT(CHECK_SCRAM),                                 \
				  .begin = begin,                                                  \
				  .step = step,                                                    \
				  .checked = checked,                                              \
				  .end = end}
SCRAM(mech_scram_sha_1, SASL_SCRAM_SHA_1);
SCRAM(mech_scram_sha_1_plus, SASL_SCRAM_SHA_1_PLUS);
SCRAM(mech_scram_sha_256, SASL_SCRAM_SHA_256);
SCRAM(mech_scram_sha_256_plus, SASL_SCRAM_SHA_256_PLUS);
