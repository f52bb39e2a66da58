/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/ensure.h"
#include "common/config/names.h"
#include "common/config/settings.h"
#include "common/config/table.h"

static char file[] = "/tmp/settings-test-XXXXXX";

static void write_file(const char *text)
{
	FILE *f = fopen(file, "we");

	fputs(text, f);
	fclose(f);
}

static int load(struct settings *s, const char *text, const char *const *set, struct buf *warnings, struct err *e)
{
	write_file(text);
	return settings_load(s, &(struct settings_opts){.file = file, .set = set, .no_env = true}, warnings, e);
}

static void test_sources(void **state)
{
	struct settings s;
	struct err e;
	struct settings_opts o = {.file = file, .set = (const char *const[]){"IO_THREADS=9", "DEFDOMAIN=@set", NULL}};

	write_file("PORT=1143\nIO_THREADS=3\nIMAPD_POOL=7\nIMAPDSTARTTLS=NO\nMAXPERIP=4\n");
	setenv("PH_IMAPD_POOL", "8", 1);
	setenv("PH_IO_THREADS", "8", 1);
	assert_int_equal(settings_load(&s, &o, NULL, &e), 0);
	assert_string_equal(s.port, "1143");
	assert_int_equal(s.imapd_pool, 8);
	assert_int_equal(s.io_threads, 9);
	assert_string_equal(s.defdomain, "@set");
	assert_false(s.imapdstarttls);
	assert_int_equal(s.maxperip, 4);
	assert_string_equal(s.sslport, "993");
	assert_string_equal(s.mail_uid, "");
	settings_free(&s);
	setenv("PH_IMAPD_POLL", "8", 1);
	assert_int_equal(settings_load(&s, &o, NULL, &e), -1);
	assert_string_equal(e.text, "environment (PH_...): unknown setting IMAPD_POLL; is IMAPD_POOL meant?");
	unsetenv("PH_IMAPD_POLL");
	unsetenv("PH_IMAPD_POOL");
	unsetenv("PH_IO_THREADS");
}

static void test_errors(void **state)
{
	static const char *const cases[][2] = {
		{"PORT=1\nMAXPERIPP=4\n", ":2: unknown setting MAXPERIPP; is MAXPERIP meant?"},
		{"maxperip=4\n", ":1: unknown setting maxperip; is MAXPERIP meant?"},
		{"QUITE_ELSEWHERE=4\n", ":1: unknown setting QUITE_ELSEWHERE"},
		{"IMAP_USERLOCKS=1\n", ":1: unknown setting IMAP_USERLOCKS; IMAP_USELOCKS is meant"},
		{"IO_THREADS=0\n", ":1: IO_THREADS=0 is out of range (1 to 16 threads)"},
		{"IO_THREADS=17\n", ":1: IO_THREADS=17 is out of range (1 to 16 threads)"},
		{"IO_THREADS=99999999999999999999\n", ":1: IO_THREADS=99999999999999999999 is not a number"},
		{"IO_THREADS=-1\n", ":1: IO_THREADS=-1 is not a number"},
		{"IO_THREADS=\n", ":1: IO_THREADS= is not a number"},
		{"IMAPDSTARTTLS=maybe\n", ":1: IMAPDSTARTTLS=maybe: 1 or 0 is wanted"},
		{"SANDBOX=of\n", ":1: SANDBOX=of: one of on|off is wanted"},
		{"SANDBOX=on|off\n", ":1: this character needs quotes"},
		{"SANDBOX='on|off'\n", ":1: SANDBOX=on|off: one of on|off is wanted"},
		{"PORT=1\nPORT=1\nPORT=2\n", ":3: PORT is set twice, with different values"},
		{"AUTHMODULES='passwd-file  passwd-file'\n", ":1: AUTHMODULES: passwd-file is named twice"},
		{"MASTER_SEPARATOR=**\n", ":1: MASTER_SEPARATOR: one of !#%&*+/:;=?^|~ is wanted"},
		{"MASTER_SEPARATOR=@\n", ":1: MASTER_SEPARATOR: one of !#%&*+/:;=?^|~ is wanted"},
		{"AUTHMODULES=ldap\n", ":1: AUTHMODULES: \"ldap\" is not known, there are: passwd-file http redis authlib"},
		{"PORT_FILE=/etc/passwd\n", ":1: unknown setting PORT_FILE"},
	};
	char want[256];
	struct settings s;
	struct err e;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(load(&s, cases[i][0], NULL, NULL, &e), -1);
		snprintf(want, sizeof want, "%s%s", file, cases[i][1]);
		assert_memory_equal(e.text, want, strlen(want));
	}
	assert_int_equal(load(&s, "", (const char *const[]){"PORT", NULL}, NULL, &e), -1);
	assert_int_equal(load(&s, "", (const char *const[]){"PORT=a\nb", NULL}, NULL, &e), -1);
	assert_string_equal(e.text, "--set: PORT: a control character in the value");
	assert_int_equal(settings_load(&s, &(struct settings_opts){.file = "/nowhere/x", .no_env = true}, NULL, &e), -1);
	assert_string_equal(e.text, "can't read the settings: /nowhere/x: No such file or directory");
	assert_int_equal(settings_load(&s, &(struct settings_opts){.file = "/etc", .no_env = true}, NULL, &e), -1);
}

/* Lines of Courier's own files: what has no effect here is told, and is no error. */
static void test_courier(void **state)
{
	struct buf w = BUF_INIT;
	struct settings s;
	struct err e;

	assert_int_equal(load(&s,
			      "##VERSION: $Id$\nADDRESS=0\nPORT=143\nMAXDAEMONS=40\nMAXPERIP=20\nPIDFILE=/x\n"
			      "TCPDOPTS=\"-nodnslookup -noidentlookup\"\nLOGGEROPTS=\"-name=imapd\"\n"
			      "AUTHSERVICE143=imap\nAUTHSERVICE993=imaps\nAUTHMODULES=\"authdaemon\"\nIMAP_CAPABILITY=\"IMAP4rev1 UIDPLUS\"\nIMAP_KEYWORDS=1\n"
			      "IMAP_CAPABILITY_TLS_ORIG=\"$IMAP_CAPABILITY_ORIG AUTH=PLAIN\"\nIMAP_ACL=1\n"
			      "TLS_STARTTLS_PROTOCOL=\"$TLS_PROTOCOL\"\nTLS_DHCERTFILE=\nIMAPDSTART=YES\n"
			      "IMAP_ENHANCEDIDLE=0\nMAILDIRPATH=Maildir\nIMAP_TLS_REQUIRED=0\n",
			      NULL, &w, &e), 0);
	assert_string_equal(s.imap_capability, "IMAP4rev1 UIDPLUS");
	assert_string_equal(s.pidfile, "/x");
	assert_false(s.imap_enhancedidle);
	assert_non_null(strstr(buf_cstr(&w), ":8: LOGGEROPTS is ignored: options of courierlogger"));
	assert_null(strstr(buf_cstr(&w), "TCPDOPTS"));
	assert_string_equal(s.authservice, "143=imap 993=imaps");
	assert_string_equal(s.authmodules, "authdaemon");
	assert_null(strstr(buf_cstr(&w), "AUTHSERVICE"));
	assert_non_null(strstr(buf_cstr(&w), ":15: IMAP_ACL is ignored: access control lists"));
	assert_null(strstr(buf_cstr(&w), "MAXPERIP"));
	settings_free(&s);
	buf_deinit(&w);
}

static void test_lists(void **state)
{
	assert_true(settings_list_has("a", STR("a")) && settings_list_has(" b  a ", STR("a")));
	assert_false(settings_list_has("aa b", STR("a")) || settings_list_has("", STR("")) ||
		     settings_list_has("a  b", STR("")));
}

/* What --print-settings says can be read again, and means the same. */
static void test_print_round_trip(void **state)
{
	struct buf a = BUF_INIT, b = BUF_INIT;
	struct settings s;
	struct err e;

	assert_int_equal(load(&s, "DEFDOMAIN='a\"b $c `d` \\e #f'\nMAIL_HOME=/mail/%d/%n\nPORT=\n", NULL, NULL, &e), 0);
	settings_print(&s, &a);
	settings_free(&s);
	assert_int_equal(load(&s, buf_cstr(&a), NULL, NULL, &e), 0);
	assert_string_equal(s.defdomain, "a\"b $c `d` \\e #f");
	settings_print(&s, &b);
	assert_string_equal(buf_cstr(&a), buf_cstr(&b));
	settings_free(&s);
	buf_deinit(&a);
	buf_deinit(&b);
}

static void test_sample_is_valid(void **state)
{
	struct buf sample = BUF_INIT, active = BUF_INIT;
	struct settings s;
	struct err e;
	struct str rest;

	settings_sample(&sample);
	assert_int_equal(load(&s, buf_cstr(&sample), NULL, NULL, &e), 0);
	settings_free(&s);
	rest = buf_str(&sample);
	while (rest.p) { /* with the defaults made active */
		struct str line = str_split(&rest, '\n');

		if (line.n > 1 && line.p[0] == '#' && line.p[1] != ' ')
			line = str_from(line, 1);
		assert_true(line.n <= 130);
		buf_str_put(&active, line);
		buf_putc(&active, '\n');
	}
	assert_int_equal(load(&s, buf_cstr(&active), NULL, NULL, &e), 0);
	settings_free(&s);
	buf_reset(&active);
	settings_man(&active);
	assert_true(active.n > 1000);
	buf_deinit(&sample);
	buf_deinit(&active);
}

/* No name may be there twice. */
static void test_names(void **state)
{
	for (size_t i = 0; i < table_n; i++) {
		if (table_rows[i].name == NULL)
			continue;
		for (size_t k = 0; k < i; k++)
			assert_true(table_rows[k].name == NULL || strcmp(table_rows[i].name, table_rows[k].name) != 0);
	}
	assert_int_equal(names_distance(STR("kitten"), STR("sitting"), 9), 3);
	assert_int_equal(names_distance(STR(""), STR("abc"), 9), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sources),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_courier),
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_print_round_trip),
		cmocka_unit_test(test_sample_is_valid),
		cmocka_unit_test(test_names),
	};
	int fd = mkstemp(file), rc;

	close(fd);
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(file);
	return rc;
}
