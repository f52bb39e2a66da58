/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/ensure.h"
#include "frontend/authd/redis_template.h"

static struct arena arena;

static struct redis_template parse(const char *text, const char *prefix)
{
	struct redis_template t;
	struct err e;

	if (redis_template_parse(&arena, str_c(text), str_c(prefix), &t, &e) != 0)
		fail_msg("%s: %s", text, e.text);
	return t;
}

/* The arguments with | between. */
static const char *expanded(const char *text, const char *prefix, const char *user)
{
	struct redis_template t = parse(text, prefix);
	struct str argv[REDIS_TEMPLATE_WORDS];
	static struct buf b;

	redis_template_expand(&t, &arena, str_c(user), argv);
	buf_reset(&b);
	for (size_t i = 0; i < t.n; i++)
		buf_printf(&b, "%s%.*s", i ? "|" : "", STR_ARG(argv[i]));
	return buf_cstr(&b);
}

static void words_come_first(void **state)
{
	assert_string_equal(expanded("HMGET %puser:{%u} password", "", "bob"),
			    "HMGET|user:{bob}|password");
	assert_string_equal(expanded("  GET   %u ", "", "a b  c"), "GET|a b  c");
	assert_string_equal(expanded("GET %p%u", "my prefix:", "x"), "GET|my prefix:x");
	assert_string_equal(expanded("GET %p%u%%", "100%u%", "x"), "GET|100%u%x%");
	assert_string_equal(expanded("HGETALL %d/%n", "", "a@b@c"), "HGETALL|b@c/a");
	assert_string_equal(expanded("HGETALL %d/%n", "", "local"), "HGETALL|/local");
	assert_string_equal(expanded("HGET %%u %u", "", "x"), "HGET|%u|x");
}

static void no_two_names_share_a_key(void **state)
{
	static const char *const names[] = {"a",     "{a}",	"a}",	 "{",	 "}", "a:b",
					    "a%3Ab", "a%253Ab", "%u",	 "%%u",	 "%", "%7B",
					    "%257B", "a@b",	"a@b:c", "a:b@c"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char *one = arena_cstr(&arena, str_c(expanded("GET user:{%u}", "", names[i])));

		/* what decides the Cluster's slot is between the first { and the first } behind it */
		assert_int_equal(str_find(str_c(one), '{'), 9);
		assert_int_equal(str_find(str_c(one), '}'), strlen(one) - 1);
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(one, expanded("GET user:{%u}", "", names[j]));
	}
	assert_string_equal(expanded("GET %u", "", "a:{%}"), "GET|a%3A%7B%25%7D");
}

static void forms(void **state)
{
	assert_int_equal(parse("hmget %u a b", "").form, REDIS_ANSWER_FIELDS);
	assert_int_equal(parse("HGETALL %u", "").form, REDIS_ANSWER_PAIRS);
	assert_int_equal(parse("GET %u", "").form, REDIS_ANSWER_VALUE);
	assert_true(parse("get %u", "").read);
	assert_false(parse("GETDEL %u", "").read);
	assert_false(parse("FCALL f 1 %u", "").read);
}

static void wrong_ones(void **state)
{
	static const char *const bad[] = {"",	    " ",	"GET",	    "%u",
					  "%u x",   "GET x",	"GET %d",   "GET %",
					  "GET %x", "GET %u %", "HMGET %u", "GET %U"};
	struct buf b = BUF_INIT;
	struct redis_template t;
	struct err e;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (redis_template_parse(&arena, str_c(bad[i]), STR(""), &t, &e) == 0)
			fail_msg("taken: %s", bad[i]);
	buf_puts(&b, "HMGET %u");
	for (int i = 0; i < REDIS_TEMPLATE_WORDS - 2; i++)
		buf_puts(&b, " f");
	assert_int_equal(redis_template_parse(&arena, buf_str(&b), STR(""), &t, &e), 0);
	buf_puts(&b, " f");
	assert_int_equal(redis_template_parse(&arena, buf_str(&b), STR(""), &t, &e), -1);
	buf_deinit(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_come_first),
		cmocka_unit_test(no_two_names_share_a_key),
		cmocka_unit_test(forms),
		cmocka_unit_test(wrong_ones),
	};
	int rc = cmocka_run_group_tests(tests, NULL, NULL);

	arena_deinit(&arena);
	return rc;
}
