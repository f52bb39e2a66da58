/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/buf.h"
#include "common/base/ensure.h"
#include "frontend/authd/passwd_file.h"

struct faults {
	unsigned n, last;
};

static void count(void *ctx, unsigned line, const char *why)
{
	struct faults *f = ctx;

	f->n++;
	f->last = line;
}

static struct passwd_file *parse(struct str text, struct faults *f)
{
	*f = (struct faults){0, 0};
	return passwd_file_parse(text, count, f);
}

static void test_fields(void **state)
{
	struct faults faults;
	struct passwd_file *f = parse(
		STR("# comment\n\nbob@x:{PLAIN}pw:1000:100:Bob, B.:/home/bob:/bin/sh:maildir=M,quota=1S,x=a:b\r\n"
		    "short:$6$aa$bb\nempty::::::\nlast:{CRYPT}$6$a$b:::::"),
		&faults);
	const struct passwd_entry *e = passwd_file_find(f, STR("bob@x"));

	assert_int_equal(faults.n, 0);
	assert_non_null(e);
	assert_true(str_eq(e->hash, STR("{PLAIN}pw")) && str_eq(e->uid, STR("1000")));
	assert_true(str_eq(e->gid, STR("100")) && str_eq(e->home, STR("/home/bob")));
	assert_true(str_eq(e->options, STR("maildir=M,quota=1S,x=a:b")));
	e = passwd_file_find(f, STR("short"));
	assert_true(e && e->uid.n == 0 && e->home.n == 0 && e->options.n == 0);
	e = passwd_file_find(f, STR("empty"));
	assert_true(e && e->hash.n == 0);
	assert_non_null(passwd_file_find(f, STR("last")));
	assert_null(passwd_file_find(f, STR("bob")));
	assert_null(passwd_file_find(f, STR("")));
	assert_true(str_eq(f->common_hash, STR("$6$aa$bb")));
	passwd_file_free(&f);
	assert_null(f);
}

static void test_bad_lines(void **state)
{
	static const char *const lines[] = {
		"nocolon",    ":hash",		"a\001b:x",	  "bad\xff:x",
		"u:x:-1",     "u:x:4294967295", "u:x:4294967296", "u:x:abc",
		"u:x:1:zz",   "u:x:0:0",	"u:x:000",	  "u:x:1:1::relative",
		"u:x:1:1::/", "\x7fu:x",	"\xc2\x85u:x",
	};

	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		struct buf b = BUF_INIT;
		struct faults faults;
		struct passwd_file *f;

		buf_printf(&b, "ok:x\n%s\nok2:x\n", lines[i]);
		f = parse(buf_str(&b), &faults);
		assert_int_equal(faults.n, 1);
		assert_int_equal(faults.last, 2);
		assert_int_equal(hmap_count(f->users), 2);
		passwd_file_free(&f);
		buf_deinit(&b);
	}
}

static void test_limits(void **state)
{
	struct buf b = BUF_INIT;
	struct faults faults;
	struct passwd_file *f;

	for (int i = 0; i < 256; i++)
		buf_putc(&b, 'u');
	buf_puts(&b, ":x\nlong:x:1:1:");
	for (int i = 0; i < PASSWD_LINE_MAX; i++)
		buf_putc(&b, 'g');
	buf_puts(&b, "::\ntwice:{PLAIN}1\ntwice:{PLAIN}2\n");
	f = parse(buf_str(&b), &faults);
	assert_int_equal(faults.n, 3);
	assert_int_equal(faults.last, 4);
	assert_true(str_eq(passwd_file_find(f, STR("twice"))->hash, STR("{PLAIN}1")));
	passwd_file_free(&f);
	f = parse(str_mem("nul\0x:h\nu:a\0b\n", 14), &faults);
	assert_int_equal(faults.n, 2);
	passwd_file_free(&f);
	f = parse(STR(""), &faults);
	assert_int_equal(faults.n, 0);
	passwd_file_free(&f);
	buf_deinit(&b);
}

static void test_app_passwords(void **state)
{
	struct faults faults;
	struct buf b = BUF_INIT;
	struct passwd_file *f = parse(STR("ann:H0::::::services=pop3\n"
					  "bob:B\n"
					  "ann:H1::::::app=phone,services=imap smtp\n"
					  "ann:{X}a,b=c::::::services=imap,app = tablet\n"
					  "late:L::::::app=x\nlate:M\n" /* before its account */
					  "ann:H3::::::app=phone\n"     /* a second one */
					  "bob:H4::::::app=\n"),
				      &faults);
	const struct passwd_entry *e = passwd_file_find(f, STR("ann"));

	assert_int_equal(faults.n, 3);
	assert_int_equal(hmap_count(f->users), 3);
	assert_true(str_eq(e->hash, STR("H0")) && str_eq(e->apps->name, STR("phone")));
	assert_true(str_eq(e->apps->hash, STR("H1")));
	assert_true(str_eq(e->apps->options, STR("app=phone,services=imap smtp")));
	assert_true(str_eq(e->apps->next->name, STR("tablet")) && str_eq(e->apps->next->hash, STR("{X}a,b=c")));
	assert_null(e->apps->next->next);
	assert_null(passwd_file_find(f, STR("bob"))->apps);
	assert_true(str_eq(passwd_file_find(f, STR("late"))->hash, STR("M")));
	passwd_file_free(&f);
	buf_puts(&b, "u:x\n");
	for (int i = 0; i < PASSWD_APPS_MAX + 2; i++)
		buf_printf(&b, "u:x::::::app=%d\n", i);
	f = parse(buf_str(&b), &faults);
	assert_int_equal(faults.n, 2);
	passwd_file_free(&f);
	buf_deinit(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_bad_lines),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_app_passwords),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
