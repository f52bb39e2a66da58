/* SPDX-License-Identifier: Apache-2.0 */
/* The chain over providers that answer when the test says so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/ensure.h"
#include "common/io/jobs.h"
#include "frontend/authd/authd.h"
#include "frontend/authd/chain.h"

struct fake {
	struct provider provider;
	bool at_once;
	enum auth_result result;
	const char *hash; /* a credential, or NULL: verified */
	unsigned asked, cancelled;
	struct check *check; /* that waits for the test */
};
struct asker {
	struct chain_waiter waiter;
	unsigned answers;
	enum auth_result result;
	char home[64], by[32], text[32];
	size_t credentials;
	struct asker *leaves; /* when this one is told */
};

static struct settings set;
static struct authd ad;
static struct fake a, b;

static void fill(struct fake *f, struct check *c)
{
	c->record = (struct user_record){.user = c->user, .uid = 9, .home = STR("/fake")};
	c->text = str_c(f->provider.name);
	if (f->hash)
		check_credential(c, str_c(f->hash), STR("imap"));
	else
		c->verified = true;
}

static void start(struct provider *p, struct check *c)
{
	struct fake *f = container_of(p, struct fake, provider);

	f->asked++;
	if (!f->at_once) {
		f->check = c;
		return;
	}
	fill(f, c);
	check_done(c, f->result);
}

static void finish(struct fake *f, enum auth_result r)
{
	struct check *c = f->check;

	f->check = NULL;
	fill(f, c);
	check_done(c, r);
}

static void cancel(struct provider *p, struct check *c)
{
	struct fake *f = container_of(p, struct fake, provider);

	f->cancelled++;
	f->check = NULL;
	check_done(c, AUTH_TEMPFAIL);
}

static void no_free(struct provider *p)
{
}

static void told(struct chain_waiter *w, enum auth_result r, const struct check *c)
{
	struct asker *k = container_of(w, struct asker, waiter);

	k->answers++;
	k->result = r;
	k->credentials = c->credentials.n;
	snprintf(k->home, sizeof(k->home), "%.*s", STR_ARG(c->record.home));
	snprintf(k->by, sizeof(k->by), "%.*s", STR_ARG(c->by));
	snprintf(k->text, sizeof(k->text), "%.*s", STR_ARG(c->text));
	if (k->leaves)
		chain_leave(&k->leaves->waiter);
	if (!chain_pending(ad.chain))
		loop_stop(ad.loop);
}

static void ask_kind(struct asker *k, enum check_kind kind, const char *user, const char *password)
{
	static const struct session_facts facts = {.protocol = STR("imap")};
	static const struct auth_peer peer;
	struct chain_query q = {.kind = kind,
				.user = str_c(user),
				.mechanism = STR("PLAIN"),
				.password = str_c(password),
				.facts = &facts,
				.peer = &peer};

	k->waiter.done = told;
	chain_ask(ad.chain, &q, &k->waiter);
}

static void ask(struct asker *k, const char *user, const char *password)
{
	ask_kind(k, CHECK_PASSWORD, user, password);
}

static void begin(bool at_once)
{
	const unsigned all = CHECK_BIT(CHECK_KIND_N) - 1;

	set = (struct settings){.auth_cache_key = "%u %s",
				.auth_cache_size = 100,
				.auth_cache_ttl = 100,
				.auth_cache_negative_ttl = 100,
				.auth_cache_stale = 100};
	a = (struct fake){.provider = {"a", all, start, cancel, no_free}, .at_once = at_once};
	b = (struct fake){.provider = {"b", all, start, cancel, no_free}, .at_once = at_once};
	ad.set = &set;
	ad.chain = chain_new(&ad);
	chain_add(ad.chain, &a.provider);
	chain_add(ad.chain, &b.provider);
}

static void end(void)
{
	assert_int_equal(chain_pending(ad.chain), 0);
	chain_free(&ad.chain);
}

static void test_order(void **state)
{
	static const struct {
		enum auth_result a, b, both;
		bool asks_b;
	} rows[] = {
		{AUTH_OK, AUTH_OK, AUTH_OK, false},
		{AUTH_DISABLED, AUTH_OK, AUTH_DISABLED, false},
		{AUTH_EXPIRED, AUTH_OK, AUTH_EXPIRED, false},
		{AUTH_UNKNOWN, AUTH_OK, AUTH_OK, true},
		{AUTH_MISMATCH, AUTH_OK, AUTH_OK, true},
		{AUTH_NEXT, AUTH_MISMATCH, AUTH_MISMATCH, true},
		{AUTH_TEMPFAIL, AUTH_OK, AUTH_OK, true},
		{AUTH_TEMPFAIL, AUTH_MISMATCH, AUTH_TEMPFAIL, true},
		{AUTH_TEMPFAIL, AUTH_UNKNOWN, AUTH_TEMPFAIL, true},
		{AUTH_MISMATCH, AUTH_TEMPFAIL, AUTH_TEMPFAIL, true},
		{AUTH_MISMATCH, AUTH_UNKNOWN, AUTH_MISMATCH, true},
		{AUTH_IMPOSSIBLE, AUTH_UNKNOWN, AUTH_IMPOSSIBLE, true},
		{AUTH_NEXT, AUTH_NEXT, AUTH_UNKNOWN, true},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct asker k = {.answers = 0};

		begin(true);
		a.result = rows[i].a;
		b.result = rows[i].b;
		ask(&k, "bob", "pw");
		assert_int_equal(k.answers, 1);
		assert_int_equal(k.result, rows[i].both);
		assert_int_equal(b.asked, rows[i].asks_b);
		end();
	}
}

static void test_words_belong_to_the_answer(void **state)
{
	struct asker k = {.answers = 0}, n = {.answers = 0};

	begin(true);
	a.result = AUTH_MISMATCH;
	b.result = AUTH_UNKNOWN;
	ask(&k, "bob", "pw");
	assert_string_equal(k.text, "");
	a.result = AUTH_UNKNOWN;
	b.result = AUTH_MISMATCH;
	ask(&n, "bob", "pw2");
	assert_string_equal(n.text, "b");
	end();
}

static void test_one_check_for_all(void **state)
{
	struct asker k[100] = {{.answers = 0}}, other = {.answers = 0};

	begin(false);
	for (size_t i = 0; i < ARRAY_LEN(k); i++)
		ask(&k[i], "bob", "pw");
	assert_int_equal(a.asked, 1);
	finish(&a, AUTH_OK);
	for (size_t i = 0; i < ARRAY_LEN(k); i++) {
		assert_int_equal(k[i].answers, 1);
		assert_int_equal(k[i].result, AUTH_OK);
	}
	ask(&other, "bob", "another password");
	assert_int_equal(a.asked, 2);
	finish(&a, AUTH_OK);
	end();
}

static void test_leaving(void **state)
{
	struct asker k[3] = {{.answers = 0}};

	begin(false);
	for (size_t i = 0; i < 3; i++)
		ask(&k[i], "bob", "pw");
	chain_leave(&k[1].waiter);
	k[0].leaves = &k[2]; /* within the telling */
	finish(&a, AUTH_OK);
	assert_int_equal(k[0].answers, 1);
	assert_int_equal(k[1].answers, 0);
	assert_int_equal(k[2].answers, 0);
	assert_int_equal(a.cancelled, 0);
	k[0].leaves = NULL;
	ask(&k[0], "eve", "pw");
	chain_leave(&k[0].waiter);
	assert_int_equal(a.cancelled, 1);
	chain_leave(&k[0].waiter);
	end();
}

static void test_cached(void **state)
{
	struct asker k = {.answers = 0};

	begin(true);
	a.result = AUTH_OK;
	for (int i = 0; i < 3; i++)
		ask(&k, "bob", "pw");
	assert_int_equal(k.answers, 3);
	assert_int_equal(a.asked, 1);
	assert_string_equal(k.home, "/fake");
	assert_string_equal(k.by, "a");
	chain_forget(ad.chain, STR("bob"));
	ask(&k, "bob", "pw");
	assert_int_equal(a.asked, 2);
	end();
}

/* N10: who was known gets in while nobody can be asked; who wasn't is not called wrong. */
static void test_stale_if_error(void **state)
{
	struct asker k = {.answers = 0};

	begin(true);
	set.auth_cache_ttl = 0;
	a.result = AUTH_OK;
	ask(&k, "bob", "pw");
	a.result = b.result = AUTH_TEMPFAIL;
	ask(&k, "bob", "pw");
	assert_int_equal(k.result, AUTH_OK);
	assert_int_equal(a.asked, 2);
	ask(&k, "bob", "wrong");
	assert_int_equal(k.result, AUTH_TEMPFAIL);
	ask(&k, "eve", "pw");
	assert_int_equal(k.result, AUTH_TEMPFAIL);
	a.result = AUTH_MISMATCH;
	b.result = AUTH_UNKNOWN;
	ask(&k, "bob", "pw"); /* an explicit no ends it */
	assert_int_equal(k.result, AUTH_MISMATCH);
	a.result = AUTH_TEMPFAIL;
	ask(&k, "bob", "pw");
	assert_int_not_equal(k.result, AUTH_OK);
	end();
}

/* A kept answer is not used against the word of who gave it, whoever else can't be asked. */
static void test_refuted(void **state)
{
	struct asker k = {.answers = 0};

	begin(true);
	set.auth_cache_ttl = 0;
	a.result = AUTH_OK;
	ask(&k, "bob", "pw");
	a.result = AUTH_MISMATCH;
	b.result = AUTH_TEMPFAIL;
	ask(&k, "bob", "pw");
	assert_int_equal(k.result, AUTH_TEMPFAIL);
	a.result = AUTH_TEMPFAIL;
	ask(&k, "bob", "pw"); /* nor later on */
	assert_int_equal(k.result, AUTH_TEMPFAIL);
	a.result = AUTH_UNKNOWN;
	b.result = AUTH_OK;
	ask(&k, "eve", "pw");
	b.result = AUTH_TEMPFAIL;
	ask(&k, "eve", "pw");
	assert_int_equal(k.result, AUTH_OK);
	end();
}

static void test_doubt(void **state)
{
	struct asker k = {.answers = 0};

	begin(true);
	a.result = AUTH_OK;
	ask(&k, "bob", "pw");
	chain_doubt(ad.chain);
	ask(&k, "bob", "pw");
	assert_int_equal(a.asked, 2);
	chain_doubt(ad.chain);
	a.result = b.result = AUTH_TEMPFAIL;
	ask(&k, "bob", "pw");
	assert_int_equal(k.result, AUTH_OK);
	end();
}

static void stop(void *ctx)
{
	loop_stop(ad.loop);
}

static void test_slow_provider(void **state)
{
	struct asker k = {.answers = 0};

	begin(false);
	set.auth_cache_ttl = 0;
	set.auth_cache_stale_wait = 20;
	ask(&k, "bob", "pw");
	finish(&a, AUTH_OK);
	k.answers = 0;
	ask(&k, "bob", "pw");
	assert_int_equal(k.answers, 0);
	while (!k.answers) {
		struct loop_timer *t = loop_timer_new(ad.loop, stop, NULL);

		loop_timer_set(t, 30);
		loop_run(ad.loop);
		loop_timer_free(&t);
	}
	assert_int_equal(k.result, AUTH_OK);
	assert_int_equal(chain_pending(ad.chain), 1); /* it goes on, for the cache */
	finish(&a, AUTH_MISMATCH);
	finish(&b, AUTH_UNKNOWN);
	assert_int_equal(k.answers, 1);
	end();
}

static void test_forgotten_under_way(void **state)
{
	struct asker k = {.answers = 0}, late = {.answers = 0};

	begin(false);
	ask(&k, "ali", "pw"); /* another name of alice */
	chain_forget(ad.chain, STR("alice"));
	struct check *old = a.check;

	ask(&late, "ali", "pw"); /* doesn't join what began before */
	assert_int_equal(a.asked, 2);
	finish(&a, AUTH_MISMATCH);
	finish(&b, AUTH_UNKNOWN);
	assert_int_equal(late.result, AUTH_MISMATCH);
	a.check = old;
	finish(&a, AUTH_OK);
	assert_int_equal(k.result, AUTH_OK); /* the backend knows when it began */
	ask(&late, "ali", "pw");
	assert_int_equal(late.result, AUTH_MISMATCH); /* what came late was not kept */
	end();
}

static void wait_for(struct asker *k)
{
	if (!k->answers)
		loop_run(ad.loop);
}

static void test_credentials(void **state)
{
	static const struct {
		const char *hash;
		enum auth_result says, want;
	} rows[] = {
		{"{PLAIN}pw", AUTH_OK, AUTH_OK},
		{"{PLAIN}other", AUTH_OK, AUTH_MISMATCH},
		{"{NO-SUCH}x", AUTH_OK, AUTH_IMPOSSIBLE},
		{"{PLAIN}pw", AUTH_DISABLED, AUTH_DISABLED},
		{"{PLAIN}other", AUTH_DISABLED,
		 AUTH_MISMATCH}, /* no word of it without the password */
		{"{PLAIN}pw", AUTH_EXPIRED, AUTH_EXPIRED},
		{"{PLAIN}pw", AUTH_UNKNOWN,
		 AUTH_UNKNOWN}, /* the work of a known user, for nothing */
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct asker k = {.answers = 0};

		begin(true);
		a.hash = rows[i].hash;
		a.result = rows[i].says;
		b.result = AUTH_NEXT;
		ask(&k, "bob", "pw");
		wait_for(&k);
		assert_int_equal(k.result, rows[i].want);
		end();
	}
}

/* Who is told that he is shut out has to prove who he is, whether the answer was kept or not. */
static void test_kept_refusals_have_credentials(void **state)
{
	static const enum auth_result refusals[] = {AUTH_DISABLED, AUTH_EXPIRED};

	for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
		begin(true);
		a.hash = "{PLAIN}pw";
		a.result = refusals[i];
		for (unsigned n = 0; n < 2; n++) {
			struct asker k = {.answers = 0};

			ask_kind(&k, CHECK_SCRAM, "bob", "");
			assert_int_equal(k.result, refusals[i]);
			assert_int_equal(k.credentials, 1);
		}
		assert_int_equal(a.asked, 1);
		end();
	}
}

static void test_only_who_can(void **state)
{
	struct asker k = {.answers = 0};

	begin(true);
	a.provider.kinds = CHECK_BIT(CHECK_PASSWORD);
	a.result = b.result = AUTH_OK;
	ask_kind(&k, CHECK_SCRAM, "bob", "");
	assert_int_equal(a.asked, 0);
	assert_int_equal(b.asked, 1);
	b.provider.kinds = 0;
	ask_kind(&k, CHECK_TRUSTED, "bob", "");
	assert_int_equal(k.result, AUTH_UNKNOWN);
	assert_int_equal(chain_kinds(ad.chain), CHECK_BIT(CHECK_PASSWORD));
	end();
}

static int setup(void **state)
{
	ad.loop = loop_new();
	ad.jobs = jobs_new(ad.loop, 1);
	return 0;
}

static int teardown(void **state)
{
	jobs_free(&ad.jobs);
	loop_free(&ad.loop);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_words_belong_to_the_answer),
		cmocka_unit_test(test_one_check_for_all),
		cmocka_unit_test(test_leaving),
		cmocka_unit_test(test_cached),
		cmocka_unit_test(test_stale_if_error),
		cmocka_unit_test(test_slow_provider),
		cmocka_unit_test(test_forgotten_under_way),
		cmocka_unit_test(test_credentials),
		cmocka_unit_test(test_only_who_can),
		cmocka_unit_test(test_kept_refusals_have_credentials),
		cmocka_unit_test(test_refuted),
		cmocka_unit_test(test_doubt),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
