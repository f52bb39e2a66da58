/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/mail/mailtest.h"
#include "backend/mailer/check.c"
#include "common/ipc/mailer.h"

static struct settings set = {.outbox_recipients_max = 3, .outbox_header_max = 200};

/* The recipients with blanks between, or "!" and the code, or "!". */
static void check(const char *header, const char *want)
{
	struct envelope env = {0};
	struct mailer_verdict v = {0};
	struct buf message = BUF_INIT, got = BUF_INIT;

	buf_printf(&message, "%s\nTo: body@x\n", header);
	if (check_message(&set, STR("Me@Here.test"), buf_str(&message), &env, &v) < 0) {
		assert_int_equal(v.result, MAILER_FAILED);
		assert_true(v.text.n > 0);
		buf_printf(&got, "!%.*s", STR_ARG(v.code));
	}
	for (size_t i = 0; got.n == 0 || (i && i < env.to.n); i++)
		buf_printf(&got, "%s%s", i ? " " : "", env.to.a[i]);
	assert_string_equal(buf_cstr(&got), want);
	envelope_deinit(&env);
	buf_deinit(&message);
	buf_deinit(&got);
}

static void test_recipients(void **state)
{
	check("To: A <a@x>, b@y (c)\nCC: \"q q\"@z\n", "a@x b@y \"q q\"@z");
	check("to: g: a@x,\n\tb@y;\nX-To: c@x\n", "a@x b@y");
	check("Bcc: a@x\n", "a@x");
	check("To: a@x\nResent-Bcc: r@x\nCc: b@x\n", "r@x");
	check("To: local\n", "local");
	check("To: \"a\\\"\\\\b\"@x\n", "\"a\\\"\\\\b\"@x");
	check("To: a@x, b@x, c@x, d@x\n", "!LIMIT");
	check("Subject: a\n", "!");
	check("To: nobody:;\n", "!");
	check("To: -oQ@x\n", "!");
	check("To: \"a\tb\"@x\n", "!");
	check("To: a@x\nX: a\rb\n", "!");
}

/* With the blank line that ends it, the header is n bytes. */
static void check_length(size_t n, const char *want)
{
	struct buf b = BUF_INIT;

	buf_puts(&b, "To: a@x\nX: ");
	while (b.n < n - 2)
		buf_putc(&b, 'x');
	buf_putc(&b, '\n');
	check(buf_cstr(&b), want);
	buf_deinit(&b);
}

static void test_header_limit(void **state)
{
	check_length(200, "a@x");
	check_length(201, "!LIMIT");
}

static void test_from_own(void **state)
{
	set.outbox_from_own = true;
	check("To: a@x\nFrom: me@here.TEST\n", "a@x");
	check("To: a@x\nFrom: me@here.test\nSender: you@here.test\n", "!NOPERM");
	check("To: a@x\nFrom: Me@here.test, you@x\n", "!NOPERM");
	check("To: a@x\n", "!NOPERM");
	set.outbox_from_own = false;
}

static void test_put_header(void **state)
{
	struct buf out = BUF_INIT;

	check_put_header(&out, STR("A: 1\nBcc: x@y,\n z@y\nresent-bcc : q@y\nB: 2\n 3\n\n"));
	assert_string_equal(buf_cstr(&out), "A: 1\nB: 2\n 3\n\n");
	buf_deinit(&out);
}

static void test_area(void **state)
{
	char area[MAILER_AREA], name[] = "/tmp/area.XXXXXX";
	struct mailer_verdict v = {MAILER_UNKNOWN, STR("LIMIT"), STR("why not")};
	struct mailer_area a;
	int fd = mkstemp(name);

	unlink(name);
	assert_int_equal(mailer_area_read(fd, &a), -1);
	mailer_area_new(area, 12345);
	assert_int_equal(pwrite(fd, area, sizeof area, 0), sizeof area);
	assert_int_equal(mailer_area_read(fd, &a), 0);
	assert_true(a.deadline == 12345 && !a.started && a.verdict.result == MAILER_NONE);
	assert_int_equal(mailer_area_started(fd), 0);
	assert_int_equal(mailer_area_verdict(fd, &v), 0);
	assert_int_equal(mailer_area_read(fd, &a), 0);
	assert_true(a.started && a.verdict.result == MAILER_UNKNOWN &&
		    str_eq(a.verdict.text, v.text));
	/* A byte that is torn: the verdict counts as not there. */
	assert_int_equal(pwrite(fd, "\xff", 1, 512 + 12), 1);
	assert_int_equal(mailer_area_read(fd, &a), 0);
	assert_true(a.started && a.verdict.result == MAILER_NONE);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_recipients), cmocka_unit_test(test_header_limit),
		cmocka_unit_test(test_from_own), cmocka_unit_test(test_put_header),
		cmocka_unit_test(test_area)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
