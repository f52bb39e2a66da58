/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/mman.h>
#include <sys/wait.h>

#include "common/base/ensure.h"
#include "common/base/log.h"
#include "common/base/utf8.h"

/* What one LOG call writes to stderr, without the head of the line. */
static const char *logged(enum log_form form, struct str value)
{
	static char out[8192];
	int fd = memfd_create("log", 0), saved = dup(2);
	ssize_t n;

	log_init("test", LOG_SINK_STDERR, form, L_INFO);
	dup2(fd, 2);
	LOG(L_DEBUG, "unseen", L_S("v", value));
	LOG(L_WARN, "event", L_S("v", value), L_U("u", UINT64_MAX), L_I("i", -5));
	dup2(saved, 2);
	close(saved);
	n = pread(fd, out, sizeof out - 1, 0);
	close(fd);
	assert_true(n > 0);
	out[n] = '\0';
	assert_ptr_equal(strchr(out, '\n'), out + n - 1); /* one line */
	return out;
}

static void expect_text(struct str value, const char *text)
{
	const char *line = logged(LOG_FORM_KV, value), *at = strstr(line, " event v=");
	char want[2048];

	assert_non_null(at);
	snprintf(want, sizeof want, " event v=%s u=18446744073709551615 i=-5\n", text);
	assert_string_equal(at, want);
}

static void expect_json(struct str value, const char *text)
{
	const char *line = logged(LOG_FORM_JSON, value), *at = strstr(line, "\"event\":\"event\",\"v\":");
	char want[8192];

	assert_non_null(at);
	snprintf(want, sizeof want, "\"event\":\"event\",\"v\":%s,\"u\":18446744073709551615,\"i\":-5}\n", text);
	assert_string_equal(at, want);
	assert_true(utf8_valid(str_c(line)));
}

static void test_escapes(void **state)
{
	expect_text(STR("plain"), "plain");
	expect_text(STR("caf\xc3\xa9"), "caf\xc3\xa9");
	expect_text(STR(""), "\"\"");
	expect_text(STR_NONE, "\"\"");
	expect_text(STR("a b"), "\"a b\"");
	expect_text(STR("a=b"), "\"a=b\"");
	expect_text(STR("a\"b\\"), "\"a\\\"b\\\\\"");
	expect_text(STR("x\r\n2026 info login user=root"), "\"x\\x0d\\x0a2026 info login user=root\"");
	expect_text(str_mem("a\0b", 3), "\"a\\x00b\"");
	expect_text(STR("\x1b[31m"), "\"\\x1b[31m\"");
	expect_text(STR("\xff\xc3("), "\"\\xff\\xc3(\"");
	expect_json(STR("a\"b\\c"), "\"a\\\"b\\\\c\"");
	expect_json(STR("\r\n\t\x7f"), "\"\\u000d\\u000a\\u0009\\u007f\"");
	expect_json(STR("\xff\xed\xa0\x80"), "\"\\ufffd\\ufffd\\ufffd\\ufffd\"");
	expect_json(STR("caf\xc3\xa9 \xe2\x80\xa8"), "\"caf\xc3\xa9 \\u2028\"");
}

/* What LOG_COURIER writes, without the head of the line. */
static void expect_courier(struct str user, const char *text)
{
	char out[4096], want[2048];
	const char *at;
	int fd = memfd_create("log", 0), saved = dup(2);
	ssize_t n;

	log_init("test", LOG_SINK_STDERR, LOG_FORM_KV, L_INFO);
	dup2(fd, 2);
	LOG_COURIER(L_INFO, "LOGIN FAILED", L_S("user", user), L_B("ip", "192.0.2.1"), L_P("port", 7),
		    L_U("n", 3));
	dup2(saved, 2);
	close(saved);
	n = pread(fd, out, sizeof out - 1, 0);
	close(fd);
	assert_true(n > 0);
	out[n] = '\0';
	at = strstr(out, " LOGIN FAILED, ");
	assert_non_null(at);
	snprintf(want, sizeof want, " LOGIN FAILED, user=%s, ip=[192.0.2.1], port=[7], n=3\n", text);
	assert_string_equal(at, want);
}

static void test_courier(void **state)
{
	expect_courier(STR("demo"), "demo");
	expect_courier(STR(""), "");
	expect_courier(STR("J. R. caf\xc3\xa9"), "J. R. caf\xc3\xa9");
	expect_courier(STR("x, ip=[1.2.3.4]"), "x\\x2c ip\\x3d\\x5b1.2.3.4\\x5d");
	expect_courier(STR("\"\\<>"), "\\x22\\x5c\\x3c\\x3e");
	expect_courier(STR("a\r\nb\xe2\x80\xa8\x7f"), "a\\x0d\\x0ab\\xe2\\x80\\xa8\\x7f");
	expect_courier(STR("\xff\xc3("), "\\xff\\xc3(");
	expect_courier(str_mem("a\0b", 3), "a\\x00b");
}

static void test_cut(void **state)
{
	char big[3000];
	const char *line;

	for (size_t i = 0; i < sizeof big; i += 3)
		memcpy(big + i, "\xe2\x82\xac", 3);
	line = logged(LOG_FORM_JSON, str_mem(big, sizeof big));
	assert_true(utf8_valid(str_c(line)));
	assert_null(strstr(line, "ufffd")); /* not cut within a character */
	assert_non_null(strstr(line, "...\","));
	assert_true(strlen(line) < LOG_VALUE_MAX + 300);
	memset(big, '\n', sizeof big);
	assert_true(strlen(logged(LOG_FORM_KV, str_mem(big, sizeof big))) < 4 * LOG_VALUE_MAX + 300);
}

static void test_assertion(void **state)
{
	int status, fds[2];
	char text[512] = "";
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		dup2(fds[1], 2);
		log_init("test", LOG_SINK_STDERR, LOG_FORM_KV, L_INFO);
		ensure_failed("1 == 2", "x.c", 7);
	}
	waitpid(pid, &status, 0);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	assert_true(read(fds[0], text, sizeof text - 1) > 0);
	assert_non_null(strstr(text, "assertion-failed what=\"1 == 2\" file=x.c line=7"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_escapes),
		cmocka_unit_test(test_courier),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_assertion),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
