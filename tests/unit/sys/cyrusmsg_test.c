/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include "common/base/str.h"
#include "common/sys/cyrusmsg.h"

static char dir[] = "/tmp/cyrusmsg.XXXXXX";

static void at(char out[256], const char *name)
{
	snprintf(out, 256, "%s/msg/%s", dir, name);
}

static void set(const char *name, struct str text)
{
	char path[256];
	int fd;

	at(path, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text.p, text.n), (ssize_t)text.n);
	close(fd);
}

static void gone(const char *name)
{
	char path[256];

	at(path, name);
	assert_int_equal(unlink(path), 0);
}

static void test_lines(void **state)
{
	static const struct {
		struct str text;
		const char *line;
	} cases[] = {
		{{"", 0}, "The server is shutting down."},
		{{"\n", 1}, "The server is shutting down."},
		{{"[", 1}, "The server is shutting down."},
		{{"back at noon", 12}, "back at noon"},
		{{"back at noon  \r\nmore\n", 21}, "back at noon"},
		{{"[[ [x] y\n", 9}, "x] y"},
		{{"a\0b\n", 4}, "a"},
		{{"\xff\x1b\t.\n", 5}, "???."},
	};
	struct cyrusmsg m = {.shutdown = ""};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		set("shutdown", cases[i].text);
		(void)cyrusmsg_look(dir, &m);
		assert_string_equal(m.shutdown, cases[i].line);
		assert_false(m.fault_is_new);
	}
	gone("shutdown");
	assert_true(cyrusmsg_look(dir, &m));
	assert_string_equal(m.shutdown, "");
	assert_false(cyrusmsg_look(dir, &m));
}

static void test_long(void **state)
{
	static char big[100000];
	struct cyrusmsg m = {.shutdown = ""};

	memset(big, 'x', sizeof(big));
	set("motd", str_mem(big, sizeof(big)));
	assert_true(cyrusmsg_look(dir, &m));
	assert_int_equal(strlen(m.motd), CYRUSMSG_MAX - 1);
	assert_false(cyrusmsg_look(dir, &m));
	gone("motd");
}

static void test_which(void **state)
{
	struct cyrusmsg m = {.shutdown = ""};

	set("shutdown", STR("all\n"));
	set("shutdown.imap", STR("imap\n"));
	set("motd", STR("hello\n"));
	assert_true(cyrusmsg_look(dir, &m));
	assert_string_equal(m.shutdown, "imap");
	assert_string_equal(m.motd, "hello");
	gone("shutdown.imap");
	assert_true(cyrusmsg_look(dir, &m));
	assert_string_equal(m.shutdown, "all");
	gone("shutdown");
	gone("motd");
	assert_true(cyrusmsg_look(dir, &m));
	assert_false(cyrusmsg_look("", &m));
}

static void test_faults_are_said_once(void **state)
{
	struct cyrusmsg m = {.shutdown = ""};
	char path[256];

	at(path, "shutdown");
	assert_int_equal(mkdir(path, 0700), 0);
	assert_false(cyrusmsg_look(dir, &m));
	assert_true(m.fault_is_new);
	assert_string_equal(m.shutdown, "");
	assert_false(cyrusmsg_look(dir, &m));
	assert_false(m.fault_is_new);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0); /* nobody writes: looking must not wait */
	assert_false(cyrusmsg_look(dir, &m));
	assert_string_equal(m.shutdown, "");
	gone("shutdown");
	assert_false(cyrusmsg_look("/nonexistent", &m));
	assert_true(m.fault_is_new);
}

static int setup(void **state)
{
	char path[256];

	assert_non_null(mkdtemp(dir));
	at(path, "");
	return mkdir(path, 0700);
}

static int teardown(void **state)
{
	char path[256];

	at(path, "");
	return rmdir(path) || rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_which),
		cmocka_unit_test(test_faults_are_said_once),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
