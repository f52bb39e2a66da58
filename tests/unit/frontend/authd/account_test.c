/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/ensure.h"
#include "frontend/authd/account.h"

static struct settings defaults(void)
{
	struct settings s;

	memset(&s, 0, sizeof(s));
	s.mail_uid = "500";
	s.mail_gid = "";
	s.mail_home = "/mail/%u";
	s.maildirpath = "Maildir";
	s.defaultoptions = "";
	return s;
}

static void test_defaults(void **state)
{
	struct settings s = defaults();
	struct account_fields f = {.user = STR("bob")};
	struct arena a = ARENA_INIT;
	struct user_record r = {0};
	struct err e;

	assert_int_equal(account_record(&a, &s, &f, &r, &e), 0);
	assert_int_equal(r.uid, 500);
	assert_int_equal(r.gid, 500);
	assert_true(str_eq(r.home, STR("/mail/bob")) && str_eq(r.maildir, STR("Maildir")));
	f = (struct account_fields){STR("bob"), STR("7"), STR("8"), STR("/home/bob//"),
				    STR("maildir=/var/m,quota=10S,mailhost=h2,disableimap=0")};
	assert_int_equal(account_record(&a, &s, &f, &r, &e), 0);
	assert_int_equal(r.uid, 7);
	assert_int_equal(r.gid, 8);
	assert_true(str_eq(r.home, STR("/home/bob")) && str_eq(r.maildir, STR("/var/m")));
	assert_true(str_eq(r.quota, STR("10S")) && str_eq(r.mailhost, STR("h2")));
	arena_deinit(&a);
}

static void test_refused(void **state)
{
	static const struct {
		const char *user, *uid, *gid, *home, *mail_uid, *mail_home;
	} cases[] = {
		{"bob", "0", "", "/h", "500", "/m/%u"},	  {"bob", "", "", "/h", "0", "/m/%u"},
		{"bob", "", "", "/h", "", "/m/%u"},	  {"bob", "4294967295", "", "/h", "", ""},
		{"bob", "x", "", "/h", "500", ""},	  {"bob", "1", "x", "/h", "500", ""},
		{"bob", "1", "1", "/", "500", ""},	  {"bob", "1", "1", "//", "500", ""},
		{"bob", "1", "1", "h", "500", ""},	  {"bob", "1", "1", "", "500", ""},
		{"../bob", "1", "1", "", "500", "/m/%u"}, {"..", "1", "1", "", "500", "/m/%u"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct settings s = defaults();
		struct account_fields f = {str_c(cases[i].user), str_c(cases[i].uid),
					   str_c(cases[i].gid), str_c(cases[i].home), STR("")};
		struct arena a = ARENA_INIT;
		struct user_record r = {0};
		struct err e = {.text = ""};

		s.mail_uid = cases[i].mail_uid;
		s.mail_home = cases[i].mail_home;
		assert_int_equal(account_record(&a, &s, &f, &r, &e), -1);
		assert_true(e.text[0] != '\0');
		arena_deinit(&a);
	}
}

static void test_fields_before_options(void **state)
{
	struct settings s = defaults();
	struct account_fields f = {.user = STR("bob"),
				   .options = STR("maildir=a,quota=1S,mailhost=x"),
				   .maildir = STR("/m"),
				   .quota = STR("2S"),
				   .mailhost = STR("y")};
	struct arena a = ARENA_INIT;
	struct user_record r = {0};
	struct err e;

	assert_int_equal(account_record(&a, &s, &f, &r, &e), 0);
	assert_true(str_eq(r.maildir, STR("/m")) && str_eq(r.quota, STR("2S")) &&
		    str_eq(r.mailhost, STR("y")));
	arena_deinit(&a);
}

/* Whatever a provider sends: what is no line of text, or too long, makes no record. */
static void test_hostile_fields(void **state)
{
	static char big[1 << 20];
	const struct str bad[] = {
		STR("x\ny=1"), STR("x\0y"), STR("x\r"), STR("\x7f"), {big, sizeof(big)}};

	memset(big, 'a', sizeof(big));
	for (size_t i = 0; i < ARRAY_LEN(bad) * 6; i++) {
		struct settings s = defaults();
		struct account_fields f = {.user = STR("bob"), .home = STR("/h")};
		struct str *const at[] = {&f.user,    &f.home,	&f.options,
					  &f.maildir, &f.quota, &f.mailhost};
		struct arena a = ARENA_INIT;
		struct user_record r = {0};
		struct err e = {.text = ""};

		assert_int_equal(account_record(&a, &s, &f, &r, &e), 0);
		*at[i % 6] = bad[i / 6];
		assert_int_equal(account_record(&a, &s, &f, &r, &e), -1);
		assert_true(e.text[0] != '\0');
		arena_deinit(&a);
	}
}

static void test_dates(void **state)
{
	static const struct {
		const char *options;
		bool record;
		enum auth_result allowed;
	} cases[] = {
		{"expires=2099-12-31", true, AUTH_OK},
		{"expires=2001-01-01", true, AUTH_EXPIRED},
		{"expires=", true, AUTH_OK},
		{"expires=2099-02-29", false, AUTH_EXPIRED},
		{"expires=2099-13-01", false, AUTH_EXPIRED},
		{"expires=2099-1-1", false, AUTH_EXPIRED},
		{"expires=tomorrow", false, AUTH_EXPIRED},
		{"expires=2099-12-31 ", true, AUTH_OK},
		{"expires=2001-01-01,disableimap=1", true, AUTH_EXPIRED},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct settings s = defaults();
		struct account_fields f = {.user = STR("bob"), .options = str_c(cases[i].options)};
		struct session_facts facts = {.protocol = STR("imap")};
		struct arena a = ARENA_INIT;
		struct user_record r = {0};
		const char *text;
		struct err e;

		assert_int_equal(account_record(&a, &s, &f, &r, &e), cases[i].record ? 0 : -1);
		assert_int_equal(account_allows(&r, &facts, &text), cases[i].allowed);
		arena_deinit(&a);
	}
}

static void test_options(void **state)
{
	static const struct {
		const char *own, *defaults, *want;
	} cases[] = {
		{"", "", ""},
		{"", "disableimap=1", "disableimap=1"},
		{"disableimap=0", "disableimap=1", "disableimap=0"},
		{"DisableImap=0", "disableimap=1, quota=5S", "DisableImap=0,quota=5S"},
		{"group=a,group=b", "group=c,x", "group=a,group=b,x"},
		{"a,,b", ",,", "a,,b"},
		{"", "master=1,x=2, Master = 1", "x=2"},
	};
	struct arena a = ARENA_INIT;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_true(
			str_eq(account_options(&a, str_c(cases[i].own), str_c(cases[i].defaults)),
			       str_c(cases[i].want)));
	assert_null(account_option(STR("quota=1"), "quot").p);
	assert_null(account_option(STR(""), "quota").p);
	assert_true(account_option(STR("x, quota"), "quota").p &&
		    !account_option(STR("quota"), "quota").n);
	assert_true(str_eq(account_option(STR("a=1, quota = 5 ,quota=6"), "quota"), STR("5")));
	arena_deinit(&a);
}

static enum auth_result allows(const char *options, bool tls)
{
	struct user_record r = {.options = str_c(options)};
	struct session_facts f = {.tls = tls};
	const char *text;
	enum auth_result got = account_allows(&r, &f, &text);

	assert_int_equal(got == AUTH_OK, text[0] == '\0');
	return got;
}

static void test_allows(void **state)
{
	assert_int_equal(allows("", false), AUTH_OK);
	assert_int_equal(allows("disableimap=1", true), AUTH_DISABLED);
	assert_int_equal(allows("disableimap=0", true), AUTH_OK);
	assert_int_equal(allows("disablepop3=1", true), AUTH_OK);
	assert_int_equal(allows("disableinsecureimap=1", true), AUTH_OK);
	assert_int_equal(allows("disableinsecureimap=1", false), AUTH_DISABLED);
	assert_int_equal(allows("disableimap=yes", true), AUTH_DISABLED);
	assert_int_equal(allows("disableimap=no", true), AUTH_OK);
	assert_int_equal(allows("disableimap=off,disableimap=1", true),
			 AUTH_OK); /* the first one counts */
	assert_int_equal(allows("disableimap", true), AUTH_OK);
	assert_int_equal(allows("disabled=1", true), AUTH_DISABLED);
}

static void test_networks(void **state)
{
	static const struct {
		const char *options, *ip;
		bool record, allowed;
	} cases[] = {
		{"", "192.0.2.1", true, true},
		{"allow_nets=192.0.2.0/24", "192.0.2.1", true, true},
		{"allow_nets=192.0.2.0/24", "::ffff:192.0.2.1", true, true},
		{"allow_nets=192.0.2.0/24", "198.51.100.1", true, false},
		{"allow_nets=192.0.2.0/24", "unknown", true, false},
		{"allow_nets=2001:db8::/32 192.0.2.0/24,x=1", "192.0.2.1", true, true},
		{"allow_nets=2001:db8::/32,allow_nets=192.0.2.0/24", "192.0.2.1", true, true},
		{"allow_nets=", "192.0.2.1", true, false},
		{"allow_nets=nowhere", "192.0.2.1", false, false},
		{"allow_nets=198.51.100.1 192.0.2.0/33", "192.0.2.1", false, false},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct settings s = defaults();
		struct account_fields f = {.user = STR("bob"), .options = str_c(cases[i].options)};
		struct arena a = ARENA_INIT;
		struct user_record r = {0};
		struct err e;

		assert_int_equal(account_record(&a, &s, &f, &r, &e), cases[i].record ? 0 : -1);
		assert_int_equal(account_from_here(&r, str_c(cases[i].ip)), cases[i].allowed);
		arena_deinit(&a);
	}
}

static void test_pop3(void **state)
{
	struct user_record r = {.options = STR("disablepop3=1")};
	struct session_facts f = {.protocol = STR("pop3")};
	const char *text;

	assert_int_equal(account_allows(&r, &f, &text), AUTH_DISABLED);
	assert_string_equal(text, "POP3 access disabled for this account.");
	r.options = STR("disableimap=1,disableinsecureimap=1");
	assert_int_equal(account_allows(&r, &f, &text), AUTH_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_fields_before_options),
		cmocka_unit_test(test_hostile_fields),
		cmocka_unit_test(test_dates),
		cmocka_unit_test(test_pop3),
		cmocka_unit_test(test_networks),
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_allows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
