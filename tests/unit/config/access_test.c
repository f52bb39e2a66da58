/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "common/base/buf.h"
#include "common/base/ensure.h"
#include "common/config/access.h"

static struct access_rule find(const struct access *a, const char *ip)
{
	struct net_addr addr;

	assert_true(net_addr_parse(str_c(ip), &addr));
	return access_find(a, &addr);
}

static void most_specific(void **state)
{
	static const char text[] = "# who may come\n"
				   "\n"
				   "192.168\tdeny\n"
				   "192.168.0\tallow,MAXCPERIP=7\r\n"
				   "192.168.0.9 deny\n"
				   "10.0.0.0/8\tdeny,DENYMSG=x\n"
				   "10.64.0.0/10\tallow,VAR,BOFH=1,MAXCPERIP=0\n"
				   ":3ffe\tdeny\n"
				   ":3ffe:1200\tallow\n"
				   "2001:db8::/33\tdeny\n"
				   "::1\tallow\n"
				   "0.0.0.0/0\tallow,MAXCPERIP=3\n"
				   "*\tdeny";
	static const struct {
		const char *ip;
		unsigned line;
		bool allow;
	} v[] = {
		{"192.168.1.1", 3, false},	{"192.168.0.1", 4, true},
		{"192.168.0.9", 5, false},	{"10.0.0.1", 6, false},
		{"10.64.0.1", 7, true},		{"10.128.0.1", 6, false},
		{"3ffe::1", 8, false},		{"3ffe:1200::1", 9, true},
		{"3ffe:1201::1", 8, false},	{"2001:db8::1", 10, false},
		{"2001:db8:8000::", 13, false}, {"::1", 11, true},
		{"192.0.2.1", 12, true},	{"::2", 13, false},
		{"::ffff:10.0.0.1", 6, false},
	};
	struct access *a;
	struct err e;

	a = access_parse(str_c(text), "f", &e);
	assert_non_null(a);
	for (size_t i = 0; i < ARRAY_LEN(v); i++) {
		struct access_rule r = find(a, v[i].ip);

		if (r.line != v[i].line || r.allow != v[i].allow)
			fail_msg("%s: line %u", v[i].ip, r.line);
	}
	assert_true(find(a, "192.168.0.1").has_max && find(a, "192.168.0.1").max == 7);
	assert_true(find(a, "10.64.0.1").has_max && find(a, "10.64.0.1").max == 0);
	assert_false(find(a, "::1").has_max);
	access_free(&a);
}

static void nothing_said(void **state)
{
	struct access *a;
	struct err e;

	assert_true(find(NULL, "192.0.2.1").allow);
	a = access_parse(STR(""), "f", &e);
	assert_non_null(a);
	assert_true(find(a, "192.0.2.1").allow && !find(a, "::1").line);
	access_free(&a);
	a = access_parse(STR("10\tdeny\n"), "f", &e);
	assert_true(find(a, "192.0.2.1").allow && !find(a, "10.1.1.1").allow);
	access_free(&a);
}

static void faults(void **state)
{
	static const char *const v[][2] = {
		{"10\n", "f:1: \"allow\" or \"deny\" is expected behind the network, not \"\""},
		{"# x\n10\tMAXCPERIP=4\n",
		 "f:2: \"allow\" or \"deny\" is expected behind the network, not "
		 "\"MAXCPERIP=4\""},
		{"10\tallow,MAXCPERIP=x", "f:1: \"MAXCPERIP=x\" is not a number"},
		{"\n\n10.0.0.0/33\tdeny",
		 "f:3: \"10.0.0.0/33\": the length of a network is 0 to 32"},
		{"10.1.0.0/8\tdeny", "f:1: \"10.1.0.0/8\" has bits set behind the first 8"},
		{"host\tdeny", "f:1: \"host\" is not an IP address or network"},
		{":\tdeny", "f:1: \":\" is not an IP address or network"},
		{":3ffe:\tdeny", "f:1: \":3ffe:\" is not a network"},
		{":12345\tdeny", "f:1: \":12345\" is not a network"},
		{":1:2:3:4:5:6:7:8:9\tdeny", "f:1: \":1:2:3:4:5:6:7:8:9\" is not a network"},
		{"1.2.3.4.5\tdeny", "f:1: \"1.2.3.4.5\" is not an IP address or network"},
		{"10\tdeny\n*\tallow\n10.0.0.0/8\tallow", "f:3: the same network as in line 1"},
	};
	struct err e;

	for (size_t i = 0; i < ARRAY_LEN(v); i++) {
		assert_null(access_parse(str_c(v[i][0]), "f", &e));
		assert_string_equal(e.text, v[i][1]);
	}
}

/* A list of the size that abuse lists have, in any order. */
static void many(void **state)
{
	struct buf b = BUF_INIT;
	struct access *a;
	struct err e;
	char ip[32];

	for (unsigned i = 0; i < 50000; i++) {
		unsigned k = i * 7919 % 50000;

		buf_printf(&b, "10.%u.%u.%u\t%s\n", k >> 16, k >> 8 & 255, k & 255,
			   k & 1 ? "deny" : "allow");
	}
	buf_puts(&b, "10\tdeny\n");
	a = access_parse(buf_str(&b), "f", &e);
	assert_non_null(a);
	for (unsigned k = 0; k < 50000; k++) {
		snprintf(ip, sizeof(ip), "10.%u.%u.%u", k >> 16, k >> 8 & 255, k & 255);
		assert_int_equal(find(a, ip).allow, !(k & 1));
	}
	assert_int_equal(find(a, "10.255.1.1").line, 50001);
	access_free(&a);
	buf_deinit(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(most_specific),
		cmocka_unit_test(nothing_said),
		cmocka_unit_test(faults),
		cmocka_unit_test(many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
