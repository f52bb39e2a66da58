/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "frontend/authd/authlib_proto.h"

static const struct {
	const char *in;
	enum authlib_end end;
} replies[] = {
	{"", AUTHLIB_MORE},
	{"FAIL", AUTHLIB_MORE},
	{"FAIL\n", AUTHLIB_FAIL},
	{"fail\n", AUTHLIB_MORE},
	{"UID=1\n.\n", AUTHLIB_ACCOUNT},
	{"UID=1\n.", AUTHLIB_MORE},
	{".\n", AUTHLIB_MORE},
	{"\n.\n", AUTHLIB_BROKEN},
	{"UID\n.\n", AUTHLIB_BROKEN},
	{"=1\n.\n", AUTHLIB_BROKEN},
	{"A=\nB=\n.\n", AUTHLIB_ACCOUNT},
	{"OPTIONS=.\n.\n", AUTHLIB_ACCOUNT},
};

static void test_ends(void **state)
{
	struct authlib_reply r;
	static char big[AUTHLIB_REPLY_MAX + 1];

	for (size_t i = 0; i < sizeof replies / sizeof replies[0]; i++) {
		struct str in = str_c(replies[i].in);

		assert_int_equal(authlib_parse(in, &r), replies[i].end);
		/* Byte by byte: nothing is decided before the end. */
		for (size_t n = 0; n < in.n; n++)
			assert_int_equal(authlib_parse(str_sub(in, 0, n), &r), AUTHLIB_MORE);
	}
	assert_int_equal(authlib_parse(STR("FAIL\nUID=1\n.\n"), &r), AUTHLIB_BROKEN);
	assert_int_equal(authlib_parse(STR("UID=1\0\n.\n"), &r), AUTHLIB_BROKEN);
	memset(big, 'A', sizeof big);
	assert_int_equal(authlib_parse(str_mem(big, sizeof big - 1), &r), AUTHLIB_MORE);
	assert_int_equal(authlib_parse(str_mem(big, sizeof big), &r), AUTHLIB_BROKEN);
}

static void test_attributes(void **state)
{
	struct authlib_reply r;

	assert_int_equal(
		authlib_parse(
			STR("USERNAME=sys\nUID=1\nGID=2\nHOME=/h=\nADDRESS=a@b\nNAME=N\nMAILDIR=M\n"
			    "QUOTA=3S\nPASSWD=$1$\nPASSWD2=p w=\nOPTIONS=a=1,b=2\nUID=7\n.\n"),
			&r),
		AUTHLIB_ACCOUNT);
	assert_true(str_eq(r.username, STR("sys")) && str_eq(r.uid, STR("7")) &&
		    str_eq(r.gid, STR("2")));
	assert_true(str_eq(r.home, STR("/h=")) && str_eq(r.address, STR("a@b")) &&
		    str_eq(r.maildir, STR("M")));
	assert_true(str_eq(r.quota, STR("3S")) && str_eq(r.clear, STR("p w=")));
	assert_true(str_eq(r.options, STR("a=1,b=2")));
	assert_int_equal(authlib_parse(STR("HOME=\n.\n"), &r), AUTHLIB_ACCOUNT);
	assert_true(r.home.p && !r.home.n && !r.uid.p && !r.clear.p);
}

static void test_requests(void **state)
{
	struct buf b = BUF_INIT;

	authlib_put_pre(&b, STR(""), STR("imap"), STR("a b"));
	assert_string_equal(buf_cstr(&b), "PRE . imap a b\n");
	buf_reset(&b);
	authlib_put_login(&b, STR("192.0.2.1"), STR("imap"), STR("u"), STR("p w"));
	assert_string_equal(buf_cstr(&b), "TCPREMOTEIP=192.0.2.1\nAUTH 17\nimap\nlogin\nu\np w\n");
	buf_reset(&b);
	authlib_put_cram(&b, STR(""), STR("imap"), STR("u"), STR("<1@h>"), STR("ff"));
	assert_string_equal(buf_cstr(&b), "AUTH 32\nimap\ncram-md5\nPDFAaD4=\ndSBmZg==\n");
	buf_deinit(&b);
	assert_true(authlib_sendable(STR("")) && authlib_sendable(STR("a\r b")));
	assert_false(authlib_sendable(STR("a\n")) || authlib_sendable(STR("a\0b")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_attributes),
		cmocka_unit_test(test_requests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
