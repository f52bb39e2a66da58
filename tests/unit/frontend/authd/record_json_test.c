/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/buf.h"
#include "common/base/ensure.h"
#include "frontend/authd/record_json.h"

static struct arena arena;
static struct record_fields f;
static struct err err;

static int read_json(const char *text)
{
	f = (struct record_fields){.enabled = RECORD_UNSET};
	return record_json(&arena, str_c(text), &f, &err);
}

#define assert_str(s, text) assert_true(str_eq((s), STR(text)))

static void all_fields(void **state)
{
	assert_int_equal(
		read_json(
			"{\"user\":\"u\",\"uid\":1000,\"gid\":\"50\",\"home\":\"/h\",\"maildir\":\"M\","
			"\"quota\":\"1S,2C\",\"options\":\"a=1,b\",\"mailhost\":\"m\",\"password\":\"{PLAIN}\\u00e4\","
			"\"services\":[\"imap\",\"smtp\"],\"code\":\"LIMIT\",\"text\":\"words\",\"enabled\":true,"
			"\"expired\":\"no\",\"success\":false,\"other\":{\"x\":[1.5]}}"),
		0);
	assert_str(f.user, "u");
	assert_str(f.uid, "1000");
	assert_str(f.gid, "50");
	assert_str(f.home, "/h");
	assert_str(f.maildir, "M");
	assert_str(f.quota, "1S,2C");
	assert_str(f.options, "a=1,b");
	assert_str(f.mailhost, "m");
	assert_str(f.password, "{PLAIN}\xc3\xa4");
	assert_str(f.services, "imap smtp");
	assert_str(f.code, "LIMIT");
	assert_str(f.text, "words");
	assert_int_equal(f.enabled, RECORD_YES);
	assert_int_equal(f.expired, RECORD_NO);
	assert_int_equal(f.success, RECORD_NO);
}

static void nothing_and_null(void **state)
{
	assert_int_equal(read_json("{}"), 0);
	assert_int_equal(
		read_json(" {\"uid\":null,\"enabled\":null,\"passwords\":null,\"home\":\"\"} "), 0);
	assert_int_equal(f.uid.n + f.home.n + f.npasswords, 0);
	assert_int_equal(f.enabled, RECORD_UNSET);
}

static void several_passwords(void **state)
{
	assert_int_equal(
		read_json(
			"{\"passwords\":[{\"hash\":\"a\"},{\"hash\":\"b\",\"services\":\"imap,pop3\"},"
			"{\"hash\":\"c\",\"services\":[\"x\",\"y\"]},{\"hash\":\"d\",\"services\":[]},"
				   "{\"hash\":\"e\",\"services\":[\"\"]}]}"),
		0);
	assert_int_equal(f.npasswords, 3); /* one that is good for nothing isn't good for all */
	assert_str(f.passwords[0].services, "");
	assert_str(f.passwords[1].services, "imap,pop3");
	assert_str(f.passwords[2].services, "x y");
	assert_int_equal(read_json("{\"passwords\":\"[{\\\"hash\\\":\\\"a\\\"}]\"}"), 0);
	assert_int_equal(f.npasswords, 1);
}

static void wrong_ones(void **state)
{
	static const char *const bad[] = {
		"",
		"hunter2",
		"{",
		"[]",
		"1",
		"null",
		"{}x",
		"{\"uid\":1,\"uid\":2}",
		"{\"uid\":1.5}",
		"{\"uid\":[]}",
		"{\"uid\":{}}",
		"{\"uid\":12345678901}",
		"{\"enabled\":2}",
		"{\"enabled\":\"perhaps\"}",
		"{\"home\":\"/a\\nb\"}",
		"{\"password\":\"hunter2\\u0000x\"}",
		"{\"password\":\"hunter2\\u0001\"}",
		"{\"password\":\"hunter2\xff\"}",
		"{\"passwords\":{}}",
		"{\"passwords\":1}",
		"{\"passwords\":[\"hunter2\"]}",
		"{\"passwords\":[{}]}",
		"{\"passwords\":[{\"hash\":1}]}",
		"{\"passwords\":[{\"hash\":\"hunter2\",\"services\":{}}]}",
		"{\"passwords\":\"hunter2\"}",
		"{\"services\":[]}",
		"{\"services\":[[]]}", "{\"services\":[\"\"]}",
	};
	struct buf b = BUF_INIT;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		if (read_json(bad[i]) == 0)
			fail_msg("taken: %s", bad[i]);
		assert_null(strstr(err.text, "hunter2"));
	}
	buf_puts(&b, "{\"passwords\":[");
	for (int i = 0; i < RECORD_PASSWORDS_MAX + 1; i++)
		buf_printf(&b, "%s{\"hash\":\"x\"}", i ? "," : "");
	buf_puts(&b, "]}");
	assert_int_equal(read_json(buf_cstr(&b)), -1);
	buf_reset(&b);
	for (int i = 0; i < 100000; i++)
		buf_putc(&b, '[');
	assert_int_equal(read_json(buf_cstr(&b)), -1);
	buf_deinit(&b);
}

/* ---- to a record ----------------------------------------------------------------------------------- */

static enum auth_result apply(struct check *c, const char *text)
{
	static const struct settings set = {.mail_uid = "",
					    .mail_gid = "",
					    .mail_home = "/srv/%u",
					    .maildirpath = "Maildir",
					    .defaultoptions = ""};

	assert_int_equal(read_json(text), 0);
	arena_deinit(&c->arena);
	vec_free(&c->credentials);
	*c = (struct check){.user = STR("bob")};
	return record_apply(c, &set, &f, &err);
}

static void to_a_record(void **state)
{
	struct check c = {.kind = CHECK_PASSWORD};

	assert_int_equal(
		apply(&c,
		      "{\"uid\":7,\"quota\":\"1S,2C\",\"maildir\":\"M,x\",\"options\":\"quota=9S\","
		      "\"password\":\"a\",\"passwords\":[{\"hash\":\"b\",\"services\":\"smtp\"}]}"),
		AUTH_OK);
	assert_str(c.record.user, "bob");
	assert_str(c.record.home, "/srv/bob");
	assert_str(c.record.maildir, "M,x");
	assert_str(c.record.quota, "1S,2C");
	assert_int_equal(c.credentials.n, 2);
	assert_str(c.credentials.a[1].services, "smtp");
	assert_int_equal(apply(&c, "{\"uid\":7,\"enabled\":0,\"text\":\"no\",\"code\":\"X\"}"),
			 AUTH_DISABLED);
	assert_str(c.text, "no");
	assert_str(c.code, "X");
	assert_int_equal(apply(&c, "{\"uid\":7,\"expired\":1}"), AUTH_EXPIRED);
	assert_int_equal(apply(&c, "{\"uid\":7,\"user\":\"robert\"}"), AUTH_OK);
	assert_str(c.record.user, "robert");
	assert_str(c.record.home, "/srv/robert");
	assert_int_equal(apply(&c, "{}"), AUTH_TEMPFAIL); /* no uid */
	assert_int_equal(apply(&c, "{\"uid\":0}"), AUTH_TEMPFAIL);
	assert_int_equal(apply(&c, "{\"uid\":7,\"home\":\"/\"}"), AUTH_TEMPFAIL);
	assert_int_equal(apply(&c, "{\"uid\":7,\"user\":\"\xc2\x85\"}"), AUTH_TEMPFAIL);
	vec_free(&c.credentials);
	arena_deinit(&c.arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_fields),	     cmocka_unit_test(nothing_and_null),
		cmocka_unit_test(several_passwords), cmocka_unit_test(wrong_ones),
		cmocka_unit_test(to_a_record),
	};
	int rc = cmocka_run_group_tests(tests, NULL, NULL);

	arena_deinit(&arena);
	return rc;
}
