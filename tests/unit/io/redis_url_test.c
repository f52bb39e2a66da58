/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/ensure.h"
#include "common/io/redis_url.h"

static struct arena arena;
static struct err err;

static struct redis_url parse(const char *text)
{
	struct redis_url u;

	if (redis_url_parse(&arena, str_c(text), &u, &err) != 0)
		fail_msg("%s: %s", text, err.text);
	return u;
}

#define assert_str(s, text) assert_true(str_eq((s), STR(text)))

static void one_server(void **state)
{
	struct redis_url u = parse("redis://localhost");

	assert_int_equal(u.kind, REDIS_TCP);
	assert_string_equal(u.hosts[0].name, "localhost");
	assert_int_equal(u.hosts[0].port, 6379);
	assert_int_equal(u.db, 0);
	assert_int_equal(u.user.n + u.password.n, 0);

	u = parse("redis://bob:p%40ss%3a@w@127.0.0.1:7000/15");
	assert_str(u.user, "bob");
	assert_str(u.password, "p@ss:@w");
	assert_string_equal(u.hosts[0].name, "127.0.0.1");
	assert_int_equal(u.hosts[0].port, 7000);
	assert_int_equal(u.db, 15);

	u = parse("REDIS://:secret@[::1]:1?db=3");
	assert_int_equal(u.user.n, 0);
	assert_str(u.password, "secret");
	assert_string_equal(u.hosts[0].name, "::1");
	assert_int_equal(u.hosts[0].port, 1);
	assert_int_equal(u.db, 3);
}

static void unix_socket(void **state)
{
	struct redis_url u = parse("redis+unix:///run/redis/redis.sock?db=2");

	assert_int_equal(u.kind, REDIS_UNIX);
	assert_string_equal(u.path, "/run/redis/redis.sock");
	assert_int_equal(u.db, 2);
	u = parse("unix://u:p@/a%20b");
	assert_string_equal(u.path, "/a b");
	assert_str(u.user, "u");
}

static void sentinels(void **state)
{
	struct redis_url u = parse(
		"redis+sentinel://:pw@a,b:1,[fe80::1]:2/mymaster/4?sentinel_user=x&sentinel_password=y%26");

	assert_int_equal(u.kind, REDIS_SENTINEL);
	assert_int_equal(u.nhosts, 3);
	assert_string_equal(u.hosts[0].name, "a");
	assert_int_equal(u.hosts[0].port, 26379);
	assert_int_equal(u.hosts[1].port, 1);
	assert_string_equal(u.hosts[2].name, "fe80::1");
	assert_string_equal(u.service, "mymaster");
	assert_int_equal(u.db, 4);
	assert_str(u.password, "pw");
	assert_str(u.sentinel_user, "x");
	assert_str(u.sentinel_password, "y&");
}

static void wrong_ones(void **state)
{
	static const char *const bad[] = {
		"",
		"redis:",
		"http://x",
		"redis://",
		"redis://h:0",
		"redis://h:65536",
		"redis://h:x",
		"redis://h/x",
		"redis://h/1/2",
		"redis://::1",
		"redis://[::1",
		"redis://[::1]x",
		"redis://h?dv=1",
		"redis://h?db=x",
		"redis://hunter2@h",
		"redis://u:hunter2%4@h",
		"redis://u:hunter2%zz@h",
		"redis://u:hunter2%00@h",
		"redis+unix://x",
		"redis+unix://",
		"redis+sentinel://a,b",
		"redis+sentinel://a,b/",
		"redis+sentinel://,/x",
		"redis+sentinel://a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a/x",
	};
	char path[300] = "redis+unix:///";

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct redis_url u;

		if (redis_url_parse(&arena, str_c(bad[i]), &u, &err) == 0)
			fail_msg("taken: %s", bad[i]);
		assert_null(strstr(err.text, "hunter2"));
	}
	memset(path + 14, 'x', sizeof(path) - 15);
	assert_int_equal(redis_url_parse(&arena, str_mem(path, sizeof(path) - 1),
					 &(struct redis_url){0}, &err),
			 -1);
}

static void tls_names_the_way_out(void **state)
{
	struct redis_url u;

	assert_int_equal(redis_url_parse(&arena, STR("rediss://h"), &u, &err), -1);
	assert_non_null(strstr(err.text, "stunnel"));
	assert_int_equal(redis_url_parse(&arena, STR("rediss+sentinel://h/x"), &u, &err), -1);
	assert_non_null(strstr(err.text, "stunnel"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_server),
		cmocka_unit_test(unix_socket),
		cmocka_unit_test(sentinels),
		cmocka_unit_test(wrong_ones),
		cmocka_unit_test(tls_names_the_way_out),
	};
	int rc = cmocka_run_group_tests(tests, NULL, NULL);

	arena_deinit(&arena);
	return rc;
}
