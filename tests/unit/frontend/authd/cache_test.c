/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/ensure.h"
#include "common/io/loop.h"
#include "frontend/authd/cache.h"

static struct settings set;
static struct loop *loop;

static struct settings usual(void)
{
	return (struct settings){.auth_cache_key = "%u %s %t",
				 .auth_cache_size = 8,
				 .auth_cache_ttl = 100,
				 .auth_cache_negative_ttl = 100,
				 .auth_cache_stale = 100};
}

static struct check make(enum check_kind kind, const char *user, const char *password)
{
	struct check c = {.kind = kind,
			  .user = str_c(user),
			  .facts = {.protocol = STR("imap")},
			  .record = {.user = str_c(user), .uid = 7, .home = STR("/h")}};

	secret_set(&c.password, str_c(password));
	return c;
}

static enum cache_found ask(struct cache *cache, struct check c, enum auth_result *r)
{
	const struct cache_entry *e;
	struct cache_key key;
	enum cache_found found;

	assert_true(cache_key_make(cache, &c, &key));
	found = cache_find(cache, &key, &e);
	if (found != CACHE_NONE)
		*r = e->result;
	secret_wipe(&c.password);
	return found;
}

static void keep(struct cache *cache, struct check c, enum auth_result r)
{
	struct cache_key key;

	assert_true(cache_key_make(cache, &c, &key));
	cache_keep(cache, &key, &c, r);
	secret_wipe(&c.password);
}

/* B15: every value that may change the answer has its part in the key. */
static void test_keys(void **state)
{
	struct cache *c;
	struct check tls = make(CHECK_PASSWORD, "bob", "pw"), pop = tls, moved = tls;
	enum auth_result r;

	set = usual();
	c = cache_new(loop, &set);
	keep(c, make(CHECK_PASSWORD, "bob", "pw"), AUTH_OK);
	assert_int_equal(ask(c, make(CHECK_PASSWORD, "bob", "pw"), &r), CACHE_FRESH);
	assert_int_equal(ask(c, make(CHECK_PASSWORD, "bob", "pW"), &r), CACHE_NONE);
	assert_int_equal(ask(c, make(CHECK_PASSWORD, "bob", ""), &r), CACHE_NONE);
	assert_int_equal(ask(c, make(CHECK_PASSWORD, "bobp", "w"), &r), CACHE_NONE);
	assert_int_equal(ask(c, make(CHECK_TRUSTED, "bob", "pw"), &r), CACHE_NONE);
	secret_wipe(&tls.password);
	tls = make(CHECK_PASSWORD, "bob", "pw");
	tls.facts.tls = true;
	assert_int_equal(ask(c, tls, &r), CACHE_NONE);
	pop = make(CHECK_PASSWORD, "bob", "pw");
	pop.facts.protocol = STR("pop3");
	assert_int_equal(ask(c, pop, &r), CACHE_NONE);
	moved = make(CHECK_PASSWORD, "bob", "pw");
	moved.facts.rip = STR("192.0.2.9"); /* not in AUTH_CACHE_KEY */
	assert_int_equal(ask(c, moved, &r), CACHE_FRESH);
	cache_free(&c);
	set.auth_cache_key = "%u%r";
	c = cache_new(loop, &set);
	keep(c, make(CHECK_PASSWORD, "bob", "pw"), AUTH_OK);
	moved = make(CHECK_PASSWORD, "bob", "pw");
	moved.facts.rip = STR("192.0.2.9");
	assert_int_equal(ask(c, moved, &r), CACHE_NONE);
	cache_free(&c);
}

static void test_what_is_kept(void **state)
{
	static const struct {
		enum auth_result r;
		enum cache_found found;
	} rows[] = {
		{AUTH_OK, CACHE_FRESH},	       {AUTH_MISMATCH, CACHE_FRESH},
		{AUTH_UNKNOWN, CACHE_FRESH},   {AUTH_DISABLED, CACHE_FRESH},
		{AUTH_EXPIRED, CACHE_FRESH},   {AUTH_TEMPFAIL, CACHE_NONE},
		{AUTH_IMPOSSIBLE, CACHE_NONE},
	};
	struct cache *c;
	enum auth_result r;

	set = usual();
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		c = cache_new(loop, &set);
		keep(c, make(CHECK_PASSWORD, "u", "p"), rows[i].r);
		assert_int_equal(ask(c, make(CHECK_PASSWORD, "u", "p"), &r), rows[i].found);
		if (rows[i].found != CACHE_NONE)
			assert_int_equal(r, rows[i].r);
		cache_free(&c);
	}
	set.auth_cache_ttl = 0;
	set.auth_cache_negative_ttl = 0;
	c = cache_new(loop, &set);
	keep(c, make(CHECK_PASSWORD, "u", "p"), AUTH_OK);
	assert_int_equal(ask(c, make(CHECK_PASSWORD, "u", "p"), &r), CACHE_STALE);
	keep(c, make(CHECK_PASSWORD, "u", "q"), AUTH_MISMATCH);
	assert_int_equal(ask(c, make(CHECK_PASSWORD, "u", "q"), &r), CACHE_NONE);
	cache_free(&c);
}

/* A refusal ends the OK of the same password; no answer at all leaves it. */
static void test_refusal_replaces(void **state)
{
	struct cache *c;
	enum auth_result r;

	set = usual();
	c = cache_new(loop, &set);
	keep(c, make(CHECK_PASSWORD, "u", "p"), AUTH_OK);
	keep(c, make(CHECK_PASSWORD, "u", "p"), AUTH_TEMPFAIL);
	assert_int_equal(ask(c, make(CHECK_PASSWORD, "u", "p"), &r), CACHE_FRESH);
	keep(c, make(CHECK_PASSWORD, "u", "other"), AUTH_MISMATCH);
	assert_int_equal(ask(c, make(CHECK_PASSWORD, "u", "p"), &r), CACHE_FRESH);
	assert_int_equal(r, AUTH_OK);
	keep(c, make(CHECK_PASSWORD, "u", "p"), AUTH_MISMATCH);
	assert_int_equal(ask(c, make(CHECK_PASSWORD, "u", "p"), &r), CACHE_FRESH);
	assert_int_equal(r, AUTH_MISMATCH);
	cache_free(&c);
}

static void test_bounds(void **state)
{
	struct cache *c;
	enum auth_result r;
	char name[16];

	set = usual();
	c = cache_new(loop, &set);
	keep(c, make(CHECK_PASSWORD, "good", "p"), AUTH_OK);
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "w%d", i);
		keep(c, make(CHECK_PASSWORD, "good", name), AUTH_MISMATCH);
	}
	assert_int_equal(cache_count(c), 3); /* a quarter of 8, and the good one */
	assert_int_equal(ask(c, make(CHECK_PASSWORD, "good", "p"), &r), CACHE_FRESH);
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "u%d", i);
		keep(c, make(CHECK_PASSWORD, name, "p"), AUTH_OK);
	}
	assert_int_equal(cache_count(c), 10);
	assert_int_equal(ask(c, make(CHECK_PASSWORD, "u99", "p"), &r), CACHE_FRESH);
	assert_int_equal(ask(c, make(CHECK_PASSWORD, "u0", "p"), &r), CACHE_NONE);
	cache_free(&c);
	set.auth_cache_size = 0;
	c = cache_new(loop, &set);
	keep(c, make(CHECK_PASSWORD, "u", "p"), AUTH_OK);
	assert_int_equal(cache_count(c), 0);
	cache_free(&c);
}

static void test_forget(void **state)
{
	struct check alias = make(CHECK_PASSWORD, "ali", "p");
	struct cache *c;
	enum auth_result r;

	set = usual();
	c = cache_new(loop, &set);
	alias.record.user = STR("alice");
	keep(c, alias, AUTH_OK);
	keep(c, make(CHECK_PASSWORD, "alice", "p"), AUTH_OK);
	keep(c, make(CHECK_TRUSTED, "alice", ""), AUTH_OK);
	keep(c, make(CHECK_PASSWORD, "bob", "p"), AUTH_OK);
	cache_forget(c, STR("alice")); /* under its other name, too */
	assert_int_equal(cache_count(c), 1);
	assert_int_equal(ask(c, make(CHECK_PASSWORD, "ali", "p"), &r), CACHE_NONE);
	assert_int_equal(ask(c, make(CHECK_PASSWORD, "bob", "p"), &r), CACHE_FRESH);
	cache_forget(c, STR("nobody"));
	cache_forget(c, STR_NONE);
	assert_int_equal(cache_count(c), 0);
	cache_free(&c);
}

static int setup(void **state)
{
	loop = loop_new();
	return 0;
}

static int teardown(void **state)
{
	loop_free(&loop);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_what_is_kept),
		cmocka_unit_test(test_refusal_replaces),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_forget),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
