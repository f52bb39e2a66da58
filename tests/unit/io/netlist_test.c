/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "common/base/ensure.h"
#include "common/io/netlist.h"

static void addresses(void **state)
{
	static const char *const good[] = {
		"127.0.0.1", "0.0.0.0", "::", "::1", "2001:db8::1", "::ffff:192.0.2.1"};
	static const char *const bad[] = {"",
					  "1",
					  "1.2.3",
					  "1.2.3.4.5",
					  "1.2.3.256",
					  "01.2.3.4",
					  ":",
					  "fe80::1%lo",
					  "[::1]",
					  "1.2.3.4:143",
					  " 1.2.3.4",
					  "host",
					  "1111:2222:3333:4444:5555:6666:7777:8888:9999",
					  "00000000000000000000000000000000000000000000000001"};
	struct net_addr a, b;

	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_true(net_addr_parse(str_c(good[i]), &a));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (net_addr_parse(str_c(bad[i]), &a))
			fail_msg("accepted: %s", bad[i]);
	assert_false(net_addr_parse(str_mem("1.2.3.4\0", 8), &a));
	assert_true(net_addr_parse(STR("192.0.2.1"), &a) &&
		    net_addr_parse(STR("::ffff:192.0.2.1"), &b));
	assert_memory_equal(&a, &b, sizeof(a));
	assert_true(net_addr_is4(&a));
}

static void networks(void **state)
{
	static const struct {
		const char *net, *in, *out;
	} v[] = {
		{"10.0.0.0/8", "10.255.0.1", "11.0.0.0"},
		{"10.0.0.0/8", "::ffff:10.1.1.1", "::a00:1"},
		{"192.0.2.7", "192.0.2.7", "192.0.2.6"},
		{"192.0.2.6/31", "192.0.2.7", "192.0.2.8"},
		{"0.0.0.0/0", "255.1.1.1", "::1"},
		{"::/0", "255.1.1.1", NULL},
		{"::ffff:0:0/96", "1.2.3.4", "::1"},
		{"2001:db8::/32", "2001:db8:ffff::1", "2001:db9::"},
		{"2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::"},
		{"::1", "::1", "127.0.0.1"},
		{"::1/128", "::1", "::"},
	};
	static const char *const bad[] = {"10.0.0.0/33", "10.0.0.1/8",	 "::/129",	 "::1/127",
					  "10.0.0.0/",	 "10.0.0.0/-1",	 "10.0.0.0/8/8", "10/8",
					  "/8",		 "2001:db9::/31"};
	struct net n;
	struct net_addr a;
	struct err e;

	for (size_t i = 0; i < ARRAY_LEN(v); i++) {
		assert_int_equal(net_parse(str_c(v[i].net), &n, &e), 0);
		assert_true(net_addr_parse(str_c(v[i].in), &a));
		if (!net_has(&n, &a))
			fail_msg("%s lacks %s", v[i].net, v[i].in);
		assert_true(!v[i].out || net_addr_parse(str_c(v[i].out), &a));
		if (v[i].out && net_has(&n, &a))
			fail_msg("%s has %s", v[i].net, v[i].out);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (net_parse(str_c(bad[i]), &n, &e) == 0)
			fail_msg("accepted: %s", bad[i]);
}

static void lists(void **state)
{
	struct netlist l;
	struct err e;

	assert_int_equal(netlist_parse(&l, "", "X", &e), 0);
	assert_false(netlist_has_ip(&l, STR("127.0.0.1")));
	netlist_deinit(&l);
	assert_int_equal(netlist_parse(&l, " 10.0.0.0/8, ::1,,192.0.2.7\t2001:db8::/32 ", "X", &e),
			 0);
	assert_int_equal(l.n, 4);
	assert_true(netlist_has_ip(&l, STR("10.2.3.4")) && netlist_has_ip(&l, STR("::1")));
	assert_true(netlist_has_ip(&l, STR("192.0.2.7")) && netlist_has_ip(&l, STR("2001:db8::9")));
	assert_false(netlist_has_ip(&l, STR("192.0.2.8")) || netlist_has_ip(&l, STR("::2")));
	assert_false(netlist_has_ip(&l, STR("unknown")));
	netlist_deinit(&l);
	assert_int_equal(netlist_parse(&l, "10.0.0.0/8 10.0.0.1/8", "LIMIT_EXEMPT", &e), -1);
	assert_string_equal(e.text, "LIMIT_EXEMPT: \"10.0.0.1/8\" has bits set behind the first 8");
	assert_null(l.a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses),
		cmocka_unit_test(networks),
		cmocka_unit_test(lists),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
