/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/ensure.h"
#include "common/config/url.h"

static void test_good(void **state)
{
	static const struct {
		const char *text, *host;
		uint16_t port;
		bool tls, address;
	} rows[] = {
		{"http://a.example/x", "a.example", 80, false, false},
		{"HTTPS://a.example", "a.example", 443, true, false},
		{"https://a:8443?b=/@:", "a", 8443, true, false},
		{"http://127.0.0.1:65535/", "127.0.0.1", 65535, false, true},
		{"http://[::1]:80/x", "[::1]", 80, false, true},
		{"https://[2001:db8::1]", "[2001:db8::1]", 443, true, true},
	};
	struct url u;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_true(url_parse(str_c(rows[i].text), &u));
		assert_true(str_eq(u.host, str_c(rows[i].host)));
		assert_int_equal(u.port, rows[i].port);
		assert_int_equal(u.tls, rows[i].tls);
		assert_int_equal(u.address, rows[i].address);
	}
}

static void test_bad(void **state)
{
	static const char *const rows[] = {
		"",
		"http",
		"http:/a",
		"http://",
		"http:///x",
		"http://:80/",
		"ftp://a/",
		"a/b",
		"http://a:0/",
		"http://a:65536/",
		"http://a:/",
		"http://a:x/",
		"http://[::1/",
		"http://[::1]x/",
		"http://[a]/",
		"http://u:p@a/",
		"http://a/x y",
		"http://a/#b",
		"http://a/\r\n",
		"http://a/\x7f",
	};
	struct url u;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_false(url_parse(str_c(rows[i]), &u));
	assert_false(url_parse(STR("http://a/\0"), &u));
	assert_true(url_is_address(STR("10.0.0.1")));
	assert_false(url_is_address(STR("10.0.0.1\0")));
	assert_false(url_is_address(STR("::1")));
	assert_false(url_is_address(STR("10.0.0")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
