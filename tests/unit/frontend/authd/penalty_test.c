/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/ensure.h"
#include "common/io/loop.h"
#include "frontend/authd/penalty.h"

#define HOME STR("192.0.2.1")
#define AWAY STR("198.51.100.7")

static const struct settings set = {.login_failure_delay = 100,
				    .login_penalty_free = 3,
				    .login_penalty_max = 1000,
				    .login_penalty_window = 600,
				    .login_penalty_kept = 100,
				    .login_penalty_net4 = 24,
				    .login_penalty_net6 = 64};
static struct loop *loop;

static void guess(struct penalty *p, struct str user, struct str rip, unsigned n)
{
	char wrong[32];

	for (unsigned i = 0; i < n; i++) {
		snprintf(wrong, sizeof(wrong), "guess %u", i);
		penalty_failed(p, user, rip, str_c(wrong));
	}
}

static void test_growing(void **state)
{
	struct penalty *p = penalty_new(loop, &set);
	static const unsigned want[] = {0, 0, 0, 0, 100, 200, 400, 800, 1000, 1000};

	for (unsigned n = 0; n < ARRAY_LEN(want); n++) {
		assert_int_equal(penalty_wait(p, STR("bob"), HOME), want[n]);
		penalty_failed(p, STR("bob"), HOME, STR_NONE);
	}
	penalty_forgive(p, STR("bob"));
	assert_int_equal(penalty_wait(p, STR("bob"), AWAY), 0);
	penalty_free(&p);
}

static void test_same_wrong_password(void **state)
{
	struct penalty *p = penalty_new(loop, &set);

	for (int i = 0; i < 100; i++)
		assert_int_equal(penalty_failed(p, STR("bob"), HOME, STR("old password")), i == 0);
	assert_int_equal(penalty_wait(p, STR("bob"), HOME), 0);
	assert_true(penalty_failed(p, STR("eve"), HOME, STR("old password"))); /* another account */
	penalty_free(&p);
}

/* The owner, and others behind the same address, don't wait for what a guesser did. */
static void test_friends(void **state)
{
	struct penalty *p = penalty_new(loop, &set);

	penalty_succeeded(p, STR("bob"), HOME);
	guess(p, STR("bob"), AWAY, 50);
	assert_int_equal(penalty_wait(p, STR("bob"), AWAY), 1000);
	assert_int_equal(penalty_wait(p, STR("bob"), HOME), 0);
	assert_int_equal(penalty_wait(p, STR("carol"), AWAY), 1000); /* the network is suspect */
	penalty_succeeded(p, STR("carol"), AWAY);
	assert_int_equal(penalty_wait(p, STR("carol"), AWAY), 0);
	assert_int_equal(penalty_wait(p, STR("dave"), STR("203.0.113.1")), 0);
	penalty_free(&p);
}

static void test_networks(void **state)
{
	static const struct {
		const char *ip, *net;
	} rows[] = {
		{"192.0.2.77", "192.0.2.0/24"},
		{"2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"},
		{"::1", "::/64"},
		{"unix", "unix"},
		{"", ""},
	};
	struct settings odd = set;
	struct penalty *p = penalty_new(loop, &set);
	char net[64];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		penalty_network(&set, str_c(rows[i].ip), net);
		assert_string_equal(net, rows[i].net);
	}
	odd.login_penalty_net4 = 19;
	odd.login_penalty_net6 = 57;
	penalty_network(&odd, STR("10.1.63.9"), net);
	assert_string_equal(net, "10.1.32.0/19");
	penalty_network(&odd, STR("2001:db8:0:ffff::1"), net);
	assert_string_equal(net, "2001:db8:0:ff80::/57");
	guess(p, STR("a"), STR("192.0.2.1"), 20);
	assert_int_equal(penalty_wait(p, STR("b"), STR("192.0.2.200")), 1000);
	penalty_free(&p);
}

static void test_others_counts(void **state)
{
	struct penalty *p = penalty_new(loop, &set);

	penalty_merge(p, true, STR("bob"), 4);
	penalty_merge(p, true, STR("bob"), 2); /* never less */
	penalty_merge(p, false, STR("192.0.2.0/24"), 5);
	assert_int_equal(penalty_wait(p, STR("bob"), AWAY), 100);
	assert_int_equal(penalty_wait(p, STR("eve"), HOME), 200);
	penalty_free(&p);
}

static void test_bounds(void **state)
{
	struct penalty *p = penalty_new(loop, &set);
	char name[32];

	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "user%d", i);
		penalty_failed(p, str_c(name), HOME, STR_NONE);
	}
	guess(p, STR("last"), AWAY, 20);
	assert_int_equal(penalty_wait(p, STR("last"), STR("203.0.113.9")), 1000);
	penalty_free(&p);
}

static void test_exempt(void **state)
{
	struct settings lenient = set;
	struct penalty *p;

	lenient.limit_exempt = "10.0.0.0/8 192.0.2.1";
	p = penalty_new(loop, &lenient);
	guess(p, STR("bob"), HOME, 50);
	assert_int_equal(penalty_wait(p, STR("bob"), AWAY), 0);
	guess(p, STR("bob"), AWAY, 50);
	assert_int_equal(penalty_wait(p, STR("bob"), STR("10.255.0.1")), 0);
	assert_int_equal(penalty_wait(p, STR("bob"), STR("11.0.0.1")), 1000);
	penalty_free(&p);
}

static void stop(void *ctx)
{
	loop_stop(loop);
}

static void test_forgotten_in_time(void **state)
{
	struct settings quick = set;
	struct penalty *p;
	struct loop_timer *t = loop_timer_new(loop, stop, NULL);

	quick.login_penalty_window = 1;
	p = penalty_new(loop, &quick);
	guess(p, STR("bob"), HOME, 20);
	assert_int_equal(penalty_wait(p, STR("bob"), HOME), 1000);
	loop_timer_set(t, 1100);
	loop_run(loop);
	assert_int_equal(penalty_wait(p, STR("bob"), HOME), 0);
	loop_timer_free(&t);
	penalty_free(&p);
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

/* A name is whatever a stranger sends; one that is pushed out leaves nothing behind. */
static void test_names_with_nul(void **state)
{
	struct penalty *p = penalty_new(loop, &set);
	char name[] = "a\0aa";

	for (unsigned round = 0; round < 2; round++)
		for (unsigned i = 0; i < 2 * set.login_penalty_kept; i++) {
			name[2] = (char)('a' + i % 16);
			name[3] = (char)('a' + i / 16);
			penalty_failed(p, str_mem(name, 4), HOME, STR_NONE);
		}
	penalty_free(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_growing),
		cmocka_unit_test(test_same_wrong_password),
		cmocka_unit_test(test_friends),
		cmocka_unit_test(test_networks),
		cmocka_unit_test(test_others_counts),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_names_with_nul),
		cmocka_unit_test(test_exempt),
		cmocka_unit_test(test_forgotten_in_time),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
