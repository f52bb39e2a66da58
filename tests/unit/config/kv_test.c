/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/stat.h>

#include "common/base/ensure.h"
#include "common/config/kv.h"

static int collect(void *ctx, struct str name, struct str value, unsigned line, struct err *e)
{
	buf_printf(ctx, "%u:%.*s=%.*s;", line, STR_ARG(name), STR_ARG(value));
	return 0;
}

static void test_syntax(void **state)
{
	static const char *const cases[][2] = {
		{"", ""},
		{"\n\n# A=1\n  # x\n##NAME: x:0\n", ""},
		{"A=1", "1:A=1;"},
		{"A=1\r\nB=2\r\n", "1:A=1;2:B=2;"},
		{"  A=1  # comment\n", "1:A=1;"},
		{"A=\nB=''\nC=\"\"", "1:A=;2:B=;3:C=;"},
		{"A=a#b", "1:A=a#b;"},
		{"A='x y $B \"'\n", "1:A=x y $B \";"},
		{"A=\"x \\\"y\\\" \\$B \\\\ \\n '\"\n", "1:A=x \"y\" $B \\ \\n ';"},
		{"A=a\\ b\\#", "1:A=a b#;"},
		{"A=x\"y z\"'w'\n", "1:A=xy zw;"},
		{"A=1\nA=2\nB=$A", "1:A=1;2:A=2;3:B=2;"},
		{"A=x\nB=\"$A ${A}y $A_\"", "1:A=x;2:B=x xy ;"},
		{"B=$UNSET.", "1:B=.;"},
		{"A=$A$A", "1:A=;"},
		{"A='$A'\nB=$A", "1:A=$A;2:B=$A;"}, /* not expanded again */
		{"\xef\xbb\xbf" "A=1", "1:A=1;"},
		{"IMAP_CAPABILITY=\"IMAP4rev1 IDLE\"\nIMAP_CAPABILITY_TLS=\"$IMAP_CAPABILITY AUTH=PLAIN\"\n",
		 "1:IMAP_CAPABILITY=IMAP4rev1 IDLE;2:IMAP_CAPABILITY_TLS=IMAP4rev1 IDLE AUTH=PLAIN;"},
	};
	struct buf b = BUF_INIT;
	struct err e;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		buf_reset(&b);
		assert_int_equal(kv_parse(str_c(cases[i][0]), "f", collect, &b, &e), 0);
		assert_string_equal(buf_cstr(&b), cases[i][1]);
	}
	buf_deinit(&b);
}

static void test_errors(void **state)
{
	static const char *const cases[][2] = {
		{"A=1\nhello\n", "f:2: not of the form"},
		{"A =1", "f:1: not of the form"},
		{"=1", "f:1: not of the form"},
		{"1A=1", "f:1: not of the form"},
		{"export A=1", "f:1: not of the form"},
		{"A=1 2", "f:1: text after the value"},
		{"A=1;B=2", "f:1: this character needs quotes"},
		{"A=`id`", "f:1: this character needs quotes"},
		{"A=\"`id`\"", "f:1: commands in"},
		{"A=$(id)", "f:1: '$' without a name"},
		{"A=\"$(id)\"", "f:1: '$' without a name"},
		{"A=${B:-x}", "f:1: only ${NAME}"},
		{"A=${B", "f:1: only ${NAME}"},
		{"A=$", "f:1: '$' without a name"},
		{"A=\"x\ny\"", "f:1: a double quote is not closed"},
		{"\n\nA='x", "f:3: a single quote is not closed"},
		{"A=x\\", "f:1: a value can't go on"},
		{"A=\"x\\", "f:1: a double quote is not closed"},
		{"A=\x01", "f:1: a control character"},
		{"\x7f" "ELF", "f:1: a control character"},
	};
	struct buf b = BUF_INIT;
	struct err e;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(kv_parse(str_c(cases[i][0]), "f", collect, &b, &e), -1);
		assert_memory_equal(e.text, cases[i][1], strlen(cases[i][1]));
	}
	assert_int_equal(kv_parse(str_mem("A=\0", 3), "f", collect, &b, &e), -1);
	buf_deinit(&b);
}

/* B=$A$A C=$B$B ... would double with every line. */
static void test_expansion_is_bounded(void **state)
{
	struct buf text = BUF_INIT, out = BUF_INIT;
	struct err e;

	buf_puts(&text, "V0=0123456789\n");
	for (int i = 1; i < 60; i++)
		buf_printf(&text, "V%d=$V%d$V%d\n", i, i - 1, i - 1);
	assert_int_equal(kv_parse(buf_str(&text), "f", collect, &out, &e), -1);
	assert_string_equal(e.text, "f:14: the value is too long");
	buf_deinit(&text);
	buf_deinit(&out);
}

static void test_load(void **state)
{
	char dir[] = "/tmp/kv-test-XXXXXX", path[64];
	struct buf b = BUF_INIT;
	struct err e;
	FILE *f;

	assert_non_null(mkdtemp(dir));
	assert_int_equal(kv_load(dir, 10, &b, &e), -1);
	assert_non_null(strstr(e.text, "not a regular file"));
	assert_int_equal(kv_load("/dev/zero", 10, &b, &e), -1);
	assert_int_equal(kv_load("/dev/null", 10, &b, &e), 0);
	assert_int_equal(b.n, 0);
	snprintf(path, sizeof path, "%s/x", dir);
	assert_int_equal(kv_load(path, 10, &b, &e), -1);
	assert_int_equal(e.code, ENOENT);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(kv_load(path, 10, &b, &e), -1); /* and does not hang */
	unlink(path);
	f = fopen(path, "we");
	fputs("0123456789", f);
	fclose(f);
	assert_int_equal(kv_load(path, 9, &b, &e), -1);
	assert_int_equal(e.code, EFBIG);
	buf_reset(&b);
	assert_int_equal(kv_load(path, 10, &b, &e), 0);
	assert_true(str_eq(buf_str(&b), STR("0123456789")));
	unlink(path);
	rmdir(dir);
	buf_deinit(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_syntax),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_expansion_is_bounded),
		cmocka_unit_test(test_load),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
